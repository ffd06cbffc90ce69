//! Builds for the instruction set of this machine.

use crate::root;
use anyhow::{Context, Result};
use std::path::PathBuf;
use std::process::{Command, ExitCode};

/// The folder of native builds: other flags in the usual one would have cargo build everything again
/// each time.
pub(crate) fn target() -> Result<PathBuf> {
    Ok(root()?.join("target").join("native"))
}

/// `cargo COMMAND` for this machine.
pub(crate) fn cargo(command: &str) -> Result<Command> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo
        .args([command, "--target-dir"])
        .arg(target()?)
        .env("RUSTFLAGS", "-C target-cpu=native")
        .current_dir(root()?);
    Ok(cargo)
}

/// Builds the program `eventprop` in release for this machine, and returns where it is.
pub(crate) fn eventprop() -> Result<PathBuf> {
    let mut build = cargo("build")?;
    build.args(["--release", "--package", "eventprop-cli"]);
    if cfg!(feature = "cuda") {
        build.args(["--features", "cuda"]);
    }
    succeed(&mut build, "the build")?;
    let program = format!("eventprop{}", std::env::consts::EXE_SUFFIX);
    Ok(target()?.join("release").join(program))
}

/// Runs `command` and fails if it does; `what` says what that means.
pub(crate) fn succeed(command: &mut Command, what: &str) -> Result<()> {
    let name = command.get_program().to_owned();
    let status = command.status().with_context(|| format!("cannot run {}", name.display()))?;
    anyhow::ensure!(status.success(), "{what} failed");
    Ok(())
}

/// Runs `command` and passes on its exit status.
pub(crate) fn pass_on(command: &mut Command) -> Result<ExitCode> {
    let name = command.get_program().to_owned();
    let status = command.status().with_context(|| format!("cannot run {}", name.display()))?;
    // Ended by a signal it has no code.
    Ok(ExitCode::from(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1)))
}

/// Runs `command` and fails if it does.
pub(crate) fn execute(command: &mut Command) -> Result<()> {
    let name = command.get_program().to_owned();
    succeed(command, &name.to_string_lossy())
}
