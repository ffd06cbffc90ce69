//! From a network to the layers that compute it; what this engine cannot do is refused here.

use crate::abi::Decay;
use crate::constants::{decay, is_heterogeneous, lists};
use crate::groups::groups;
use crate::wiring::{Inputs, inputs, places};
use lif_core::engine::{EngineError, Training};
use lif_core::loss::Readout;
use lif_core::network::{Layer, Network, Neuron, NeuronConstants};
use lif_core::{LayerParameters, ParameterId, Parameters};

/// The name that selects the engine.
pub(crate) const NAME: &str = "cuda";

/// Neurons of a row of weights are padded to a multiple of this: the threads of a warp.
pub(crate) const WARP: usize = 32;

/// The threads of a block, at most, and where a thread has several neurons. As in `kernels/neurons.cuh`.
const MAX_THREADS: usize = 1024;
const MAX_SHARED_THREADS: usize = 768;

/// A layer with what it hears, which is computed as one dense matrix. Layers that hear one another are walked together,
/// as one: then the first of them has what they all hear, the others have nothing.
#[derive(Clone, Debug)]
pub(crate) struct DenseLayer {
    /// Its position in the network.
    pub(crate) layer: usize,
    /// The numbers above the input of the layers that are walked with it, itself the first; none if it is not the
    /// first.
    pub(crate) members: Vec<usize>,
    /// Its turn among all walks.
    pub(crate) turn: usize,
    /// The connections from layers of other walks: their sources are the rows of its matrix, one connection's after
    /// the other's.
    pub(crate) inputs: Vec<Input>,
    /// Those within: from its neurons, and those of its members, to themselves.
    pub(crate) recurrent: Vec<Input>,
    /// How often its own neurons are rows, after those below.
    pub(crate) copies: usize,
    /// Whether synapses from below have delays.
    pub(crate) delays: bool,
    /// Whether those within have.
    pub(crate) recurrent_delays: bool,
    /// The rows of its matrix: the neurons below, then its own as often as they hear one another.
    pub(crate) sources: usize,
    /// Rows of its own neurons, once, and columns: those of all members.
    pub(crate) own_rows: usize,
    pub(crate) columns: usize,
    /// Its own neurons.
    pub(crate) targets: usize,
    /// The same, padded.
    pub(crate) stride: usize,
    /// Threads of the block that walks it, if its neurons hear one another: a thread each, or several.
    pub(crate) threads: usize,
    /// Whether its neurons spike.
    pub(crate) spikes: bool,
    /// The voltage after a spike.
    pub(crate) reset: f32,
    /// The rate at which a weighted mean over its voltages forgets.
    pub(crate) rate: f32,
    /// (target, strength) of the pull on its spike counts; all its rate targets together.
    pub(crate) pull: (f64, f64),
    /// Its time constants, or those of its first neuron.
    pub(crate) decay: Decay,
    /// Whether each neuron computes its decays itself.
    pub(crate) heterogeneous: bool,
    /// The lists of its neurons' constants, with their lengths, if the gradient by them is wanted.
    pub(crate) constants: Vec<(ParameterId, usize)>,
    /// What its neurons need time for after a spike, if anything.
    pub(crate) recovery: Option<Recovery>,
}

/// What keeps a neuron from its next spike for a while.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Recovery {
    /// For so many ms it is held at its reset.
    pub(crate) refractory: f32,
    /// Each spike raises the threshold by the first; that decays with the second in ms.
    pub(crate) adaptation: Option<(f32, f32)>,
}

/// A connection into a layer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Input {
    /// Its position in the network.
    pub(crate) connection: usize,
    /// The positions of the layer that it comes from, and of that it leads to.
    pub(crate) from: usize,
    pub(crate) to: usize,
    /// What its weights are.
    pub(crate) synapses: Synapses,
    /// Whether each synapse has a delay.
    pub(crate) delays: bool,
    /// Its first row of the walk's matrix.
    pub(crate) first: usize,
    /// Its rows.
    pub(crate) sources: usize,
    /// Its first column.
    pub(crate) column: usize,
    /// Its columns.
    pub(crate) targets: usize,
}

impl Input {
    /// Weights of a row of it where they are parameters: padded as a layer's neurons are.
    pub(crate) fn stride(&self) -> usize {
        self.targets.next_multiple_of(WARP)
    }
}

impl DenseLayer {
    /// The neurons it hears from below.
    pub(crate) fn below(&self) -> usize {
        self.sources - self.copies * self.own_rows
    }

    /// Whether its neurons hear one another.
    pub(crate) fn is_recurrent(&self) -> bool {
        !self.recurrent.is_empty()
    }

    /// All connections into it, by the rows of its matrix.
    pub(crate) fn connections(&self) -> impl Iterator<Item = &Input> {
        self.inputs.iter().chain(&self.recurrent)
    }

    /// Whether what it hears from below has to be made one list of several, or of none.
    pub(crate) fn is_joined(&self) -> bool {
        !self.members.is_empty() && self.inputs.len() != 1
    }

    /// Whether its matrices are parameters as they lie: neither shared nor fixed, and with delays for all
    /// connections from below or for none, and so within.
    pub(crate) fn is_dense(&self) -> bool {
        self.members.len() <= 1
            && self.connections().all(|input| input.synapses == Synapses::Dense)
            && self.inputs.iter().all(|input| input.delays == self.delays)
            && self.recurrent.iter().all(|input| input.delays == self.recurrent_delays)
    }

    /// Whether anyone asks for the errors of what it hears from below.
    pub(crate) fn wants_errors(&self, input_errors: bool) -> bool {
        self.inputs.iter().any(|input| input.from > 0 || input_errors)
    }

    /// Whether its neurons hear one another and remember in memory: several a thread, or of several layers, or for what
    /// their constants do.
    pub(crate) fn is_large(&self) -> bool {
        let is_plain = self.members.len() <= 1
            && !self.heterogeneous
            && !self.by_constants()
            && self.recovery.is_none();
        self.is_recurrent() && (self.columns > self.threads || !is_plain)
    }

    /// Whether the gradient by the constants of its neurons is wanted.
    pub(crate) fn by_constants(&self) -> bool {
        !self.constants.is_empty()
    }

    /// Whether any of its synapses has a delay: its neurons hear each in an order of its own.
    pub(crate) fn has_delays(&self) -> bool {
        self.delays || self.recurrent_delays
    }
}

/// The weights of a connection.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Synapses {
    /// A matrix of its own.
    Dense,
    /// So many weights, each of several synapses: a convolution.
    Shared {
        /// Their number.
        weights: usize,
    },
    /// One for all, which is not learned: a pooling.
    Fixed {
        /// It.
        weight: f32,
    },
}

/// The layers above the input, for constants `parameters`; blocks that walk recurrent ones have up to
/// `recurrent_threads` threads.
///
/// # Errors
/// [`EngineError::Unsupported`] names the first thing that the engine does not compute.
pub(crate) fn plan(
    network: &Network,
    training: &Training<f32>,
    parameters: &Parameters<f32>,
    recurrent_threads: usize,
) -> Result<Vec<DenseLayer>, EngineError> {
    let readout = training.objective.readout();
    let duration = network.duration() as f32;
    let groups = groups(network);
    let layers = (1..network.layers().len()).map(|position| {
        let layer = &network.layers()[position];
        let values = &parameters.layers[position];
        let rate = if readout == Readout::ExpMean { duration.recip() } else { 0.0 };
        let targets = training.rate_targets.iter().filter(|target| target.layer == position);
        let (pull, strength) =
            targets.fold((0.0, 0.0), |(p, s), t| (p + t.strength * t.target, s + t.strength));
        let found = groups.iter().enumerate().find(|(_, group)| group[0] == position);
        let (turn, group) = found.map_or((0, &[][..]), |(turn, group)| (turn, group));
        let hears = match group {
            [] => Inputs { below: Vec::new(), recurrent: Vec::new(), copies: 0 },
            _ => inputs(network, group),
        };
        let Inputs { below, recurrent, copies } = hears;
        let own_rows: usize = places(network, group).iter().sum();
        let columns = own_rows.next_multiple_of(WARP);
        let wants_constants = training.needs_constant_gradients();
        let is_plain = |group: &[usize]| {
            let heterogeneous = |&layer| is_heterogeneous(&network.layers()[layer], training);
            group.len() == 1
                && !wants_constants
                && !group.iter().any(|layer| heterogeneous(layer) || recovers(network, *layer))
        };
        Ok(DenseLayer {
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
            reset: match &layer.neuron {
                Neuron::Lif(constants) => constants.reset as f32,
                _ => 0.0,
            },
            rate: if position == network.output_index() { rate } else { 0.0 },
            pull: (if strength == 0.0 { 0.0 } else { pull / strength }, strength),
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
                .then(|| recovery(layer, values)),
        })
    });
    layers.collect()
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

/// Refuses what the engine cannot compute.
pub(crate) fn check(network: &Network, training: &Training<f32>) -> Result<(), EngineError> {
    for layer in network.layers() {
        check_layer(layer, training)?;
    }
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

fn check_layer(layer: &Layer, training: &Training<f32>) -> Result<(), EngineError> {
    let Some(constants) = layer.constants().filter(|_| training.needs_constant_gradients()) else {
        return Ok(());
    };
    if constants.refractory > 0.0 {
        return unsupported("gradients by constants of neurons with refractory times are");
    }
    if constants.adaptation.is_some() {
        return unsupported("gradients by constants of neurons with adaptive thresholds are");
    }
    Ok(())
}

/// Whether the neurons of a layer need time to recover from a spike.
fn recovers(network: &Network, layer: usize) -> bool {
    let constants = network.layers()[layer].constants();
    constants.is_some_and(|c| c.refractory > 0.0 || c.adaptation.is_some())
}

/// The layers that are walked together with the one at `position`.
fn walked_with(groups: &[Vec<usize>], position: usize) -> &[usize] {
    groups.iter().find(|group| group.contains(&position)).map_or(&[], |group| group)
}

fn recovery(layer: &Layer, values: &LayerParameters<f32>) -> Recovery {
    let refractory = layer.constants().map_or(0.0, |constants| constants.refractory as f32);
    let beta = values.adaptation_beta.first().copied();
    Recovery { refractory, adaptation: beta.zip(values.adaptation_tau.first().copied()) }
}

pub(crate) fn unsupported<V>(capability: &str) -> Result<V, EngineError> {
    Err(EngineError::Unsupported { engine: NAME, capability: capability.to_owned() })
}
