use crate::backend::{self, BoxedEngine};
use crate::config::Config;
use lif_core::Network;
use lif_core::engine::{EngineError, Training};
use lif_core::grid::GridSpec;

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
    match config.grid {
        Some(grid) => clock_driven(network, grid, training, &settings.backend, settings.threads),
        None => {
            let threads = Some(settings.threads).filter(|&threads| threads > 0);
            backend::create(&settings.backend, network, training, threads)
        }
    }
}

#[cfg(feature = "cpu")]
fn clock_driven(
    network: &Network,
    grid: GridSpec,
    training: Training<f32>,
    backend: &str,
    threads: usize,
) -> Result<BoxedEngine<f32>, EngineError> {
    if backend != "cpu" {
        return refuse_clock_driven(backend);
    }
    Ok(Box::new(eventprop_cpu::GridEngine::new(network, grid, training, threads)?))
}

#[cfg(not(feature = "cpu"))]
fn clock_driven(
    _: &Network,
    _: GridSpec,
    _: Training<f32>,
    backend: &str,
    _: usize,
) -> Result<BoxedEngine<f32>, EngineError> {
    refuse_clock_driven(backend)
}

fn refuse_clock_driven(backend: &str) -> Result<BoxedEngine<f32>, EngineError> {
    let engine = backend::NAMES.into_iter().find(|name| *name == backend).unwrap_or("cpu");
    let capability = String::from("the clock-driven model ([grid]), which needs backend cpu, is");
    Err(EngineError::Unsupported { engine, capability })
}
