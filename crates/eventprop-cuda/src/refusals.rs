//! What this engine cannot compute, by name.

use crate::groups::{groups, walked_with};
use crate::layer::recovers;
use crate::name::NAME;
use lif_core::engine::{EngineError, Training};
use lif_core::network::{Network, NeuronConstants};

/// Refuses what the engine cannot compute.
pub(crate) fn check(network: &Network, training: &Training<f32>) -> Result<(), EngineError> {
    match (training.objective.readout().needs_spikes(), network.output().is_lif()) {
        (true, false) => unsupported("spike-time losses on an output that never spikes are"),
        (false, true) => check_driven(network, training),
        _ => Ok(()),
    }
}

/// Refuses what is not computed where a loss looks at voltages of neurons that spike.
fn check_driven(network: &Network, training: &Training<f32>) -> Result<(), EngineError> {
    let (output, position) = (network.output(), network.output_index());
    if walked_with(&groups(network), position).iter().any(|&layer| recovers(network, layer)) {
        return unsupported(
            "refractory times and adaptive thresholds, where the voltages of an output that spikes are measured, are",
        );
    }
    if training.needs_constant_gradients() {
        return unsupported(
            "gradients by the constants of neurons, where the voltages of an output that spikes are measured, are",
        );
    }
    let own =
        |constants: &NeuronConstants| constants.tau_mem.len() > 1 || constants.tau_syn.len() > 1;
    if output.constants().is_some_and(own) {
        return unsupported(
            "time constants of single neurons of an output that spikes, where its voltages are measured, are",
        );
    }
    Ok(())
}

fn unsupported<V>(capability: &str) -> Result<V, EngineError> {
    Err(EngineError::Unsupported { engine: NAME, capability: capability.to_owned() })
}
