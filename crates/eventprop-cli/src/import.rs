//! `eventprop import`.

use crate::out::Stdout;
use crate::{numbers, source};
use anyhow::{Context, Result, bail, ensure};
use eventprop::config::NetworkConfig;
use eventprop::lif_core::engine::OptimiserState;
use eventprop::lif_core::{Network, Parameters};
use eventprop::problem::{Problem, Sample};
use eventprop::{Checkpoint, Config, Progress, Samples, write_atomically};
use eventprop_nir::{ImportOptions, Imported, Spikes, from_bytes};
use std::io::Write;
use std::path::{Path, PathBuf};

/// Read a network from a NIR file.
///
/// Writes a checkpoint: `eval` measures it, `train --resume` goes on with its weights, `plot` draws it.
/// Data, loss and training are those of a preset or a configuration. What NIR has and this program
/// has not is refused by the node's name; docs/nir.md has the table.
#[derive(clap::Args)]
#[command(allow_negative_numbers = true)]
#[command(after_help = "\
Examples:
  eventprop import model.nir                                  model.safetensors, with the preset mnist
  eventprop import model.nir --duration 30 --config my.toml   what NIR does not say
  eventprop import snntorch.nir --duration 30 --dt 0.1        of a simulator with steps of 0.1 ms
  eventprop import model.nir --out problem.json --samples 5   in double precision, for eventprop grad")]
pub(crate) struct Args {
    /// The NIR file.
    #[arg(value_name = "FILE.nir")]
    file: PathBuf,
    /// Where to write: a checkpoint (.safetensors) or a problem file (.json)
    /// [default: FILE.safetensors].
    #[arg(long, short, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Simulated time in ms [default: what an exported file has in its metadata].
    #[arg(long, value_name = "MS")]
    duration: Option<f64>,
    /// The file is of a simulator whose spikes are the number 1 for a step of this many ms; without it
    /// spikes are Dirac deltas, as in NIR's equations.
    #[arg(long, value_name = "MS", value_parser = step)]
    dt: Option<f64>,
    /// How many samples of the test set a problem file is given.
    #[arg(long, value_name = "N", requires = "out", value_parser = numbers::from_one)]
    samples: Option<usize>,
    /// The preset that data, loss and training are taken from.
    #[arg(long, value_name = "NAME", default_value = "mnist", conflicts_with = "config")]
    preset: String,
    /// The configuration file that data, loss and training are taken from.
    #[arg(long, value_name = "CONFIG.toml")]
    config: Option<PathBuf>,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let name = args.file.display().to_string();
    let bytes = std::fs::read(&args.file).with_context(|| format!("cannot read {name}"))?;
    let options = ImportOptions { duration: args.duration, spikes: spikes(args.dt) };
    let imported = from_bytes(bytes, options).with_context(|| name.clone())?;
    let out = args.out.clone().unwrap_or_else(|| args.file.with_extension("safetensors"));
    let sizes: Vec<_> =
        imported.network.layers().iter().map(|layer| layer.size.to_string()).collect();
    let notes = imported.notes.clone();
    let base = base(args)?;
    let bytes = match out.extension() {
        Some(extension) if extension == "json" => {
            problem(imported, &base, args.samples)?.to_json().into_bytes()
        }
        _ if args.samples.is_some() => bail!("--samples is for a problem file: --out FILE.json"),
        _ => checkpoint(imported, base, &args.file)?.to_bytes(),
    };
    write_atomically(&out, &bytes).with_context(|| format!("cannot write {}", out.display()))?;
    for note in notes {
        eprintln!("note: {note}");
    }
    writeln!(Stdout, "{}: {}", out.display(), sizes.join("-"))?;
    Ok(())
}

/// How long a step is.
pub(crate) fn step(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(dt) if dt.is_finite() && dt > 0.0 => Ok(dt),
        _ => Err("a step is a positive number of ms".into()),
    }
}

pub(crate) fn spikes(dt: Option<f64>) -> Spikes {
    dt.map_or(Spikes::Delta, |dt| Spikes::Step { dt })
}

fn base(args: &Args) -> Result<Config> {
    let Some(path) = &args.config else { return Ok(Config::preset(&args.preset)?) };
    let name = path.display().to_string();
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {name}"))?;
    Ok(Config::parse(&text, &name)?)
}

fn checkpoint(imported: Imported, base: Config, file: &Path) -> Result<Checkpoint> {
    if base.grid.is_some() {
        bail!("\"{}\" is clock-driven: take data, loss and training from another", base.name);
    }
    let network = NetworkConfig::of(&imported.network);
    let mut config = Config { network, ..base };
    config.training.fit(&imported.network);
    if let Some(stem) = file.file_stem().and_then(|stem| stem.to_str()) {
        let named = Config { name: stem.into(), ..config.clone() };
        // What is no name of a run leaves the base's.
        if named.check().is_ok() {
            config = named;
        }
    }
    config
        .check()
        .context("the network does not fit the configuration (see --preset, --config)")?;
    let parameters = imported.parameters.cast::<f32>();
    check_finite(&parameters)?;
    Ok(fresh(config, imported.network, parameters))
}

/// A training that has not begun, but for its weights.
fn fresh(config: Config, network: Network, parameters: Parameters<f32>) -> Checkpoint {
    let zeros = Parameters::zeros(&network);
    Checkpoint {
        config,
        network,
        parameters,
        optimiser: OptimiserState { steps: 0, first: zeros.clone(), second: zeros },
        progress: Progress::default(),
    }
}

fn check_finite(parameters: &Parameters<f32>) -> Result<()> {
    let mut finite = true;
    parameters.for_each(|_, values| finite &= values.iter().all(|value| value.is_finite()));
    ensure!(finite, "it holds values too large for single precision: write a problem file (.json)");
    Ok(())
}

/// The network with the configuration's loss and samples; without these one that has no spikes, to be
/// filled in.
fn problem(imported: Imported, base: &Config, samples: Option<usize>) -> Result<Problem> {
    let Imported { network, parameters, .. } = imported;
    let samples = match samples {
        None => vec![Sample { spikes: Vec::new(), label: 0 }],
        Some(count) => {
            let data = source::loaded(Samples::load_test(&base.data), base)?;
            data.check(&network)?;
            ensure!(count <= data.len(), "--samples {count}: the test set has {}", data.len());
            (0..count).map(|sample| sample_of(&data, sample)).collect()
        }
    };
    Ok(Problem { network, parameters, samples, loss: base.loss })
}

fn sample_of(data: &Samples, sample: usize) -> Sample {
    let spikes = data.spikes(sample).iter().map(|(time, input)| (f64::from(time), input));
    Sample { spikes: spikes.collect(), label: data.label(sample) }
}
