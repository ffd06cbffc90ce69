//! The `eventprop` command.

mod grad;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// Spiking neural networks trained with exact EventProp gradients.
#[derive(Parser)]
#[command(name = "eventprop", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Grad(grad::Args),
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Grad(args) => grad::run(&args),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}
