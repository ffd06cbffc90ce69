//! A layer as it is computed.

use crate::abi::Decay;
use lif_core::engine::RateTarget;
use lif_core::network::{Layer, Network};
use lif_core::{LayerParameters, ParameterId};

/// Neurons of a row of weights are padded to a multiple of this: the threads of a warp.
pub(crate) const WARP: usize = 32;

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
    /// Whether they do and the loss looks at their voltages.
    pub(crate) is_looked_at: bool,
    /// The voltage after a spike.
    pub(crate) reset: f32,
    /// The rate at which a weighted mean over its voltages forgets.
    pub(crate) rate: f32,
    /// The pull on its spike counts.
    pub(crate) pull: Option<RateTarget>,
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

    /// Whether its neurons hear one another, or are walked as if they did.
    pub(crate) fn is_recurrent(&self) -> bool {
        self.copies > 0
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
            && self.recurrent.len() == self.copies
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

impl Recovery {
    pub(crate) fn of(layer: &Layer, values: &LayerParameters<f32>) -> Self {
        let refractory = layer.constants().map_or(0.0, |constants| constants.refractory as f32);
        let beta = values.adaptation_beta.first().copied();
        Self { refractory, adaptation: beta.zip(values.adaptation_tau.first().copied()) }
    }
}

/// Whether the neurons of a layer need time to recover from a spike.
pub(crate) fn recovers(network: &Network, layer: usize) -> bool {
    let constants = network.layers()[layer].constants();
    constants.is_some_and(|c| c.refractory > 0.0 || c.adaptation.is_some())
}
