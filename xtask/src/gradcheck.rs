use crate::root;
use anyhow::{Context, Result};
use std::ffi::OsString;
use std::process::{Command, ExitCode};

/// Compare gradients on random networks: the reference engine with finite differences, and engines
/// with the reference; see `cargo xtask gradcheck --help`.
#[derive(clap::Args)]
#[command(disable_help_flag = true)]
pub(crate) struct Args {
    /// `--seed`, `--cases`, `--backend`.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<OsString>,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let mut command = Command::new(env!("CARGO"));
    command.args(["run", "--quiet", "--package", "xtask", "--bin", "gradcheck"]);
    let features = if cfg!(feature = "cuda") { "gradcheck,cuda" } else { "gradcheck" };
    command.args(["--features", features, "--"]).args(&args.arguments).current_dir(root()?);
    let status = command.status().context("cannot run cargo")?;
    // Ended by a signal it has no code.
    Ok(ExitCode::from(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1)))
}
