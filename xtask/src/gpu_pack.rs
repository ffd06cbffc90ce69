use crate::built::{self, Executable};
use crate::{emulator, glibc, native};
use anyhow::{Context, Result, ensure};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

/// Build one folder that holds all that is run on a machine with a GPU: tests, training, benchmarks and
/// `run.sh`, which runs them.
///
/// Copy the folder there and start `run.sh`; nothing else is needed than a driver (and PyTorch for the
/// comparison with it).
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The folder to write.
    #[arg(long, default_value = "gpu-pack")]
    out: PathBuf,
    /// For the emulator instead of a GPU.
    #[arg(long)]
    emulator: bool,
    /// Then start its run.sh here; for the emulator at toy sizes.
    #[arg(long)]
    run: bool,
    /// Build nothing: put the summary.md that a run left into docs/BENCHMARKS.md.
    #[arg(long, value_name = "SUMMARY.md", conflicts_with_all = ["emulator", "run"])]
    accept: Option<PathBuf>,
}

/// The tests of the engine that run anywhere, in the order of `gpu/run.sh`.
pub(crate) const TESTS: [&str; 15] = [
    "probe",
    "small",
    "grid",
    "conformance",
    "agreement",
    "consistency",
    "skip",
    "recurrent",
    "constants",
    "recovery",
    "unheard",
    "own_loss",
    "spiking_readout",
    "recovering_readout",
    "highest",
];

/// What may be carried to the machine.
const MAX_BYTES: u64 = 60 << 20;

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let root = crate::root()?;
    if let Some(summary) = &args.accept {
        let mut accept = Command::new(env!("CARGO"));
        accept.args([
            "run",
            "--quiet",
            "--package",
            "eventprop-benches",
            "--bin",
            "bench-gpu",
            "--",
        ]);
        return native::pass_on(accept.arg(summary));
    }
    let out = root.join(&args.out);
    fs::create_dir_all(&out)?;
    let built = if args.emulator {
        emulator::tests()?.into_iter().chain(emulator::programs()?).collect()
    } else {
        for_a_gpu()?
    };
    let tests = TESTS.map(|test| (test, format!("test-{test}")));
    let programs = ["speed", "eventprop"].map(|name| (name, name.to_owned()));
    for (name, file) in tests.iter().chain(&programs) {
        let path = out.join(file);
        fs::copy(&built::named(&built, name)?.path, &path)
            .with_context(|| format!("cannot write {}", path.display()))?;
        if !args.emulator {
            glibc::check(&path)?;
        }
    }
    let crate_folder = root.join("crates/eventprop-cuda");
    copy_files(&crate_folder.join("gpu"), &out)?;
    copy_files(&crate_folder.join("gpu/sample"), &out.join("sample"))?;
    fs::write(out.join("commit"), commit()?)?;
    // Those for the emulator are large and go nowhere: one, to try it.
    let packed = if args.emulator { &TESTS[..1] } else { &TESTS };
    let mut pack = Command::new("python3");
    pack.args(["programs.py", "pack"]).args(packed.iter().map(|test| format!("test-{test}")));
    native::succeed(pack.current_dir(&out), "packing the tests")?;
    let sizes = fs::read_dir(&out)?.filter_map(|entry| entry.ok()?.metadata().ok());
    let bytes: u64 = sizes.filter(fs::Metadata::is_file).map(|file| file.len()).sum();
    println!(
        "{}: {:.1} MiB; start {}/run.sh there",
        out.display(),
        bytes as f64 / 1048576.0,
        args.out.display()
    );
    ensure!(args.emulator || bytes <= MAX_BYTES, "that is more than {} MiB", MAX_BYTES >> 20);
    if !args.run {
        return Ok(ExitCode::SUCCESS);
    }
    let mut run = Command::new(out.join("run.sh"));
    run.arg(out.join("results"));
    if args.emulator {
        run.arg("toy");
    }
    Ok(if run.status()?.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Copies the files of a folder, not the folders in it.
fn copy_files(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            fs::copy(entry.path(), to.join(entry.file_name()))?;
        }
    }
    Ok(())
}

/// What is built, for the head of the results.
fn commit() -> Result<String> {
    let mut git = Command::new("git");
    git.args(["describe", "--always", "--dirty", "--exclude=*"]).current_dir(crate::root()?);
    let output = git.output().context("git is needed")?;
    let name = String::from_utf8(output.stdout)?;
    Ok(if output.status.success() { name.trim().to_owned() } else { "unknown".to_owned() })
}

/// Tests, example and program; the instruction set is that of `.cargo/config.toml`, x86-64-v3.
fn for_a_gpu() -> Result<Vec<Executable>> {
    let build = |arguments: &[&str], last: &[String]| {
        let mut cargo = built::cargo(arguments)?;
        cargo.arg("--release").env("CARGO_PROFILE_RELEASE_STRIP", "symbols");
        built::executables(&mut cargo, last)
    };
    let tests = TESTS.iter().flat_map(|test| ["--test", test]);
    let tests: Vec<_> =
        ["test", "--no-run", "--package", "eventprop-cuda"].into_iter().chain(tests).collect();
    let speed = ["build", "--package", "eventprop-cuda", "--example", "speed"];
    let program = ["rustc", "--package", "eventprop-cli", "--features", "cuda"];
    let linking = ["--bin", "eventprop", "--"].map(String::from).into_iter();
    let linking: Vec<_> = linking.chain(glibc::link_older()?).collect();
    let built = [build(&tests, &[])?, build(&speed, &[])?, build(&program, &linking)?];
    Ok(built.into_iter().flatten().collect())
}

#[cfg(test)]
mod tests {
    /// But those that measure, or are of several ranks.
    #[test]
    fn every_test_of_the_engine_is_packed() {
        let folder = crate::root().unwrap().join("crates/eventprop-cuda/tests");
        let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let mut found: Vec<String> = files
            .filter(|path| path.is_file())
            .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
            .filter(|name| !["ceilings", "nccl"].contains(&name.as_str()))
            .collect();
        let mut packed = super::TESTS.to_vec();
        found.sort_unstable();
        packed.sort_unstable();
        assert_eq!(found, packed);
    }

    #[test]
    fn the_script_runs_what_is_packed() {
        let script = crate::root().unwrap().join("crates/eventprop-cuda/gpu/run.sh");
        let script = std::fs::read_to_string(script).unwrap();
        let line = format!("for test in {}; do", super::TESTS.join(" "));
        assert!(script.lines().any(|found| found == line), "run.sh has no line \"{line}\"");
    }
}
