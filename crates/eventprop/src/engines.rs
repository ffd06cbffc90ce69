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

fn clock_driven(
    network: &Network,
    grid: GridSpec,
    training: Training<f32>,
    backend: &str,
    threads: usize,
) -> Result<BoxedEngine<f32>, EngineError> {
    match backend {
        "cpu" => cpu_on_grid(network, grid, training, threads),
        "cuda" => cuda_on_grid(network, grid, training),
        _ => {
            let engine =
                backend::NAMES.into_iter().find(|name| *name == backend).unwrap_or("(unknown)");
            let capability = String::from(
                "the clock-driven model ([grid]), which needs backend cpu or cuda, is",
            );
            Err(EngineError::Unsupported { engine, capability })
        }
    }
}

#[cfg(feature = "cpu")]
fn cpu_on_grid(
    network: &Network,
    grid: GridSpec,
    training: Training<f32>,
    threads: usize,
) -> Result<BoxedEngine<f32>, EngineError> {
    Ok(Box::new(eventprop_cpu::GridEngine::new(network, grid, training, threads)?))
}

#[cfg(not(feature = "cpu"))]
fn cpu_on_grid(
    _: &Network,
    _: GridSpec,
    _: Training<f32>,
    _: usize,
) -> Result<BoxedEngine<f32>, EngineError> {
    Err(backend::not_built("cpu"))
}

#[cfg(feature = "cuda")]
fn cuda_on_grid(
    network: &Network,
    grid: GridSpec,
    training: Training<f32>,
) -> Result<BoxedEngine<f32>, EngineError> {
    Ok(Box::new(eventprop_cuda::CudaGridEngine::new(network, grid, training, 0)?))
}

#[cfg(not(feature = "cuda"))]
fn cuda_on_grid(
    _: &Network,
    _: GridSpec,
    _: Training<f32>,
) -> Result<BoxedEngine<f32>, EngineError> {
    Err(backend::not_built("cuda"))
}
