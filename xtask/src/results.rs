use crate::native;
use anyhow::Result;
use std::ffi::OsString;
use std::process::ExitCode;

/// Train presets with several seeds and write what they reach to docs/RESULTS.md.
///
/// All arguments go to the program `results`; see `cargo xtask results --help`.
#[derive(clap::Args)]
#[command(disable_help_flag = true)]
pub(crate) struct Args {
    /// `PRESET..`, `--seeds`, `--threads`, `--report-only`.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<OsString>,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let mut results = native::cargo("run")?;
    results.args(["--release", "--quiet", "--package", "eventprop-benches"]);
    native::pass_on(results.args(["--bin", "results", "--"]).args(&args.arguments))
}
