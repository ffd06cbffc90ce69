//! Engines by name.

use crate::Backend;
use crate::config::Config;
use lif_core::Network;
use lif_core::engine::{Engine, EngineError, Training};

use crate::trainer::TrainError;

/// The engine that `config` asks for, in the precision of training, on its network.
pub(crate) fn for_training(config: &Config) -> Result<Box<dyn Engine<f32>>, TrainError> {
    for_network(&config.network.build()?, config)
}

/// The same for a network that may have been built otherwise.
pub(crate) fn for_network(
    network: &Network,
    config: &Config,
) -> Result<Box<dyn Engine<f32>>, TrainError> {
    let training = config.training.for_engine(config.loss, network)?;
    todo!()
}
