use crate::native::{self, pass_on, succeed};
use crate::{built, root};
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
    // Of the Python package nothing is built: with it, what both depend on is compiled as for its wheel, and once.
    let mut build =
        built::cargo(&["build", "--release", "--quiet", "--bin", "bench-instructions"])?;
    build.args(PACKAGE).args(["--package", "eventprop-python", "--no-default-features"]);
    // The flags of .cargo/config.toml, not those of the environment: counts are of x86-64-v3.
    build.env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS");
    let programs = built::executables(&mut build, &[])?;
    let mut count = Command::new(&built::named(&programs, "bench-instructions")?.path);
    pass_on(count.args(accept.then_some("--accept")).current_dir(root()?))
}
