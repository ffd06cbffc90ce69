//! `eventprop eval`.

use crate::machine;
use crate::out::Stdout;
use crate::source;
use anyhow::{Result, anyhow};
use eventprop::{Checkpoint, Evaluation, Samples, backend, engine_for, evaluate};
use std::io::{self, Write};
use std::path::PathBuf;

/// Measure a trained network.
///
/// Prints accuracy, loss, spikes a sample and the confusion matrix, on the test set of the run unless
/// other images are given.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  eventprop eval runs/latest
  eventprop eval runs/latest/checkpoint.safetensors --data-folder fashion
  eventprop eval runs/latest --images t10k-images-idx3-ubyte --labels t10k-labels-idx1-ubyte.gz")]
pub(crate) struct Args {
    /// A checkpoint, or the folder of a run.
    checkpoint: PathBuf,
    /// A folder of IDX files: its test set is measured.
    #[arg(long, value_name = "DIR", visible_alias = "data_folder", conflicts_with = "images")]
    data_folder: Option<PathBuf>,
    /// An IDX file of images, plain or .gz.
    #[arg(long, value_name = "FILE", requires = "labels")]
    images: Option<PathBuf>,
    /// The IDX file of their labels.
    #[arg(long, value_name = "FILE", requires = "images")]
    labels: Option<PathBuf>,
    /// What computes [default: what the network was trained on].
    #[arg(long, value_parser = backend::NAMES)]
    backend: Option<String>,
    /// Threads; 0 for as many as are quickest, up to one a core.
    #[arg(long, value_name = "N", default_value_t = 0)]
    threads: usize,
    /// Print one line of JSON.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: Args) -> Result<()> {
    let path = match args.checkpoint.is_dir() {
        true => args.checkpoint.join("checkpoint.safetensors"),
        false => args.checkpoint,
    };
    let Checkpoint { mut config, network, parameters, .. } = source::checkpoint(&path)?;
    config.training.threads = args.threads;
    if let Some(backend) = args.backend {
        config.training.backend = backend;
    }
    if args.data_folder.is_some() {
        config.data.folder = args.data_folder;
    }
    config.check()?;
    let samples = match (&args.images, &args.labels) {
        (Some(images), Some(labels)) => Samples::load_pair(&config.data, images, labels)?,
        _ => source::loaded(Samples::load_test(&config.data), &config)?,
    };
    samples.check(&network).map_err(|error| anyhow!("{}: {error}", path.display()))?;
    if let (_, Some(warning)) = machine::instruction_sets() {
        eprintln!("warning: {warning}");
    }
    let mut engine = engine_for(&network, &config)?;
    engine.load(&parameters)?;
    let evaluation = evaluate(engine.as_mut(), &config.loss, &samples)?;
    print(&evaluation, args.json)?;
    Ok(())
}

fn print(evaluation: &Evaluation, json: bool) -> io::Result<()> {
    let mut out = Stdout;
    if json {
        return writeln!(out, "{}", evaluation.to_json());
    }
    let Evaluation { samples, score, layers, confusion } = evaluation;
    writeln!(out, "samples   {samples}")?;
    writeln!(out, "accuracy  {:.2} %", 100.0 * score.accuracy)?;
    writeln!(out, "loss      {:.6}", score.loss)?;
    for layer in layers {
        let (name, spikes, silent) = (&layer.layer, layer.spikes_per_sample, layer.silent);
        writeln!(out, "spikes    {name}: {spikes:.2} a sample, {silent} neurons silent")?;
    }
    writeln!(out, "confusion (rows: label, columns: prediction, last: none)")?;
    let widest = confusion.iter().flatten().max().map_or(1, |count| count.to_string().len());
    let width = widest.max(confusion.len().to_string().len()) + 1;
    let header = (0..confusion.len()).map(|class| format!("{class:>width$}")).collect::<String>();
    writeln!(out, "{:>width$} {header}{:>width$}", "", "-")?;
    for (label, row) in confusion.iter().enumerate() {
        let counts = row.iter().map(|count| format!("{count:>width$}")).collect::<String>();
        writeln!(out, "{label:>width$}:{counts}")?;
    }
    Ok(())
}
