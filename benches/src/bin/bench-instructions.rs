//! Counts instructions a training sample and compares them with the committed bounds.

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};
use eventprop_benches::instructions::{self, PRESETS};
use eventprop_benches::{machine, root};
use std::path::PathBuf;
use std::process::ExitCode;

/// Count instructions a training sample and compare them with the committed bounds. Exit status 1
/// above a bound.
#[derive(Parser)]
struct Cli {
    /// Write the bounds anew, from what is counted now.
    #[arg(long)]
    accept: bool,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// The run that is counted.
    #[command(hide = true)]
    Pass { preset: String, samples: PathBuf, passes: u32 },
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let result = match cli.command {
        Some(Command::Pass { preset, samples, passes }) => {
            instructions::train(&preset, &samples, passes).map(|()| true)
        }
        None => compare(cli.accept),
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}

/// Whether all counts are within their bounds.
fn compare(accept: bool) -> Result<bool> {
    let program = std::env::current_exe().context("where is this program?")?;
    let path = root().join("benches/instructions.toml");
    let bounds =
        if accept { instructions::Bounds::new() } else { instructions::read_bounds(&path)? };
    let (mut counts, mut within) = (Vec::new(), true);
    for preset in PRESETS {
        let count = instructions::count(&program, preset)?;
        counts.push((preset, count));
        print!("{preset}: {count} instructions a training sample");
        if accept {
            println!();
            continue;
        }
        let bound = bounds.get(preset).with_context(|| format!("no bound for {preset}"))?;
        let change = 100.0 * (count as f64 / bound.measured as f64 - 1.0);
        println!(
            "; bound {}, {change:+.1} % against {} on {}",
            bound.bound, bound.measured, bound.date
        );
        if count > bound.bound {
            eprintln!(
                "broken: {preset} takes more instructions than its bound; make it cheaper, or accept it: \
                 cargo xtask bench --instructions --accept"
            );
            within = false;
        }
    }
    if accept {
        instructions::write_bounds(&path, &counts, &machine::today())?;
        println!("wrote benches/instructions.toml");
    }
    Ok(within)
}
