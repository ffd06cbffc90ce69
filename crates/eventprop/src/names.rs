//! The parameters of a network as files and other languages see them: named arrays.

use lif_core::network::{Connection, ConnectionKind, Layer};
use lif_core::{Network, ParameterId};

/// The name of a list of parameters: `connections.0.weights`, `layers.hidden.tau_mem`.
pub fn parameter_name(network: &Network, id: ParameterId) -> String {
    let layer =
        |position: usize, field| format!("layers.{}.{field}", network.layers()[position].name);
    match id {
        ParameterId::Weights(position) => format!("connections.{position}.weights"),
        ParameterId::Delays(position) => format!("connections.{position}.delays"),
        ParameterId::TauMem(position) => layer(position, "tau_mem"),
        ParameterId::TauSyn(position) => layer(position, "tau_syn"),
        ParameterId::Threshold(position) => layer(position, "threshold"),
        ParameterId::Bias(position) => layer(position, "bias"),
        ParameterId::AdaptationBeta(position) => layer(position, "adaptation_beta"),
        ParameterId::AdaptationTau(position) => layer(position, "adaptation_tau"),
    }
}

/// The shape of a list of `len` parameters: dense `[source, target]`, convolution
/// `[out_channel, in_channel, ky, kx]`, everything else flat.
pub fn parameter_shape(network: &Network, id: ParameterId, len: usize) -> Vec<usize> {
    let (ParameterId::Weights(position) | ParameterId::Delays(position)) = id else {
        return vec![len];
    };
    let Connection { from, to, kind, .. } = &network.connections()[position];
    let (from, to) = (&network.layers()[*from], &network.layers()[*to]);
    let channels = |layer: &Layer| layer.shape.map_or(1, |shape| shape[0]);
    match kind {
        ConnectionKind::Dense => vec![from.size, to.size],
        ConnectionKind::Conv2d(window) => {
            let [height, width] = window.kernel;
            vec![channels(to), channels(from), height, width]
        }
        ConnectionKind::SumPool2d { .. } => vec![len],
    }
}
