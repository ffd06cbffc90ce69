//! Writes `docs/BENCHMARKS.md` from what the benchmarks measured.

use anyhow::{Context, Result};
use clap::Parser;
use eventprop_benches::estimates::Estimates;
use eventprop_benches::{machine, report, root};
use std::fs;
use std::path::PathBuf;

/// Write docs/BENCHMARKS.md from what the benchmarks measured.
#[derive(Parser)]
struct Cli {
    /// The folder where criterion left its results.
    #[arg(long)]
    results: PathBuf,
    /// The benchmarks were run with --quick.
    #[arg(long)]
    quick: bool,
}

fn main() -> Result<()> {
    let Cli { results, quick } = Cli::parse();
    let estimates = Estimates::new(&results);
    let used = [estimates.noted_use(), machine::share_in_use()];
    let path = root().join("docs/BENCHMARKS.md");
    let old = fs::read_to_string(&path).unwrap_or_default();
    let new = report::write(&estimates, quick, used, &old)?;
    let folder = path.parent().context("the report is in a folder")?;
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    fs::write(&path, new).with_context(|| format!("cannot write {}", path.display()))?;
    println!("wrote docs/BENCHMARKS.md");
    Ok(())
}
