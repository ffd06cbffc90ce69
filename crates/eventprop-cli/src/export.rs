//! `eventprop export`.

use crate::import::{spikes, step};
use crate::out::Stdout;
use crate::source::Source;
use anyhow::{Context, Result, bail};
use eventprop::problem::Problem;
use eventprop::write_atomically;
use eventprop_nir::to_bytes;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Write a network as a NIR file.
///
/// Read back by `import` it is the same to the bit. What NIR has no equal for is refused by the name of
/// the layer or connection; docs/nir.md has the table.
#[derive(clap::Args)]
#[command(allow_negative_numbers = true)]
#[command(after_help = "\
Examples:
  eventprop export runs/latest                     the network of a run
  eventprop export runs/latest --out model.nir
  eventprop export runs/latest --dt 0.1            for a simulator with steps of 0.1 ms
  eventprop export problem.json                    in double precision")]
pub(crate) struct Args {
    /// A run's folder, a checkpoint, a configuration (.toml), a preset or a problem file (.json).
    network: PathBuf,
    /// Where to write [default: NAME.nir, after the run or the file].
    #[arg(long, short, value_name = "FILE.nir")]
    out: Option<PathBuf>,
    /// Write for a simulator whose spikes are the number 1 for a step of this many ms: r = tau_mem / dt,
    /// w_in = tau_syn / dt, weights times dt / tau_mem; without it spikes are Dirac deltas, as in NIR's
    /// equations.
    #[arg(long, value_name = "MS", value_parser = step)]
    dt: Option<f64>,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let (bytes, name) = encoded(args)?;
    let out = args.out.clone().unwrap_or_else(|| format!("{name}.nir").into());
    write_atomically(&out, &bytes).with_context(|| format!("cannot write {}", out.display()))?;
    writeln!(Stdout, "{}", out.display())?;
    Ok(())
}

/// The bytes of the file, and what it is called if nothing else is said.
fn encoded(args: &Args) -> Result<(Vec<u8>, String)> {
    let (path, spikes) = (&args.network, spikes(args.dt));
    let name = path.display().to_string();
    if path.extension().is_some_and(|extension| extension == "json") {
        let json = std::fs::read(path).with_context(|| format!("cannot read {name}"))?;
        let Problem { network, parameters, .. } =
            Problem::parse(&json).with_context(|| name.clone())?;
        let bytes = to_bytes(&network, &parameters, spikes).with_context(|| name)?;
        return Ok((bytes, stem(path)));
    }
    let Source { config, network, parameters } = Source::load(path)?;
    if config.grid.is_some() {
        bail!("{name}: its model is clock-driven (grid); NIR's equations are in continuous time");
    }
    let bytes = to_bytes(&network, &parameters, spikes).with_context(|| name)?;
    Ok((bytes, config.name))
}

fn stem(path: &Path) -> String {
    path.file_stem().map_or("network".into(), |stem| stem.to_string_lossy().into_owned())
}
