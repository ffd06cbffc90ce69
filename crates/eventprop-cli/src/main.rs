//! The `eventprop` command.

#[cfg(feature = "fetch")]
mod data;
mod eval;
#[cfg(feature = "nir")]
mod export;
mod generate;
mod grad;
#[cfg(feature = "nir")]
mod import;
mod info;
mod interrupt;
mod live;
mod machine;
mod numbers;
mod out;
mod plot;
mod progress;
mod source;
mod train;
mod watch;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser, Subcommand};
use out::Stdout;
use std::io::{self, Write};
use std::process::ExitCode;

/// Spiking neural networks trained with exact EventProp gradients.
#[derive(Parser)]
#[command(name = "eventprop", version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Train(Box<train::Args>),
    Eval(eval::Args),
    Grad(grad::Args),
    Plot(plot::Args),
    Watch(watch::Args),
    #[cfg(feature = "nir")]
    Import(import::Args),
    #[cfg(feature = "nir")]
    Export(export::Args),
    Info(info::Args),
    #[cfg(feature = "fetch")]
    Data(data::Args),
    Completions(generate::Completions),
    Man(generate::Man),
}

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return not_understood(&error),
    };
    let result = match cli.command {
        Command::Train(args) => train::run(*args),
        Command::Eval(args) => eval::run(args).map(|()| ExitCode::SUCCESS),
        Command::Grad(args) => grad::run(&args).map(|()| ExitCode::SUCCESS),
        Command::Plot(args) => plot::run(args).map(|()| ExitCode::SUCCESS),
        Command::Watch(args) => watch::run(&args).map(|()| ExitCode::SUCCESS),
        #[cfg(feature = "nir")]
        Command::Import(args) => import::run(&args).map(|()| ExitCode::SUCCESS),
        #[cfg(feature = "nir")]
        Command::Export(args) => export::run(&args).map(|()| ExitCode::SUCCESS),
        Command::Info(args) => info::run(args).map(|()| ExitCode::SUCCESS),
        #[cfg(feature = "fetch")]
        Command::Data(args) => data::run(&args).map(|()| ExitCode::SUCCESS),
        Command::Completions(args) => generate::completions(&args).map(|()| ExitCode::SUCCESS),
        Command::Man(args) => generate::man(&args).map(|()| ExitCode::SUCCESS),
    };
    // What is not a whole line is not written yet.
    match result.and_then(|code| Ok(Stdout.flush().map(|()| code)?)) {
        Ok(code) => code,
        // Whoever read the output has seen enough.
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {}", one_line(&error));
            ExitCode::from(2)
        }
    }
}

/// Prints help where it was asked for, and what is wrong with the arguments as one line.
fn not_understood(error: &clap::Error) -> ExitCode {
    use ErrorKind::{DisplayHelp, DisplayHelpOnMissingArgumentOrSubcommand, DisplayVersion};
    if matches!(
        error.kind(),
        DisplayHelp | DisplayVersion | DisplayHelpOnMissingArgumentOrSubcommand
    ) {
        // Whoever does not read on has seen enough.
        let _ = error.print();
        return ExitCode::from(error.exit_code() as u8);
    }
    let text = error.render().to_string();
    let mut parts: Vec<_> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let words: Vec<_> = std::env::args().collect();
    let known = Cli::command();
    let command = words.get(1).filter(|word| known.find_subcommand(word).is_some());
    let command = command.map_or(String::new(), |name| format!("{name} "));
    parts.retain(|line| !line.starts_with("Usage:") && !line.starts_with("For more information"));
    eprintln!("{}; see eventprop {command}--help", parts.join("; ").replace(":; ", ": "));
    ExitCode::from(2)
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let mut causes = error.chain().filter_map(|cause| cause.downcast_ref::<io::Error>());
    causes.any(|cause| cause.kind() == io::ErrorKind::BrokenPipe)
}

/// The error and its causes, but for those that it repeats itself.
fn one_line(error: &anyhow::Error) -> String {
    eventprop::one_line(error.as_ref())
}
