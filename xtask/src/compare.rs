use crate::native;
use anyhow::Result;
use std::ffi::OsString;
use std::process::ExitCode;

/// Run other libraries beside this engine on the same machine and data, and print the ratios.
///
/// All arguments go to `bench-compare`; see `cargo xtask compare --help`.
#[derive(clap::Args)]
#[command(disable_help_flag = true)]
pub(crate) struct Args {
    /// Arguments of `bench-compare`.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<OsString>,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let mut compare = native::cargo("run")?;
    compare.args(["--release", "--quiet", "--package", "eventprop-benches"]);
    native::pass_on(compare.args(["--bin", "bench-compare", "--"]).args(&args.arguments))
}
