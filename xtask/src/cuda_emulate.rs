use anyhow::{Context, Result, ensure};
use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode};

/// Run the tests of the CUDA engine without a GPU: its kernels on an emulator that stands in for the
/// driver, under several orders of threads, then under ThreadSanitizer.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Instead, remove each `__syncthreads` in turn and see that the tests notice.
    #[arg(long)]
    mutate: bool,
    /// Leave ThreadSanitizer out.
    #[arg(long)]
    without_tsan: bool,
}

const BARRIER: &str = "__syncthreads();";

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    if args.mutate {
        return mutate();
    }
    let mut passed = tests(None, &[], None)?;
    if passed && !args.without_tsan {
        passed = sanitized(None)?;
    }
    Ok(if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The tests on the emulator, or those of `names` only; with another library than the one built.
fn tests(library: Option<&Path>, names: &[&str], quiet: Option<()>) -> Result<bool> {
    let mut command = cargo_test("target/emulator");
    command.env("SIMT_EMULATOR", "1");
    command.args(names.iter().flat_map(|name| ["--test", name]));
    if let Some(library) = library {
        command.env("SIMT_LIBRARY", library);
    }
    if quiet.is_some() {
        return Ok(command.output()?.status.success());
    }
    Ok(command.status()?.success())
}

/// The test of few threads under ThreadSanitizer.
fn sanitized(library: Option<&Path>) -> Result<bool> {
    let runtime = Command::new("g++").arg("-print-file-name=libtsan.so.2").output()?;
    let runtime = String::from_utf8(runtime.stdout)?.trim().to_owned();
    ensure!(Path::new(&runtime).exists(), "g++ has no libtsan");
    let mut command = cargo_test("target/emulator-tsan");
    command.args(["--test", "small"]).env("SIMT_EMULATOR", "tsan");
    // For the test alone: cargo itself must not be watched.
    let runner =
        format!("env LD_PRELOAD={runtime} TSAN_OPTIONS=exitcode=66:report_signal_unsafe=0");
    command.env("CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUNNER", runner);
    if let Some(library) = library {
        command.env("SIMT_LIBRARY", library);
        return Ok(command.output()?.status.success());
    }
    Ok(command.status()?.success())
}

fn cargo_test(target: &str) -> Command {
    let mut command = Command::new(env!("CARGO"));
    command.args(["test", "--package", "eventprop-cuda", "--target-dir", target]);
    if let Ok(root) = crate::root() {
        command.current_dir(root);
    }
    command
}

/// Removes each barrier in turn.
fn mutate() -> Result<ExitCode> {
    let root = crate::root()?;
    let kernels = root.join("crates/eventprop-cuda/kernels");
    let (copy, output) = (root.join("target/mutant/kernels"), root.join("target/mutant"));
    ensure!(tests(None, &["small", "agreement"], Some(()))?, "the tests fail without any mutation");
    ensure!(sanitized(None)?, "ThreadSanitizer reports without any mutation");
    let (mut caught, mut all) = (0, 0);
    let mut sources: Vec<_> = fs::read_dir(&kernels)?.collect::<Result<_, _>>()?;
    sources.sort_by_key(fs::DirEntry::file_name);
    for source in &sources {
        let Ok(text) = fs::read_to_string(source.path()) else { continue };
        for (position, _) in text.match_indices(BARRIER) {
            fs::create_dir_all(&copy)?;
            for other in &sources {
                fs::copy(other.path(), copy.join(other.file_name()))?;
            }
            let mutant = format!("{};{}", &text[..position], &text[position + BARRIER.len()..]);
            fs::write(copy.join(source.file_name()), mutant)?;
            let schedules = !passes(&copy, &output.join("plain"), false)?;
            let races = !passes(&copy, &output.join("tsan"), true)?;
            let line = text[..position].lines().count();
            let say = |caught| if caught { "caught" } else { "not caught" };
            let name = source.file_name();
            println!(
                "{}:{line}: {} by the schedules, {} by ThreadSanitizer",
                name.display(),
                say(schedules),
                say(races)
            );
            all += 1;
            caught += usize::from(schedules || races);
        }
    }
    println!("{caught} of {all} removed barriers caught");
    Ok(if caught == all { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn passes(kernels: &Path, output: &Path, tsan: bool) -> Result<bool> {
    let script = crate::root()?.join("crates/eventprop-cuda/emulator/build.sh");
    let mut build = Command::new("sh");
    build.arg(script).arg(kernels).arg(output);
    if tsan {
        build.arg("tsan");
    }
    ensure!(build.status().context("cannot run sh")?.success(), "a mutant cannot be built");
    let library = output.join("libcuda.so.1");
    if tsan {
        sanitized(Some(&library))
    } else {
        tests(Some(&library), &["small", "agreement"], Some(()))
    }
}
