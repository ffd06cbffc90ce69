//! The emulator that stands in for a GPU, and the tests that run on it.

use crate::built::{self, Executable};
use anyhow::{Context, Result, ensure};
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

/// The test programs of the engine, for the emulator.
pub(crate) fn tests() -> Result<Vec<Executable>> {
    let arguments =
        ["test", "--no-run", "--tests", "--package", "eventprop-cuda", "--features", "nccl"];
    built::executables(built::cargo(&arguments)?.env("SIMT_EMULATOR", "1"), &[])
}

/// Those of the library that ask for the engine.
pub(crate) fn tests_of_the_library() -> Result<Vec<Executable>> {
    let mut cargo = built::cargo(&["test", "--no-run", "--package", "eventprop"])?;
    cargo.args(["--features", "nccl", "--test", "parallel", "--test", "cuda"]);
    built::executables(cargo.env("SIMT_EMULATOR", "1"), &[])
}

/// One of them.
pub(crate) fn named<'a>(programs: &'a [Executable], name: &str) -> Result<&'a Executable> {
    let found = programs.iter().find(|program| program.name == name);
    found.with_context(|| format!("there are no tests {name}"))
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
