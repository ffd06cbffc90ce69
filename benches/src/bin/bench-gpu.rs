//! Puts what was measured on a GPU into `docs/BENCHMARKS.md`.

use anyhow::{Context, Result};
use clap::Parser;
use eventprop_benches::{report, root};
use std::fs;
use std::path::PathBuf;

/// Put the summary of a run of gpu-pack/run.sh into docs/BENCHMARKS.md.
#[derive(Parser)]
struct Cli {
    /// The summary.md that it left.
    summary: PathBuf,
}

fn main() -> Result<()> {
    let summary = Cli::parse().summary;
    let text = fs::read_to_string(&summary)
        .with_context(|| format!("cannot read {}", summary.display()))?;
    let path = root().join("docs/BENCHMARKS.md");
    let old = fs::read_to_string(&path).with_context(|| {
        format!("cannot read {}: run `cargo xtask bench` first", path.display())
    })?;
    fs::write(&path, report::GPU.put(&old, &format!("## GPU\n\n{text}")))
        .with_context(|| format!("cannot write {}", path.display()))?;
    println!("wrote docs/BENCHMARKS.md");
    Ok(())
}
