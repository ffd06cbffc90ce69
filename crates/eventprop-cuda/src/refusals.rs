//! What this engine cannot compute, by name.

use crate::name::NAME;
use lif_core::engine::{EngineError, Training};
use lif_core::network::Network;

/// Refuses what the engine cannot compute.
pub(crate) fn check(network: &Network, training: &Training<f32>) -> Result<(), EngineError> {
    if training.objective.readout().needs_spikes() && !network.output().is_lif() {
        let capability = "spike-time losses on an output that never spikes are".to_owned();
        return Err(EngineError::Unsupported { engine: NAME, capability });
    }
    Ok(())
}
