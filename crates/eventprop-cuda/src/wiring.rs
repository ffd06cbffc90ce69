//! Which layers hear which: what the engine cannot wire is refused here.

use crate::plan::{DenseLayer, Input, Synapses, unsupported};
use lif_core::engine::EngineError;
use lif_core::network::{Connection, ConnectionKind, Network};

/// The connections into a layer.
pub(crate) struct Inputs {
    pub(crate) below: Vec<Input>,
    /// Those from its neurons to themselves.
    pub(crate) recurrent: Vec<Input>,
}

/// A layer that hears another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    /// Its number above the input.
    pub(crate) index: usize,
    /// Which of its inputs the other is.
    pub(crate) input: usize,
    /// Whether it hears nothing else from below: what arrives there is a list of the other's spikes.
    pub(crate) alone: bool,
}

/// The layers that hear the one at position `from`, from the lowest on.
pub(crate) fn targets(layers: &[DenseLayer], from: usize) -> Vec<Target> {
    let inputs = layers.iter().enumerate().flat_map(|(index, layer)| {
        let inputs = layer.inputs.iter().enumerate();
        inputs.map(move |(input, found)| {
            (found.from, Target { index, input, alone: !layer.is_joined() })
        })
    });
    inputs.filter(|(found, _)| *found == from).map(|(_, target)| target).collect()
}

/// Whether the spikes of the layer at position `from` need a list of their own: all who hear them hear others too.
pub(crate) fn needs_list(layers: &[DenseLayer], from: usize) -> bool {
    let targets = targets(layers, from);
    !targets.is_empty() && !targets.iter().any(|target| target.alone)
}

/// Whether the errors of its spikes lie in several places, or among those of others.
pub(crate) fn needs_collecting(layers: &[DenseLayer], from: usize) -> bool {
    match targets(layers, from)[..] {
        [] => false,
        [target] => !target.alone,
        _ => true,
    }
}

/// The connections into the layer at position `to`.
///
/// # Errors
/// [`EngineError::Unsupported`] names what the engine cannot compute.
pub(crate) fn inputs(network: &Network, to: usize) -> Result<Inputs, EngineError> {
    let into = network.connections().iter().enumerate().filter(|(_, c)| c.to == to);
    let (mut below, mut recurrent) = (Vec::new(), Vec::new());
    for (connection, Connection { from, kind, delays, .. }) in into {
        if *from > to {
            return unsupported("recurrence across layers is");
        }
        let sources = network.layers()[*from].size;
        let synapses = match kind {
            ConnectionKind::Dense => Synapses::Dense,
            ConnectionKind::Conv2d(_) => {
                Synapses::Shared { weights: network.weight_count(connection) }
            }
            ConnectionKind::SumPool2d { weight, .. } => Synapses::Fixed { weight: *weight as f32 },
        };
        let input = Input { connection, from: *from, synapses, delays: *delays, first: 0, sources };
        if *from == to { recurrent.push(input) } else { below.push(input) }
    }
    if below.is_empty() {
        return unsupported("layers without a connection from a lower one are");
    }
    let mut first = 0;
    for input in below.iter_mut().chain(&mut recurrent) {
        input.first = first;
        first += input.sources;
    }
    Ok(Inputs { below, recurrent })
}

/// Refuses layers below the output that nobody hears.
pub(crate) fn check_heard(network: &Network) -> Result<(), EngineError> {
    let is_heard = |layer| network.connections().iter().any(|c| c.from == layer && c.to > layer);
    match (1..network.output_index()).all(is_heard) {
        true => Ok(()),
        false => unsupported("layers that no higher one hears are"),
    }
}
