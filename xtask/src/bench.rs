use crate::native::{self, pass_on, succeed};
use crate::root;
use anyhow::Result;
use std::process::{Command, ExitCode};

/// Run the benchmarks in a build for this machine and write docs/BENCHMARKS.md; or count
/// instructions.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Few samples each: figures to look at, not to keep.
    #[arg(long)]
    quick: bool,
    /// Count instructions a training sample with valgrind, in a build for x86-64-v3, instead. Exit
    /// status 1 above the bounds in benches/instructions.toml.
    #[arg(long, conflicts_with = "quick")]
    instructions: bool,
    /// Write those bounds anew.
    #[arg(long, requires = "instructions")]
    accept: bool,
}

const PACKAGE: [&str; 2] = ["--package", "eventprop-benches"];

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    if args.instructions {
        return instructions(args.accept);
    }
    let results = root()?.join("target").join("benchmarks");
    // What an earlier run left must not pass for this one's.
    if results.exists() {
        std::fs::remove_dir_all(&results)?;
    }
    let quick = args.quick.then_some("--quick");
    let mut benchmarks = native::cargo("bench")?;
    benchmarks.args(PACKAGE).args(["--bench", "engines", "--"]).args(quick);
    succeed(benchmarks.env("CRITERION_HOME", &results), "the benchmarks")?;
    let mut report = native::cargo("run")?;
    report.args(["--release", "--quiet"]).args(PACKAGE).args(["--bin", "bench-report", "--"]);
    pass_on(report.arg("--results").arg(results).args(quick))
}

fn instructions(accept: bool) -> Result<ExitCode> {
    // The flags of .cargo/config.toml, not those of the environment: counts are of x86-64-v3.
    let mut count = Command::new(env!("CARGO"));
    count.env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS").current_dir(root()?);
    count.args(["run", "--release", "--quiet"]).args(PACKAGE).args(["--bin", "bench-instructions"]);
    pass_on(count.arg("--").args(accept.then_some("--accept")))
}
