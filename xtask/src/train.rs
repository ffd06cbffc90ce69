use crate::native;
use anyhow::Result;
use std::ffi::OsString;
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
    let program = native::eventprop()?;
    native::pass_on(Command::new(program).arg("train").args(&args.arguments))
}
