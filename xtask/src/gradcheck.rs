use crate::{built, native};
use anyhow::Result;
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
    let features =
        if cfg!(feature = "cuda") { "xtask/gradcheck,xtask/cuda" } else { "xtask/gradcheck" };
    let mut build =
        built::cargo(&["build", "--quiet", "--bin", "gradcheck", "--features", features])?;
    let programs = built::executables(build.args(built::AS_FOR_TESTS), &[])?;
    let mut gradcheck = Command::new(&built::named(&programs, "gradcheck")?.path);
    native::pass_on(gradcheck.args(&args.arguments).current_dir(crate::root()?))
}
