//! What this engine cannot compute, by name.

use crate::groups::{groups, walked_with};
use crate::layer::recovers;
use crate::name::NAME;
use lif_core::engine::{EngineError, Training};
use lif_core::network::Network;

/// Refuses what the engine cannot compute.
pub(crate) fn check(network: &Network, training: &Training<f32>) -> Result<(), EngineError> {
    match (training.objective.readout().needs_spikes(), network.output().is_lif()) {
        (true, false) => unsupported("spike-time losses on an output that never spikes are"),
        (false, true) => check_driven(network),
        _ => Ok(()),
    }
}

/// Refuses what is not computed where a loss looks at voltages of neurons that spike.
fn check_driven(network: &Network) -> Result<(), EngineError> {
    if walked_with(&groups(network), network.output_index())
        .iter()
        .any(|&layer| recovers(network, layer))
    {
        return unsupported(
            "refractory times and adaptive thresholds, where the voltages of an output that spikes are measured, are",
        );
    }
    Ok(())
}

fn unsupported<V>(capability: &str) -> Result<V, EngineError> {
    Err(EngineError::Unsupported { engine: NAME, capability: capability.to_owned() })
}
