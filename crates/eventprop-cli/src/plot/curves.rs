use super::Out;
use anyhow::{Context, Result, ensure};
use eventprop::EpochRecord;
use eventprop::plot::{self, Curve};
use std::path::{Path, PathBuf};

/// Draw loss, accuracy and spikes a sample of one or several runs over their epochs.
#[derive(clap::Args)]
pub(super) struct Args {
    /// Folders of runs.
    #[arg(required = true)]
    runs: Vec<PathBuf>,
    #[command(flatten)]
    out: Out,
}

pub(super) fn run(args: &Args) -> Result<()> {
    let runs = args.runs.iter().map(|run| Ok((name(run), history(run)?)));
    let runs = runs.collect::<Result<Vec<_>>>()?;
    let curves: Vec<_> = runs.iter().map(|(name, history)| Curve { name, history }).collect();
    args.out.write("curves", &plot::curves(&curves)?)
}

/// The epochs of a run, from its metrics.
pub(crate) fn history(run: &Path) -> Result<Vec<EpochRecord>> {
    ensure!(is_run(run), "{} is not the folder of a run", run.display());
    let path = run.join("metrics.jsonl");
    let text = std::fs::read_to_string(&path)
        .with_context(|| format!("cannot read {}", path.display()))?;
    let records = text.lines().enumerate().map(|(line, record)| {
        serde_json::from_str(record).with_context(|| format!("{}:{}", path.display(), line + 1))
    });
    records.collect()
}

/// Whether a training was begun in this folder.
pub(crate) fn is_run(folder: &Path) -> bool {
    folder.join("config.toml").is_file()
}

/// The folder's own name, also where a link leads to it.
fn name(run: &Path) -> String {
    let real = std::fs::canonicalize(run).unwrap_or_else(|_| run.to_path_buf());
    real.file_name().unwrap_or(run.as_os_str()).to_string_lossy().into_owned()
}
