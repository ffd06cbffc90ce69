//! Developer commands: `cargo xtask COMMAND`. Each has a file; the logic is in the crates.

mod bench;
mod ci;
mod compare;
mod cuda_check;
mod cuda_emulate;
mod gpu_pack;
mod gradcheck;
mod native;
mod results;
mod train;

use anyhow::Context;
use clap::{Parser, Subcommand};
use std::path::Path;
use std::process::ExitCode;

/// Developer commands of eventprop.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Bench(bench::Args),
    Ci(ci::Args),
    CudaCheck(cuda_check::Args),
    CudaEmulate(cuda_emulate::Args),
    GpuPack(gpu_pack::Args),
    Compare(compare::Args),
    Gradcheck(gradcheck::Args),
    Results(results::Args),
    Train(train::Args),
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Bench(args) => bench::run(&args),
        Command::Ci(args) => ci::run(&args),
        Command::CudaCheck(args) => cuda_check::run(&args),
        Command::CudaEmulate(args) => cuda_emulate::run(&args),
        Command::GpuPack(args) => gpu_pack::run(&args),
        Command::Compare(args) => compare::run(&args),
        Command::Gradcheck(args) => gradcheck::run(&args),
        Command::Results(args) => results::run(&args),
        Command::Train(args) => train::run(&args),
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::from(2)
    })
}

/// The folder of the workspace.
fn root() -> anyhow::Result<&'static Path> {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("xtask has no parent")
}
