//! The emulator that stands in for a GPU, and the tests that run on it.

use crate::built::{self, Executable};
use anyhow::{Context, Result, ensure};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The folder of the engine's crate.
pub(crate) fn folder() -> Result<PathBuf> {
    Ok(crate::root()?.join("crates/eventprop-cuda"))
}

/// The kernels that are checked in.
pub(crate) fn kernels() -> Result<PathBuf> {
    Ok(folder()?.join("kernels"))
}

/// Builds the emulator of a kind with kernels from a folder into another, and returns the library's path.
pub(crate) fn build(kernels: &Path, kind: &str, output: &Path) -> Result<PathBuf> {
    let mut build = Command::new("sh");
    build.arg(folder()?.join("emulator/build.sh")).arg(kernels).arg(output).arg(kind);
    ensure!(build.status().context("cannot run sh")?.success(), "the emulator cannot be built");
    Ok(output.join("libcuda.so.1"))
}

/// What is built for the emulator: always the same packages with the same features, so that nothing is
/// compiled twice. Of the benchmarks nothing is built: with them, other crates have the features that `cargo test` gives them.
const SELECTION: [&str; 10] = [
    "--package",
    "eventprop-cuda",
    "--package",
    "eventprop",
    "--package",
    "eventprop-cli",
    "--package",
    "eventprop-benches",
    "--features",
    "eventprop-cuda/nccl,eventprop/nccl,eventprop-cli/cuda",
];

/// Those of the library's tests that ask for the engine.
pub(crate) const OF_THE_LIBRARY: [&str; 3] = ["parallel", "cuda", "kept"];

/// All test programs of the engine, and [`OF_THE_LIBRARY`].
pub(crate) fn tests() -> Result<Vec<Executable>> {
    let mut cargo = cargo(&["test", "--no-run"])?;
    for file in fs::read_dir(folder()?.join("tests"))? {
        let file = file?.path();
        if let (Some(name), true) = (file.file_stem(), file.is_file()) {
            cargo.arg("--test").arg(name);
        }
    }
    built::executables(cargo.args(OF_THE_LIBRARY.iter().flat_map(|name| ["--test", name])), &[])
}

/// The program, and the example that measures.
pub(crate) fn programs() -> Result<Vec<Executable>> {
    let arguments = ["build", "--profile", "test", "--bin", "eventprop", "--example", "speed"];
    built::executables(&mut cargo(&arguments)?, &[])
}

fn cargo(arguments: &[&str]) -> Result<Command> {
    let mut cargo = built::cargo(&[arguments, &SELECTION].concat())?;
    cargo.env("SIMT_EMULATOR", "1");
    Ok(cargo)
}

/// A start of a test program with some environment, which is ended after ten minutes: a wrong kernel may run for ever.
pub(crate) fn start(program: &Path, environment: &[(&str, String)]) -> Result<Command> {
    let mut command = Command::new("timeout");
    // By `env`, so that what is to be loaded before the program is not loaded into `timeout`. Without a device tests would
    // pass, were none required.
    command.args(["600", "env", "SIMT_EMULATOR=1", "REQUIRE_GPU=1"]);
    command.args(environment.iter().map(|(name, value)| format!("{name}={value}"))).arg(program);
    // The order of threads that a test asks for is the whole program's.
    command.arg("--test-threads=1").current_dir(folder()?);
    Ok(command)
}
