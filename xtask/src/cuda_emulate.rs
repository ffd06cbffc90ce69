use crate::gpu_pack::TESTS;
use anyhow::{Context, Result, ensure};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Instant;

/// Run the tests of the CUDA engine without a GPU: its kernels on an emulator that stands in for the
/// driver, under several orders of threads, on several ranks, then with a watch on memory that nobody wrote and
/// one on races, and under ThreadSanitizer.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Instead, remove each `__syncthreads` and `__syncwarp` in turn and see that the tests notice: the watch on races,
    /// or else some order of threads.
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

/// The tests that must notice a missing barrier, the shortest first.
const CHOSEN: [&str; 6] = ["small", "agreement", "consistency", "skip", "recurrent", "constants"];

/// What cargo starts a test with.
const RUNNER: &str = "CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUNNER";

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    if args.mutate {
        return mutate();
    }
    let mut passed = cargo_test(&[]).status()?.success()
        && by_the_library()?
        && watched(
            "initcheck",
            &[
                "small",
                "conformance",
                "recurrent",
                "constants",
                "recovery",
                "unheard",
                "own_loss",
                "spiking_readout",
            ],
        )?
        // The first asks only whether there is a device.
        && watched("racecheck", &TESTS[1..])?;
    if passed && !args.without_tsan {
        passed = sanitized()?;
    }
    Ok(if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The tests on the emulator, or those of `names` only.
fn cargo_test(names: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO"));
    command.args(["test", "--package", "eventprop-cuda", "--features", "nccl"]);
    command.args(names.iter().flat_map(|name| ["--test", name]));
    command.env("SIMT_EMULATOR", "1");
    command
}

/// Training on several ranks, which are threads here, on the emulator and a stand-in for NCCL; and derivatives that come
/// from a larger model.
fn by_the_library() -> Result<bool> {
    let mut command = Command::new(env!("CARGO"));
    command.args([
        "test",
        "--package",
        "eventprop",
        "--features",
        "nccl",
        "--test",
        "parallel",
        "--test",
        "cuda",
        "--",
        "nccl",
        "cuda",
    ]);
    Ok(command.env("SIMT_EMULATOR", "1").status()?.success())
}

/// Tests on an emulator of a kind that watches the kernels' reads and writes. The order of threads does not matter to it.
fn watched(kind: &str, names: &[&str]) -> Result<bool> {
    let library = build(&kernels()?, kind)?;
    let mut command = cargo_test(names);
    Ok(command.env("SIMT_LIBRARY", library).env("SIMT_POLICY", "0").status()?.success())
}

/// The tests of few threads, which run every kernel, under ThreadSanitizer.
fn sanitized() -> Result<bool> {
    let library = build(&kernels()?, "tsan")?;
    let runtime = Command::new("g++").arg("-print-file-name=libtsan.so.2").output()?;
    let runtime = String::from_utf8(runtime.stdout)?.trim().to_owned();
    ensure!(Path::new(&runtime).exists(), "g++ has no libtsan");
    let mut command = cargo_test(&["small", "recurrent"]);
    command.args(["--", "every_kernel_runs", "every_walk_runs"]);
    command.env("SIMT_LIBRARY", library).env("SIMT_POLICY", "2");
    // For the test alone: cargo itself must not be watched.
    let known = crate::root()?.join("crates/eventprop-cuda/emulator/tsan.supp");
    let runner = format!(
        "timeout 600 env LD_PRELOAD={runtime} TSAN_OPTIONS=exitcode=66:report_signal_unsafe=0:suppressions={}",
        known.display()
    );
    Ok(command.env(RUNNER, runner).status()?.success())
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
    if let Some(what) = noticed(&kernels)? {
        println!("without any mutation: {what}");
        return Ok(ExitCode::FAILURE);
    }
    let mutant = crate::root()?.join("target/simt/mutant");
    let (mut caught, mut all) = (0, 0);
    let mut sources: Vec<_> = fs::read_dir(&kernels)?.collect::<Result<_, _>>()?;
    sources.sort_by_key(fs::DirEntry::file_name);
    for source in &sources {
        let Ok(text) = fs::read_to_string(source.path()) else { continue };
        let mut places: Vec<_> =
            BARRIERS.iter().flat_map(|barrier| text.match_indices(barrier)).collect();
        places.sort_unstable();
        for (position, barrier) in places {
            fs::create_dir_all(&mutant)?;
            for other in &sources {
                fs::copy(other.path(), mutant.join(other.file_name()))?;
            }
            let without = format!("{};{}", &text[..position], &text[position + barrier.len()..]);
            fs::write(mutant.join(source.file_name()), without)?;
            let start = Instant::now();
            let what = noticed(&mutant)?;
            all += 1;
            caught += usize::from(what.is_some());
            println!(
                "{}:{}: {} ({} s)",
                source.file_name().display(),
                text[..position].matches('\n').count() + 1,
                what.as_deref().unwrap_or("NOT CAUGHT"),
                start.elapsed().as_secs()
            );
        }
    }
    println!("{caught} of {all} removed barriers caught");
    Ok(if caught == all { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The first thing that is wrong with kernels from a folder, if the tests notice any: what is found soonest first.
fn noticed(kernels: &Path) -> Result<Option<String>> {
    for (kind, policy) in [("racecheck", Some("0")), ("plain", None)] {
        let library = build(kernels, kind)?;
        for test in CHOSEN {
            let mut command = cargo_test(&[test]);
            command
                .env("SIMT_LIBRARY", &library)
                .envs(policy.map(|policy| ("SIMT_POLICY", policy)));
            // What a missing barrier leaves behind may keep a kernel running for ever.
            let output = command.env(RUNNER, "timeout 300").output()?;
            if !output.status.success() {
                let errors = String::from_utf8_lossy(&output.stderr);
                let told = errors.lines().find_map(|line| line.strip_prefix("simt: "));
                let told = told.and_then(|told| told.split(": ").next());
                return Ok(Some(format!("{}, by {test}", told.unwrap_or("a test fails"))));
            }
        }
    }
    Ok(None)
}
