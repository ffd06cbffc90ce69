//! The program behind `cargo xtask gradcheck`. It needs every engine; the other commands do not, and
//! are compiled without.

use clap::Parser;
use conformance::gradcheck::{Options, run as check};
use conformance::{Build, Candidate};
use eventprop::backend::{self, BoxedEngine, Precision};
use eventprop::lif_core::Network;
use eventprop::lif_core::engine::EngineError;
use eventprop_cpu::{CpuOptions, Precision as _};
use std::process::ExitCode;

type Made<T> = Result<BoxedEngine<T>, EngineError>;

/// Compare gradients on random networks: the reference engine with finite differences, and engines
/// with the reference.
///
/// For each kind of network and loss: the networks drawn, those discarded because a spike appears or
/// vanishes under the smallest perturbation, and the worst relative error by weights, delays, input
/// spike times and all other constants. Exit status 1 if a bound is broken.
#[derive(Parser)]
#[command(name = "cargo xtask gradcheck", bin_name = "cargo xtask gradcheck")]
struct Args {
    /// Selects the networks that are drawn.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Networks of each kind and loss.
    #[arg(long, default_value_t = 3)]
    cases: u64,
    /// Engines to compare with the reference; all that are built if none is given.
    #[arg(long, value_parser = backend::NAMES)]
    backend: Vec<String>,
}

fn main() -> ExitCode {
    run(&Args::parse()).unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::from(2)
    })
}

fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let double = builders::<f64>();
    let single = builders::<f32>();
    // The backend picks the path for dense layers only where the neurons' constants have no gradient,
    // so here it stands beside it.
    let dense_double = |network: &Network, training| -> Made<f64> {
        f64::dense_engine(network, training, CpuOptions::default())
    };
    let dense_single = |network: &Network, training| -> Made<f32> {
        f32::dense_engine(network, training, CpuOptions::default())
    };
    let mut candidates = Vec::new();
    for (position, name) in backend::NAMES.iter().enumerate().skip(1) {
        let asked = args.backend.iter().any(|asked| asked == name);
        if asked || (args.backend.is_empty() && backend::is_built(name)) {
            anyhow::ensure!(backend::is_built(name), backend::not_built(name));
            candidates.push(Candidate::new(format!("{name} f64"), double[position].as_ref()));
            candidates.push(Candidate::new(format!("{name} f32"), single[position].as_ref()));
        }
    }
    if args.backend.is_empty() || args.backend.iter().any(|asked| asked == "cpu") {
        candidates.push(Candidate::new("cpu dense f64", &dense_double));
        candidates.push(Candidate::new("cpu dense f32", &dense_single));
    }
    let table = check(Options { seed: args.seed, cases: args.cases }, &candidates)?;
    print!("{table}");
    let mut status = ExitCode::SUCCESS;
    for broken in table.broken() {
        eprintln!("broken: {broken}");
        status = ExitCode::FAILURE;
    }
    Ok(status)
}

/// How to make each engine of [`backend::NAMES`].
fn builders<T: Precision>() -> Vec<Box<Build<'static, T>>> {
    let builder = |name: &'static str| -> Box<Build<'static, T>> {
        Box::new(move |network, training| backend::create(name, network, training, None))
    };
    backend::NAMES.into_iter().map(builder).collect()
}
