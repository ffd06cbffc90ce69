//! From a network to the layers that compute it; what this engine cannot do is refused here.

use crate::abi::Decay;
use lif_core::engine::{EngineError, Training};
use lif_core::loss::{KnownLoss, Readout};
use lif_core::network::{Connection, ConnectionKind, Layer, Network, Neuron};
use lif_core::{Parameters, per_neuron};

/// The name that selects the engine.
pub(crate) const NAME: &str = "cuda";

/// Neurons of a row of weights are padded to a multiple of this: the threads of a warp.
pub(crate) const WARP: usize = 32;

/// Neurons of a recurrent layer, at most: the threads of a block. As in `kernels/lif_recurrent.cu`.
const MAX_RECURRENT: usize = 1024;

/// A layer with the connection into it, which is computed as a dense one.
#[derive(Clone, Debug)]
pub(crate) struct DenseLayer {
    /// Its position in the network.
    pub(crate) layer: usize,
    /// The position of the connection into it.
    pub(crate) connection: usize,
    /// The position of the connection from its neurons to themselves, if they hear one another.
    pub(crate) recurrent: Option<usize>,
    /// Whether each synapse of the connection has a delay.
    pub(crate) delays: bool,
    /// The same of the recurrent connection.
    pub(crate) recurrent_delays: bool,
    /// What the connection's weights are.
    pub(crate) synapses: Synapses,
    /// Neurons it hears: those below, then its own if it is recurrent.
    pub(crate) sources: usize,
    /// Its own neurons.
    pub(crate) targets: usize,
    /// The same, padded.
    pub(crate) stride: usize,
    /// Whether its neurons spike.
    pub(crate) spikes: bool,
    /// The voltage after a spike.
    pub(crate) reset: f32,
    /// The rate at which a weighted mean over its voltages forgets.
    pub(crate) rate: f32,
    /// (target, strength) of the pull on its spike counts; all its rate targets together.
    pub(crate) pull: (f64, f64),
    /// Its time constants.
    pub(crate) decay: Decay,
}

impl DenseLayer {
    /// The neurons of the layer below.
    pub(crate) fn below(&self) -> usize {
        self.sources - self.recurrent.map_or(0, |_| self.targets)
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

/// The layers above the input, for constants `parameters`.
///
/// # Errors
/// [`EngineError::Unsupported`] names the first thing that is not a chain of layers.
pub(crate) fn plan(
    network: &Network,
    training: &Training<f32>,
    parameters: &Parameters<f32>,
) -> Result<Vec<DenseLayer>, EngineError> {
    let readout = known_loss(training)?.1;
    let duration = network.duration() as f32;
    let layers = (1..network.layers().len()).map(|position| {
        let layer = &network.layers()[position];
        let values = &parameters.layers[position];
        let below = &network.layers()[position - 1];
        let Inputs { connection, recurrent } = inputs(network, position)?;
        let rate = if readout == Readout::ExpMean { duration.recip() } else { 0.0 };
        let targets = training.rate_targets.iter().filter(|target| target.layer == position);
        let (pull, strength) =
            targets.fold((0.0, 0.0), |(p, s), t| (p + t.strength * t.target, s + t.strength));
        Ok(DenseLayer {
            layer: position,
            connection,
            recurrent,
            delays: network.connections()[connection].delays,
            recurrent_delays: recurrent.is_some_and(|own| network.connections()[own].delays),
            synapses: match network.connections()[connection].kind {
                ConnectionKind::Dense => Synapses::Dense,
                ConnectionKind::Conv2d(_) => {
                    Synapses::Shared { weights: network.weight_count(connection) }
                }
                ConnectionKind::SumPool2d { weight, .. } => {
                    Synapses::Fixed { weight: weight as f32 }
                }
            },
            sources: below.size + recurrent.map_or(0, |_| layer.size),
            targets: layer.size,
            stride: layer.size.next_multiple_of(WARP),
            spikes: layer.is_lif(),
            reset: match &layer.neuron {
                Neuron::Lif(constants) => constants.reset as f32,
                _ => 0.0,
            },
            rate: if position == network.output_index() { rate } else { 0.0 },
            pull: (if strength == 0.0 { 0.0 } else { pull / strength }, strength),
            decay: decay(values.tau_mem[0], values.tau_syn[0]),
        })
    });
    layers.collect()
}

/// The training's loss and what it measures.
pub(crate) fn known_loss(training: &Training<f32>) -> Result<(KnownLoss, Readout), EngineError> {
    match training.objective.known() {
        Some(loss) => Ok((loss, training.objective.readout())),
        None => unsupported("custom losses are"),
    }
}

/// Refuses what the engine cannot compute.
pub(crate) fn check(network: &Network, training: &Training<f32>) -> Result<(), EngineError> {
    for layer in network.layers() {
        check_layer(layer)?;
    }
    if training.learning_rates.learns_constants() {
        return unsupported("learned constants of neurons are");
    }
    if training.needs_constant_gradients() {
        return unsupported("gradients by the constants of neurons are");
    }
    let (_, readout) = known_loss(training)?;
    match (readout.needs_spikes(), network.output().is_lif()) {
        (true, false) => unsupported("spike-time losses on an output that never spikes are")?,
        (false, true) => unsupported("voltage losses on a spiking output layer are")?,
        _ => {}
    }
    (1..network.layers().len()).try_for_each(|to| inputs(network, to).map(drop))
}

/// The bias currents and thresholds of a layer's neurons and of its padding, which never spikes.
pub(crate) fn constants(plan: &DenseLayer, parameters: &Parameters<f32>) -> (Vec<f32>, Vec<f32>) {
    let values = &parameters.layers[plan.layer];
    let mut bias = values.bias.clone();
    bias.resize(plan.stride, 0.0);
    let mut threshold = vec![f32::INFINITY; plan.stride];
    if plan.spikes {
        for (neuron, threshold) in threshold[..plan.targets].iter_mut().enumerate() {
            *threshold = *per_neuron(&values.threshold, neuron);
        }
    }
    (bias, threshold)
}

fn decay(tau_mem: f32, tau_syn: f32) -> Decay {
    let difference = (tau_mem - tau_syn) / (tau_mem * tau_syn);
    let ratio = tau_mem / tau_syn;
    let integer = (2..=10).find(|&integer| ratio == integer as f32);
    Decay {
        tau_mem,
        tau_syn,
        difference,
        gain: (tau_mem * difference).recip(),
        ratio,
        integer_ratio: integer.unwrap_or(0),
    }
}

fn check_layer(layer: &Layer) -> Result<(), EngineError> {
    let Some(constants) = layer.constants() else { return Ok(()) };
    if constants.tau_mem.len() > 1 || constants.tau_syn.len() > 1 {
        return unsupported("time constants of single neurons are");
    }
    if constants.refractory > 0.0 {
        return unsupported("refractory times are");
    }
    if constants.adaptation.is_some() {
        return unsupported("adaptive thresholds are");
    }
    Ok(())
}

/// The connections into a layer.
struct Inputs {
    connection: usize,
    recurrent: Option<usize>,
}

fn inputs(network: &Network, to: usize) -> Result<Inputs, EngineError> {
    let into = network.connections().iter().enumerate().filter(|(_, c)| c.to == to);
    let (mut below, mut recurrent) = (Vec::new(), Vec::new());
    for (position, Connection { from, kind, .. }) in into {
        if *from > to {
            return unsupported("recurrence across layers is");
        }
        if from + 1 < to {
            return unsupported("connections that skip a layer are");
        }
        if *from < to {
            below.push(position);
        } else if *kind == ConnectionKind::Dense {
            recurrent.push(position);
        } else {
            return unsupported("recurrent connections that are not dense are");
        }
    }
    let (connection, recurrent) = match (&below[..], &recurrent[..]) {
        (&[below], &[]) => (below, None),
        (&[below], &[recurrent]) => (below, Some(recurrent)),
        ([], _) => return unsupported("layers without a connection to the layer below are"),
        _ => return unsupported("several connections into one layer are"),
    };
    if recurrent.is_some() {
        if network.layers()[to].size > MAX_RECURRENT {
            return unsupported("recurrent layers of more than 1024 neurons are");
        }
        if network.connections()[connection].kind != ConnectionKind::Dense {
            return unsupported("recurrence of a layer that is convolved or pooled is");
        }
    }
    Ok(Inputs { connection, recurrent })
}

fn unsupported<V>(capability: &str) -> Result<V, EngineError> {
    Err(EngineError::Unsupported { engine: NAME, capability: capability.to_owned() })
}
