//! Developer commands: `cargo xtask COMMAND`. Each has a file; the logic is in the crates.

mod bench;
mod ci;
mod compare;
mod gradcheck;
mod native;
mod train;

use clap::{Parser, Subcommand};
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
    Compare(compare::Args),
    Gradcheck(gradcheck::Args),
    Train(train::Args),
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Bench(args) => bench::run(&args),
        Command::Ci(args) => ci::run(&args),
        Command::Compare(args) => compare::run(&args),
        Command::Gradcheck(args) => gradcheck::run(&args),
        Command::Train(args) => train::run(&args),
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::from(2)
    })
}
