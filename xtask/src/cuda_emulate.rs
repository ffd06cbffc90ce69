use anyhow::{Context, Result, ensure};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

/// Run the tests of the CUDA engine without a GPU: its kernels on an emulator that stands in for the
/// driver, under several orders of threads, on several ranks, then with a watch on memory that nobody wrote, and
/// under ThreadSanitizer.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Instead, remove each `__syncthreads` and `__syncwarp` in turn and see that the tests notice: under some order of
    /// threads, or else ThreadSanitizer.
    #[arg(long)]
    mutate: bool,
    /// Leave ThreadSanitizer out.
    #[arg(long)]
    without_tsan: bool,
}

fn kernels() -> Result<PathBuf> {
    Ok(crate::root()?.join("crates/eventprop-cuda/kernels"))
}

const BARRIERS: [&str; 2] = ["__syncthreads();", "__syncwarp();"];

/// What cargo starts a test with.
const RUNNER: &str = "CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUNNER";

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    if args.mutate {
        return mutate();
    }
    let mut passed = tests(None, &[])? && ranks()? && initialised()?;
    if passed && !args.without_tsan {
        passed = sanitized(&kernels()?, false)?;
    }
    Ok(if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The tests on the emulator, or those of `names` only; quietly with another library than the one built.
fn tests(library: Option<&Path>, names: &[&str]) -> Result<bool> {
    let mut command = cargo_test();
    command.args(names.iter().flat_map(|name| ["--test", name]));
    match library {
        Some(library) => {
            // What a missing barrier leaves behind may keep a kernel running for ever.
            command.env(RUNNER, "timeout 300").env("SIMT_LIBRARY", library);
            Ok(command.output()?.status.success())
        }
        None => Ok(command.status()?.success()),
    }
}

/// Training on several ranks, which are threads here, on the emulator and a stand-in for NCCL.
fn ranks() -> Result<bool> {
    let mut command = Command::new(env!("CARGO"));
    command.args([
        "test",
        "--package",
        "eventprop",
        "--features",
        "nccl",
        "--test",
        "parallel",
        "nccl",
    ]);
    Ok(command.env("SIMT_EMULATOR", "1").status()?.success())
}

/// The test of few threads and the suite, while every read is checked to be of memory that was written.
fn initialised() -> Result<bool> {
    let library = build(&kernels()?, "initcheck")?;
    let mut command = cargo_test();
    command.args(["--test", "small", "--test", "conformance"]);
    Ok(command.env("SIMT_LIBRARY", library).env("SIMT_POLICY", "0").status()?.success())
}

/// The test of few threads under ThreadSanitizer, with kernels from a folder.
fn sanitized(kernels: &Path, quiet: bool) -> Result<bool> {
    let library = build(kernels, "tsan")?;
    let runtime = Command::new("g++").arg("-print-file-name=libtsan.so.2").output()?;
    let runtime = String::from_utf8(runtime.stdout)?.trim().to_owned();
    ensure!(Path::new(&runtime).exists(), "g++ has no libtsan");
    let mut command = cargo_test();
    command.args(["--test", "small"]).env("SIMT_LIBRARY", library).env("SIMT_POLICY", "2");
    // For the test alone: cargo itself must not be watched.
    let known = crate::root()?.join("crates/eventprop-cuda/emulator/tsan.supp");
    let runner = format!(
        "timeout 600 env LD_PRELOAD={runtime} TSAN_OPTIONS=exitcode=66:report_signal_unsafe=0:suppressions={}",
        known.display()
    );
    command.env(RUNNER, runner);
    if quiet {
        return Ok(command.output()?.status.success());
    }
    Ok(command.status()?.success())
}

fn cargo_test() -> Command {
    let mut command = Command::new(env!("CARGO"));
    command.args(["test", "--package", "eventprop-cuda", "--features", "nccl"]);
    command.env("SIMT_EMULATOR", "1");
    command
}

/// Builds the emulator of a kind with kernels from a folder and returns the library's path.
fn build(kernels: &Path, kind: &str) -> Result<PathBuf> {
    let root = crate::root()?;
    let output = root.join("target/simt").join(kind);
    let mut build = Command::new("sh");
    build.arg(root.join("crates/eventprop-cuda/emulator/build.sh"));
    build.arg(kernels).arg(&output).arg(kind);
    ensure!(build.status().context("cannot run sh")?.success(), "the emulator cannot be built");
    Ok(output.join("libcuda.so.1"))
}

/// Removes each barrier in turn.
fn mutate() -> Result<ExitCode> {
    let kernels = kernels()?;
    let copy = crate::root()?.join("target/simt/mutant");
    // The short test first: what it misses the others may notice.
    let chosen = ["small", "agreement", "skip"];
    ensure!(tests(None, &chosen)?, "the tests fail without any mutation");
    ensure!(sanitized(&kernels, true)?, "ThreadSanitizer reports without any mutation");
    let (mut caught, mut all) = (0, 0);
    let mut sources: Vec<_> = fs::read_dir(&kernels)?.collect::<Result<_, _>>()?;
    sources.sort_by_key(fs::DirEntry::file_name);
    for source in &sources {
        let Ok(text) = fs::read_to_string(source.path()) else { continue };
        for (position, barrier) in BARRIERS.iter().flat_map(|barrier| text.match_indices(barrier)) {
            fs::create_dir_all(&copy)?;
            for other in &sources {
                fs::copy(other.path(), copy.join(other.file_name()))?;
            }
            let mutant = format!("{};{}", &text[..position], &text[position + barrier.len()..]);
            fs::write(copy.join(source.file_name()), mutant)?;
            let library = build(&copy, "plain")?;
            let mut notices = false;
            for test in chosen {
                notices = notices || !tests(Some(&library), &[test])?;
            }
            let noticed = if notices {
                "caught by the schedules"
            } else if !sanitized(&copy, true)? {
                "caught by ThreadSanitizer"
            } else {
                "not caught"
            };
            let line = text[..position].lines().count();
            println!("{}:{line}: {noticed}", source.file_name().display());
            all += 1;
            caught += usize::from(noticed != "not caught");
        }
    }
    println!("{caught} of {all} removed barriers caught");
    Ok(if caught == all { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
