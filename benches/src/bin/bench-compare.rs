//! Runs other libraries beside this engine.

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};
use eventprop_benches::compare::{self, Environment};
use eventprop_benches::{report, root};
use std::fs;
use std::path::PathBuf;

/// Train with other libraries and with this engine, one after the other on the same machine and data,
/// and print samples a second, memory and ratios. Needs Python 3 and its package index.
#[derive(Parser)]
#[command(bin_name = "cargo xtask compare")]
struct Cli {
    /// The Python that makes the virtual environment, under target/compare.
    #[arg(long, default_value = "python3")]
    python: PathBuf,
    /// Take PyTorch and NumPy as they are installed for that Python (such as Debian's python3-torch, on
    /// /usr/bin/python3) in place of the pinned versions.
    #[arg(long)]
    system_torch: bool,
    /// Seconds that each program trains.
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
    /// Put the result into docs/BENCHMARKS.md.
    #[arg(long)]
    write: bool,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// This engine's part.
    #[command(hide = true)]
    Ours { preset: String, threads: usize, seconds: f64 },
}

fn main() -> Result<()> {
    let cli = Cli::parse();
    if let Some(Command::Ours { preset, threads, seconds }) = cli.command {
        println!("{}", serde_json::to_string(&compare::measure_ours(&preset, threads, seconds)?)?);
        return Ok(());
    }
    let program = std::env::current_exe().context("where is this program?")?;
    let environment = Environment::prepare(&cli.python, cli.system_torch)?;
    let section = compare::run(&environment, &program, cli.seconds)?;
    println!("{section}");
    if cli.write {
        let path = root().join("docs/BENCHMARKS.md");
        let old = fs::read_to_string(&path).with_context(|| {
            format!("cannot read {}: run `cargo xtask bench` first", path.display())
        })?;
        fs::write(&path, report::COMPARISON.put(&old, &section))
            .with_context(|| format!("cannot write {}", path.display()))?;
        println!("wrote docs/BENCHMARKS.md");
    }
    Ok(())
}
