//! Developer commands: `cargo xtask COMMAND`. Each has a file; the logic is in the crates.

mod gradcheck;

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
    Gradcheck(gradcheck::Args),
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Gradcheck(args) => gradcheck::run(&args),
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::from(2)
    })
}
