//! Trains presets with several seeds and writes `docs/RESULTS.md`.

use anyhow::{Context, Result};
use clap::Parser;
use eventprop_benches::results::{Goals, report, train};
use eventprop_benches::root;
use std::fs;

/// Train presets with several seeds and write what they reach to docs/RESULTS.md.
///
/// Trainings that are finished are kept, those that were cut off go on. Rows of presets that are not
/// named stay as they are.
#[derive(Parser)]
#[command(name = "cargo xtask results")]
struct Cli {
    /// Presets to train; all of benches/results.toml where none is named.
    presets: Vec<String>,
    /// Seeds: 0 to N - 1.
    #[arg(long, value_name = "N", default_value_t = 3)]
    seeds: u64,
    /// Threads; 0 for all cores. Changes no bit of the result.
    #[arg(long, value_name = "N", default_value_t = 0)]
    threads: usize,
    /// Train nothing: write the report of what is there.
    #[arg(long)]
    report_only: bool,
}

fn main() -> Result<()> {
    let Cli { presets, seeds, threads, report_only } = Cli::parse();
    let goals = Goals::read()?;
    let (work, results) = (root().join("target/results"), root().join("docs/results"));
    let write = || -> Result<()> {
        let path = root().join("docs/RESULTS.md");
        fs::write(&path, report(&goals, &results)?)
            .with_context(|| format!("cannot write {}", path.display()))
    };
    let chosen = goals.chosen(&presets)?;
    // Every preset has a first seed before any has a second.
    for seed in 0..if report_only { 0 } else { seeds } {
        for goal in &chosen {
            train(&goal.name, (seed, threads), (&work, &results), |record, epochs| {
                eprintln!(
                    "{} seed {seed}: epoch {}/{epochs}, train {:.2} %, test {:.2} %, {:.0} s",
                    goal.name,
                    record.epoch,
                    100.0 * record.train_accuracy,
                    100.0 * record.test.accuracy,
                    record.seconds
                );
            })?;
            write()?;
        }
    }
    write()?;
    println!("wrote docs/RESULTS.md");
    Ok(())
}
