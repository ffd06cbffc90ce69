//! Which layers hear which.

use crate::layer::{DenseLayer, Input, Synapses, WARP};
use lif_core::network::{Connection, ConnectionKind, Network};

/// What the layers of a group hear, as rows of one matrix that has a column for each of their neurons.
pub(crate) struct Inputs {
    /// The connections from layers of other groups.
    pub(crate) below: Vec<Input>,
    /// Those within the group.
    pub(crate) recurrent: Vec<Input>,
    /// How often the rows of the group's own neurons are there: as often as one of its layers hears another.
    pub(crate) copies: usize,
}

/// Rows, or columns, for the neurons of each layer of a group: of several, each has whole warps.
pub(crate) fn places(network: &Network, group: &[usize]) -> Vec<usize> {
    let sizes = group.iter().map(|&layer| network.layers()[layer].size);
    match group {
        [_] => sizes.collect(),
        _ => sizes.map(|size| size.next_multiple_of(WARP)).collect(),
    }
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

/// Whether the errors of its spikes lie in several places, the loss's among them, or among those of others.
pub(crate) fn needs_collecting(layers: &[DenseLayer], from: usize) -> bool {
    match targets(layers, from)[..] {
        [] => false,
        [target] => !target.alone || from == layers.len(),
        _ => true,
    }
}

/// The connections into the layers of a group.
pub(crate) fn inputs(network: &Network, group: &[usize]) -> Inputs {
    let places = places(network, group);
    let place = |layer| group.iter().position(|&member| member == layer);
    let first = |member: usize| places[..member].iter().sum::<usize>();
    let (mut below, mut recurrent) = (Vec::new(), Vec::new());
    let mut rows = 0;
    for (connection, Connection { from, to, kind, delays }) in
        network.connections().iter().enumerate()
    {
        let Some(target) = place(*to) else { continue };
        let synapses = match kind {
            ConnectionKind::Dense => Synapses::Dense,
            ConnectionKind::Conv2d(_) => {
                Synapses::Shared { weights: network.weight_count(connection) }
            }
            ConnectionKind::SumPool2d { weight, .. } => Synapses::Fixed { weight: *weight as f32 },
        };
        let input = Input {
            connection,
            from: *from,
            to: *to,
            synapses,
            delays: *delays,
            first: rows,
            sources: network.layers()[*from].size,
            column: first(target),
            targets: network.layers()[*to].size,
        };
        match place(*from) {
            Some(source) => recurrent.push(Input { first: first(source), ..input }),
            None => {
                rows += input.sources;
                below.push(input);
            }
        }
    }
    // After the rows of those below; each connection between the same two layers has rows of its own.
    let own: usize = places.iter().sum();
    let mut copies = 0;
    for position in 0..recurrent.len() {
        let Input { from, to, .. } = recurrent[position];
        let earlier =
            recurrent[..position].iter().filter(|other| (other.from, other.to) == (from, to));
        let copy = earlier.count();
        recurrent[position].first += rows + copy * own;
        copies = copies.max(copy + 1);
    }
    Inputs { below, recurrent, copies }
}
