use crate::native;
use anyhow::{Context, Result, bail, ensure};
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
    /// The preset.
    #[arg(long, value_name = "NAME", default_value = "yin-yang")]
    preset: String,
}

/// The fewest epochs that say something. What is compared is the end with the middle: at the start memory
/// is still taken for good, among it the room for the texts that a history of epochs is written as.
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
    let mut training = Command::new(program)
        .args(["train", "--quiet", "--preset", &args.preset, "--epochs", &args.epochs.to_string()])
        .arg("--run-dir")
        .arg(&runs)
        .stdout(Stdio::null())
        .spawn()
        .context("cannot start the training")?;
    let seen = look_on(&mut training, &runs.join("latest/metrics.jsonl"));
    if seen.is_err() {
        let _ = training.kill();
    }
    judge(&seen?)
}

/// Resident KiB and open files once an epoch.
fn look_on(training: &mut Child, metrics: &Path) -> Result<Vec<Usage>> {
    let process = PathBuf::from(format!("/proc/{}", training.id()));
    let mut seen: Vec<Usage> = Vec::new();
    loop {
        if let Some(status) = training.try_wait()? {
            ensure!(status.success(), "the training failed");
            return Ok(seen);
        }
        let epochs = fs::read_to_string(metrics).map_or(0, |text| text.lines().count());
        if epochs > seen.len() {
            // Within an epoch memory goes up and down; what is looked at is always its beginning.
            match Usage::of(&process) {
                Ok(usage) => seen.resize(epochs, usage),
                // It has just ended.
                Err(_) => continue,
            }
            if epochs.is_multiple_of(20) {
                let Usage { kib, files } = seen[epochs - 1];
                println!("epoch {epochs:>4}  {kib} KiB resident, {files} open files");
            }
        }
        sleep(Duration::from_millis(5));
    }
}

fn judge(seen: &[Usage]) -> Result<ExitCode> {
    let middle = seen.len() / 2;
    let (Some(warm), Some(last)) = (seen.get(middle.saturating_sub(1)), seen.last()) else {
        bail!("only {} epochs were seen", seen.len());
    };
    let growth = 100.0 * (last.kib as f64 / warm.kib as f64 - 1.0);
    let opened = last.files as i64 - warm.files as i64;
    println!(
        "{} epochs: resident memory {growth:+.2} %, open files {opened:+} since epoch {middle}",
        seen.len()
    );
    ensure!(growth <= FLAT, "resident memory grew by {growth:.2} %");
    ensure!(opened <= 0, "{opened} files were left open");
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
