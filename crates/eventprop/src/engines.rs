use crate::backend::{self, BoxedEngine};
use crate::config::Config;
use lif_core::engine::{EngineError, Training};
use lif_core::{DescriptionError, Network};
use std::thread::available_parallelism;

/// As many threads as any machine may be given; beyond it [`PER_CORE`] a core.
const ALWAYS: usize = 64;

/// Threads wait for each other spinning: where many share a core, all is waiting.
const PER_CORE: usize = 4;

/// The engine that `config` asks for, computing `network`, with all weights 0.
///
/// `network` is that of `config`, or one that fits its loss and rate targets.
///
/// # Errors
/// If this build or machine has no such engine, or the engine cannot compute the network.
pub fn engine_for(network: &Network, config: &Config) -> Result<BoxedEngine<f32>, EngineError> {
    let training = config.training.for_engine(config.loss, network)?;
    engine_with(network, config, training)
}

/// [`engine_for`] with another `training` than that of `config`: one with gradients by input spike
/// times, say.
///
/// # Errors
/// Those of [`engine_for`].
pub fn engine_with(
    network: &Network,
    config: &Config,
    training: Training<f32>,
) -> Result<BoxedEngine<f32>, EngineError> {
    let settings = &config.training;
    let threads = engine_threads("training.threads", settings.threads)?;
    match config.grid {
        Some(grid) => backend::create_on_grid(&settings.backend, network, grid, training, threads),
        None => backend::create(&settings.backend, network, training, threads),
    }
}

/// The number of threads of an engine, `None` for 0: as many as are quickest.
///
/// Not a check of the configuration, which must stay readable on a smaller machine.
///
/// # Errors
/// If they are many more than this machine has cores; `path` is what the number is called.
pub fn engine_threads(path: &str, threads: usize) -> Result<Option<usize>, DescriptionError> {
    let cores = available_parallelism().map_or(1, usize::from);
    let most = ALWAYS.max(PER_CORE * cores);
    if threads <= most {
        return Ok(Some(threads).filter(|&threads| threads > 0));
    }
    let reason =
        format!("at most {most} on {cores} cores, got {threads}; 0 for as many as are quickest");
    Err(DescriptionError::new(path, reason))
}
