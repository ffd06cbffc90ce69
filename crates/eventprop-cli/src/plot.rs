//! `eventprop plot`.

mod curves;
mod on_grid;
mod one_sample;
mod raster;
mod simulator;
mod trace;
mod weights;

pub(crate) use curves::{history, is_run};

use crate::out::Stdout;
use crate::source::{self, Source};
use anyhow::{Context, Result};
use clap::Subcommand;
use eventprop::{Samples, engine_for, evaluate, plot, write_atomically};
use std::io::Write;
use std::path::{Path, PathBuf};

/// Draw a run, a network or what happens in it, as SVG.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  eventprop plot curves runs/latest                           loss, accuracy, spikes a sample
  eventprop plot curves runs/*-mnist-1 runs/*-mnist-2         several runs overlaid
  eventprop plot confusion runs/latest                        what is taken for what
  eventprop plot raster runs/latest --sample 3                the spikes of a test sample
  eventprop plot trace runs/latest --neurons hidden:0,output:7   V, I and the adjoint variables
  eventprop plot trace mnist                                  the same of an untrained preset
  eventprop plot weights runs/latest --out fields.svg         receptive fields")]
pub(crate) struct Args {
    #[command(subcommand)]
    picture: Picture,
}

#[derive(Subcommand)]
enum Picture {
    Curves(curves::Args),
    Confusion(ConfusionArgs),
    Raster(raster::Args),
    Trace(trace::Args),
    Weights(weights::Args),
}

/// Count what the network takes for what on its test set.
#[derive(clap::Args)]
struct ConfusionArgs {
    /// A run's folder, a checkpoint, a configuration (.toml, .json) or a preset.
    network: PathBuf,
    #[command(flatten)]
    data: DataFolder,
    #[command(flatten)]
    out: Out,
}

/// Where the samples are.
#[derive(clap::Args)]
struct DataFolder {
    /// The folder of the data, in place of where they were in training.
    #[arg(long, value_name = "DIR", visible_alias = "data_folder")]
    data_folder: Option<PathBuf>,
}

/// Where the picture goes.
#[derive(clap::Args)]
struct Out {
    /// The file to write; "-" for standard output [default: the picture's name with .svg].
    #[arg(long, short, value_name = "FILE")]
    out: Option<PathBuf>,
}

impl Out {
    fn write(&self, name: &str, svg: &str) -> Result<()> {
        let path = self.out.clone().unwrap_or_else(|| format!("{name}.svg").into());
        if path == Path::new("-") {
            return Ok(Stdout.write_all(svg.as_bytes())?);
        }
        write_atomically(&path, svg.as_bytes())
            .with_context(|| format!("cannot write {}", path.display()))?;
        Ok(writeln!(Stdout, "{}", path.display())?)
    }
}

pub(crate) fn run(args: Args) -> Result<()> {
    match args.picture {
        Picture::Curves(args) => curves::run(&args),
        Picture::Confusion(args) => confusion(&args),
        Picture::Raster(args) => raster::run(&args),
        Picture::Trace(args) => trace::run(&args),
        Picture::Weights(args) => weights::run(&args),
    }
}

fn confusion(args: &ConfusionArgs) -> Result<()> {
    let source = Source::load(&args.network)?.with_data(args.data.data_folder.as_deref())?;
    let Source { config, network, parameters } = source;
    let samples = source::loaded(Samples::load_test(&config.data), &config)?;
    samples.check(&network)?;
    let mut engine = engine_for(&network, &config)?;
    engine.load(&parameters)?;
    let evaluation = evaluate(engine.as_mut(), &config.loss, &samples)?;
    args.out.write("confusion", &plot::confusion(&evaluation.confusion)?)
}
