use crate::{built, mpi, native, root};
use anyhow::{Context, Result, bail, ensure};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Check the training on several ranks, on this machine: build with `--features mpi`, then train on
/// 1, 2 and 3 ranks and compare bits, with data replicated and parted; kill a rank and go on with fewer;
/// have jobs fail.
///
/// Needs libopenmpi-dev and libclang-dev.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Check this build of the program, and build nothing.
    #[arg(long)]
    program: Option<PathBuf>,
}

/// The presets compared: a dense network, one of learned delays, and the clock-driven ones.
const PRESETS: [&str; 4] = ["yin-yang", "yin-yang-delays", "seed", "seed-readme"];

const TRAIN: [&str; 6] = ["train", "--quiet", "--epochs", "1", "--batch-size", "50"];

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    mpi::check_installed()?;
    let program = match &args.program {
        Some(program) => fs::canonicalize(program)?,
        None => build()?,
    };
    let work = root()?.join("target/mpi-check");
    if work.exists() {
        fs::remove_dir_all(&work)?;
    }
    fs::create_dir_all(&work)?;
    for preset in PRESETS {
        compare(&program, &work, preset)?;
    }
    a_killed_rank(&program, &work)?;
    failures(&program, &work)?;
    println!("1, 2 and 3 ranks give the same bits");
    Ok(ExitCode::SUCCESS)
}

fn build() -> Result<PathBuf> {
    let mut build =
        built::cargo(&["build", "--bin", "eventprop", "--features", "eventprop-cli/mpi"])?;
    let programs = built::executables(build.args(built::AS_FOR_TESTS), &[])?;
    Ok(built::named(&programs, "eventprop")?.path.clone())
}

/// Trainings of one preset whose every bit has to be the same.
fn compare(program: &Path, work: &Path, preset: &str) -> Result<()> {
    let train = |command: &mut Command, name: &str, more: &[&str]| -> Result<Left> {
        let run_dir = format!("{preset}-{name}");
        command
            .args(TRAIN)
            .args(["--preset", preset])
            .args(more)
            .args(["--run-dir", &run_dir])
            .current_dir(work);
        mpi::output(command)?;
        Left::read(&work.join(run_dir).join("latest"))
    };
    let plain = train(&mut Command::new(program), "plain", &["--shards", "8"])?;
    for ranks in 1..=3 {
        let name = format!("{ranks}-ranks");
        let left = train(&mut mpi::mpirun(ranks, program), &name, &[])?;
        ensure!(left == plain, "{preset}: {ranks} ranks differ from one process without MPI");
    }
    let parted = &["--replicate-up-to", "0"];
    let left = train(&mut mpi::mpirun(3, program), "parted", parted)?;
    ensure!(left == plain, "{preset}: parted data give other bits");
    println!("{preset}: the same bits without MPI, on 1, 2 and 3 ranks, and with parted data");
    Ok(())
}

/// What a run leaves that wall time has no part in.
#[derive(PartialEq)]
struct Left {
    /// The tensors of the checkpoint: parameters and optimiser.
    tensors: Vec<u8>,
    /// The metrics without the last column, the seconds.
    metrics: Vec<String>,
    config: String,
    folders: usize,
}

impl Left {
    fn read(run: &Path) -> Result<Self> {
        let read = |name: &str| {
            fs::read_to_string(run.join(name)).with_context(|| format!("{}", run.display()))
        };
        let bytes = fs::read(run.join("checkpoint.safetensors"))?;
        let (length, rest) = bytes.split_first_chunk().context("no safetensors file")?;
        let tensors = rest.get(u64::from_le_bytes(*length) as usize..);
        let metrics = read("metrics.csv")?;
        let metrics = metrics.lines().filter_map(|line| line.rsplit_once(','));
        // Beside it the link "latest": one run folder, whatever the number of ranks.
        let folders = fs::read_dir(run.join(".."))?.count();
        Ok(Self {
            tensors: tensors.context("no safetensors file")?.to_vec(),
            metrics: metrics.map(|(line, _)| line.into()).collect(),
            config: read("config.toml")?,
            folders,
        })
    }
}

/// A rank that dies ends the job with the last good checkpoint, from which fewer ranks go on.
fn a_killed_rank(program: &Path, work: &Path) -> Result<()> {
    // Each rank leaves its process number.
    let wrapper = work.join("wrapper");
    let script = format!(
        "#!/bin/sh\necho $$ > pid-$OMPI_COMM_WORLD_RANK\nexec {} \"$@\"\n",
        program.display()
    );
    fs::write(&wrapper, script)?;
    native::execute(Command::new("chmod").arg("+x").arg(&wrapper))?;
    for victim in [1, 0] {
        let run_dir = format!("killed-{victim}");
        let mut command = mpi::mpirun(3, &wrapper);
        command.args(TRAIN).args(["--preset", "yin-yang", "--checkpoint-every", "10"]);
        command.args(["--run-dir", &run_dir]).current_dir(work);
        let child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?;
        let run = wait_for_batch(&work.join(&run_dir))?;
        let pid = fs::read_to_string(work.join(format!("pid-{victim}")))?;
        native::execute(Command::new("kill").args(["-KILL", pid.trim()]))?;
        let output = child.wait_with_output()?;
        mpi::ended(&output)?;
        let message = String::from_utf8_lossy(&output.stderr);
        ensure!(!output.status.success(), "a job that lost rank {victim} succeeded");
        let told: Vec<_> = message.lines().filter(|line| line.starts_with("error: ")).collect();
        ensure!(
            told.len() == 1 && told[0].contains("; the last good checkpoint ("),
            "of a dead rank {victim} it said: {message}"
        );
        let mut resume = mpi::mpirun(2, program);
        resume.args(["train", "--quiet", "--resume"]).arg(&run).current_dir(work);
        mpi::output(&mut resume)?;
        let whole = Left::read(&work.join("yin-yang-plain/latest"))?;
        ensure!(Left::read(&run)? == whole, "resumed on 2 ranks it ends with other bits");
        println!("rank {victim} of 3 killed: {}; resumed on 2 ranks: the same bits", told[0]);
    }
    Ok(())
}

/// Waits until a run has trained some batches, and returns its folder.
fn wait_for_batch(run_dir: &Path) -> Result<PathBuf> {
    let (start, latest) = (Instant::now(), run_dir.join("latest"));
    while start.elapsed() < Duration::from_secs(120) {
        let log = fs::read_to_string(latest.join("live.json")).unwrap_or_default();
        let batch = log.split("\"batch\":").nth(1).and_then(|rest| rest.split(',').next());
        if batch.and_then(|batch| batch.trim().parse().ok()).is_some_and(|batch: usize| batch > 0) {
            return fs::canonicalize(&latest).context("the run's folder");
        }
        sleep(Duration::from_millis(10));
    }
    bail!("no batch was trained")
}

/// Jobs that cannot begin or go on say why once, and each rank ends by itself.
fn failures(program: &Path, work: &Path) -> Result<()> {
    let cases: [(&[&str], &str); 4] = [
        (&["--shards", "2", "--run-dir", "refused"], "3 ranks share batches"),
        (&["none.toml", "--run-dir", "refused"], "none.toml"),
        // A file is there.
        (&["--preset", "yin-yang", "--run-dir", "wrapper"], "wrapper"),
        (
            &["--preset", "yin-yang", "--lr", "1e38", "--run-dir", "ran-away"],
            "; the last good checkpoint (",
        ),
    ];
    for (args, why) in cases {
        let output = mpi::mpirun(3, program).args(TRAIN).args(args).current_dir(work).output()?;
        mpi::ended(&output)?;
        let message = String::from_utf8_lossy(&output.stderr);
        let told: Vec<_> = message.lines().filter(|line| line.starts_with("error: ")).collect();
        ensure!(
            output.status.code() == Some(2)
                && told.len() == 1
                && told[0].contains(why)
                && !message.contains("MPI_ABORT")
                && !work.join("refused").exists(),
            "of {args:?} it said: {message}"
        );
    }
    Ok(())
}
