use crate::native;
use anyhow::{Context, Result, ensure};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::thread::sleep;
use std::time::Duration;

/// Train many epochs on a small set with the program as it is released, a checkpoint and its pictures
/// after each, and see from outside that its memory and its open files stay flat. Needs Linux.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Epochs.
    #[arg(long, value_name = "N", default_value_t = 200)]
    epochs: u32,
    /// A preset, on its own data; without it `mnist` is trained on a thousand digits.
    #[arg(long, value_name = "NAME")]
    preset: Option<String>,
}

/// The fewest epochs that say something: at the start memory is still taken for good.
const LEAST: u32 = 40;

/// The growth of resident memory that counts as none, in percent.
const FLAT: f64 = 1.0;

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    ensure!(args.epochs >= LEAST, "--epochs must be at least {LEAST}");
    let program = native::eventprop()?;
    let runs = crate::root()?.join("target").join("soak");
    if runs.exists() {
        fs::remove_dir_all(&runs)?;
    }
    let mut training = Command::new(program);
    training
        .args(["train", "--quiet", "--epochs", &args.epochs.to_string(), "--run-dir"])
        .arg(&runs);
    match &args.preset {
        Some(preset) => training.args(["--preset", preset]),
        None => {
            let digits = runs.join("digits");
            cut_digits(&digits)?;
            training.args(["--preset", "mnist", "--data-folder"]).arg(digits)
        }
    };
    let mut training =
        training.stdout(Stdio::null()).spawn().context("cannot start the training")?;
    let seen = look_on(&mut training, &runs.join("latest/metrics.jsonl"));
    if seen.is_err() {
        let _ = training.kill();
    }
    judge(&seen?)
}

/// A small MNIST in `folder`.
fn cut_digits(folder: &Path) -> Result<()> {
    let mut cut = native::cargo("run")?;
    cut.args([
        "--release",
        "--quiet",
        "--package",
        "mnist-spikes",
        "--example",
        "small_mnist",
        "--",
    ]);
    cut.arg(folder).args(["1000", "200"]);
    native::succeed(&mut cut, "the cutting of MNIST")
}

/// The most that was seen in each epoch: within one memory goes up and down.
fn look_on(training: &mut Child, metrics: &Path) -> Result<Vec<Usage>> {
    let process = PathBuf::from(format!("/proc/{}", training.id()));
    let mut seen: Vec<Usage> = Vec::new();
    loop {
        if let Some(status) = training.try_wait()? {
            ensure!(status.success(), "the training failed");
            return Ok(seen);
        }
        let epochs = fs::read_to_string(metrics).map_or(0, |text| text.lines().count());
        // An error says that it has just ended.
        if let Ok(now) = Usage::of(&process)
            && epochs > 0
        {
            if epochs > seen.len() && epochs.is_multiple_of(20) {
                println!("epoch {epochs:>4}  {} KiB resident, {} open files", now.kib, now.files);
            }
            seen.resize(epochs.max(seen.len()), now);
            let most = &mut seen[epochs - 1];
            *most = Usage { kib: most.kib.max(now.kib), files: most.files.max(now.files) };
        }
        sleep(Duration::from_millis(5));
    }
}

/// Compares the most that was seen in the second half with the most in the first: what the allocator gives
/// back to the system comes and goes by more than is looked for.
fn judge(seen: &[Usage]) -> Result<ExitCode> {
    let (first, second) = seen.split_at(seen.len() / 2);
    let most = |half: &[Usage]| {
        let kib = half.iter().map(|usage| usage.kib).max().unwrap_or_default();
        (kib, half.iter().map(|usage| usage.files).max().unwrap_or_default())
    };
    let ((warm, open_then), (last, open_now)) = (most(first), most(second));
    let growth = 100.0 * (last as f64 / warm as f64 - 1.0);
    println!(
        "{} epochs: at most {warm} KiB resident in the first half, {last} in the second \
         ({growth:+.2} %); {open_then} and {open_now} open files",
        seen.len(),
    );
    ensure!(growth <= FLAT, "resident memory grew by {growth:.2} %");
    ensure!(open_now <= open_then, "{} files were left open", open_now - open_then);
    Ok(ExitCode::SUCCESS)
}

#[derive(Clone, Copy)]
struct Usage {
    kib: u64,
    files: usize,
}

impl Usage {
    fn of(process: &Path) -> Result<Self> {
        let status = fs::read_to_string(process.join("status")).context("needs Linux")?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.context("no VmRSS")?.trim().trim_end_matches(" kB").parse()?;
        Ok(Self { kib, files: fs::read_dir(process.join("fd"))?.count() })
    }
}
