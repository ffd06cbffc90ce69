use crate::native;
use anyhow::Result;
use std::ffi::OsString;
use std::process::ExitCode;

/// Run malformed input through every parser; see `cargo xtask fuzz --help`.
#[derive(clap::Args)]
#[command(disable_help_flag = true)]
pub(crate) struct Args {
    /// `--inputs`, `--seed`, `--threads`, `--target`.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<OsString>,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let mut fuzz = native::cargo("run")?;
    fuzz.args(["--release", "--quiet", "--package", "fuzz", "--"]);
    native::pass_on(fuzz.args(&args.arguments))
}
