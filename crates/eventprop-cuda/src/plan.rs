//! From a network to the layers that compute it.

use crate::constants::{decay, is_heterogeneous, lists};
use crate::groups::{groups, walked_with};
use crate::layer::{DenseLayer, Recovery, WARP, recovers};
use crate::wiring::{Inputs, inputs, places};
use lif_core::Parameters;
use lif_core::engine::Training;
use lif_core::loss::Readout;
use lif_core::network::{Network, Neuron};

/// The threads of a block, at most, and where a thread has several neurons. As in `kernels/neurons.cuh`.
const MAX_THREADS: usize = 1024;
const MAX_SHARED_THREADS: usize = 768;

/// The layers above the input, for constants `parameters`; blocks that walk recurrent ones have up to
/// `recurrent_threads` threads. None of what is [refused](crate::refusals) is in `network`.
pub(crate) fn plan(
    network: &Network,
    training: &Training<f32>,
    parameters: &Parameters<f32>,
    recurrent_threads: usize,
) -> Vec<DenseLayer> {
    let readout = training.objective.readout();
    let duration = network.duration() as f32;
    let groups = groups(network);
    let layers = (1..network.layers().len()).map(|position| {
        let layer = &network.layers()[position];
        let values = &parameters.layers[position];
        let rate = if readout == Readout::ExpMean { duration.recip() } else { 0.0 };
        let found = groups.iter().enumerate().find(|(_, group)| group[0] == position);
        let (turn, group) = found.map_or((0, &[][..]), |(turn, group)| (turn, group));
        let hears = match group {
            [] => Inputs { below: Vec::new(), recurrent: Vec::new(), copies: 0 },
            _ => inputs(network, group),
        };
        let Inputs { below, recurrent, copies } = hears;
        let needs_time = group.iter().any(|&member| recovers(network, member));
        let is_measured = group.iter().any(|&member| is_looked_at(network, member, readout));
        // Voltages of neurons that need time to recover are measured on one way only: as if the neurons heard one another,
        // over synapses without weight.
        let copies = if needs_time && is_measured { copies.max(1) } else { copies };
        let own_rows: usize = places(network, group).iter().sum();
        let columns = own_rows.next_multiple_of(WARP);
        let wants_constants = training.needs_constant_gradients();
        let is_plain = |group: &[usize]| {
            let heterogeneous = |&layer| is_heterogeneous(&network.layers()[layer], training);
            group.len() == 1
                && !wants_constants
                && !group.iter().any(|layer| heterogeneous(layer) || recovers(network, *layer))
        };
        DenseLayer {
            layer: position,
            members: group.iter().map(|layer| layer - 1).collect(),
            turn,
            delays: below.iter().any(|input| input.delays),
            recurrent_delays: recurrent.iter().any(|input| input.delays),
            sources: below.iter().map(|input| input.sources).sum::<usize>() + copies * own_rows,
            own_rows,
            columns,
            inputs: below,
            recurrent,
            copies,
            targets: layer.size,
            stride: layer.size.next_multiple_of(WARP),
            threads: threads(columns, is_plain(group), recurrent_threads),
            spikes: layer.is_lif(),
            is_looked_at: is_looked_at(network, position, readout),
            reset: match &layer.neuron {
                Neuron::Lif(constants) => constants.reset as f32,
                _ => 0.0,
            },
            rate: if position == network.output_index() { rate } else { 0.0 },
            pull: training.rate_target(position),
            decay: decay(values, 0),
            heterogeneous: is_heterogeneous(layer, training),
            constants: match wants_constants {
                true => lists(position, values).collect(),
                false => Vec::new(),
            },
            // Where one layer of a walk needs it all have it.
            recovery: walked_with(&groups, position)
                .iter()
                .any(|&member| recovers(network, member))
                .then(|| Recovery::of(layer, values)),
        }
    });
    layers.collect()
}

/// Whether a layer spikes and the loss looks at its voltages.
fn is_looked_at(network: &Network, layer: usize, readout: Readout) -> bool {
    layer == network.output_index() && network.output().is_lif() && !readout.needs_spikes()
}

/// The numbers of the layers that are walked, each after all it hears.
pub(crate) fn order(layers: &[DenseLayer]) -> Vec<usize> {
    let mut walked: Vec<usize> =
        (0..layers.len()).filter(|&index| !layers[index].members.is_empty()).collect();
    walked.sort_by_key(|&index| layers[index].turn);
    walked
}

/// The threads of a block for so many neurons, up to `most`: a neuron each, if the walk is plain, or as few as it takes.
fn threads(neurons: usize, is_plain: bool, most: usize) -> usize {
    let whole = |most: usize| (most / WARP * WARP).max(WARP);
    if neurons <= whole(most.min(MAX_THREADS)) && is_plain {
        return neurons;
    }
    let rounds = neurons.div_ceil(whole(most.min(MAX_SHARED_THREADS))).max(1);
    neurons.div_ceil(rounds).next_multiple_of(WARP)
}
