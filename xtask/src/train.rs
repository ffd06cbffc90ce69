use anyhow::{Context, Result};
use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, ExitCode};

/// Build `eventprop` in release for this machine's own instruction set and train with it.
///
/// All arguments go to `eventprop train`; see `cargo xtask train --help`.
#[derive(clap::Args)]
#[command(disable_help_flag = true)]
pub(crate) struct Args {
    /// Arguments of `eventprop train`.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<OsString>,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("xtask has no parent")?;
    // A folder of its own: other flags would have cargo build everything again each time.
    let target = root.join("target").join("native");
    let mut build = Command::new(env!("CARGO"));
    build
        .args(["build", "--release", "--package", "eventprop-cli", "--target-dir"])
        .arg(&target)
        .env("RUSTFLAGS", "-C target-cpu=native")
        .current_dir(root);
    if cfg!(feature = "cuda") {
        build.args(["--features", "cuda"]);
    }
    let built = build.status().context("cannot run cargo")?;
    anyhow::ensure!(built.success(), "the build failed");
    let program = target.join("release").join(format!("eventprop{}", std::env::consts::EXE_SUFFIX));
    let status = Command::new(&program)
        .arg("train")
        .args(&args.arguments)
        .status()
        .with_context(|| format!("cannot run {}", program.display()))?;
    // Ended by a signal it has no code.
    Ok(ExitCode::from(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1)))
}
