use crate::network::{ConnectionKind, Network};
use crate::parameters::Parameters;

/// Weights and delays of every synapse, wherever they are kept.
#[derive(Clone, Copy)]
pub(super) struct Synapses<'a> {
    pub(super) network: &'a Network,
    pub(super) parameters: &'a Parameters<f64>,
}

impl Synapses<'_> {
    /// Calls `visit(connection, target, synapse)` for every synapse of neuron `index` of `layer`.
    pub(super) fn from(
        self,
        layer: usize,
        index: usize,
        mut visit: impl FnMut(usize, usize, Option<usize>),
    ) {
        for (connection, description) in self.network.connections().iter().enumerate() {
            if description.from == layer {
                self.network.fan_out(connection, index, |target, synapse| {
                    visit(connection, target, synapse);
                });
            }
        }
    }

    pub(super) fn weight(self, connection: usize, synapse: Option<usize>) -> f64 {
        match (&self.network.connections()[connection].kind, synapse) {
            (ConnectionKind::SumPool2d { weight, .. }, _) => *weight,
            (_, Some(synapse)) => self.parameters.connections[connection].weights[synapse],
            (_, None) => 0.0,
        }
    }

    pub(super) fn delay(self, connection: usize, synapse: Option<usize>) -> f64 {
        let delays = &self.parameters.connections[connection].delays;
        synapse.and_then(|synapse| delays.get(synapse)).copied().unwrap_or(0.0)
    }
}
