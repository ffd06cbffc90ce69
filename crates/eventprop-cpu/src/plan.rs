//! From a network to the layers that compute it; what this engine cannot do is refused here.

use crate::crossing::Neurons;
use crate::decay::Decay;
use crate::dense::{Adjoints, Blocks, Measure, ReadoutLayer, SpikingLayer, pack_targets};
use crate::lanes::LaneReal;
use lif_core::engine::{EngineError, Training};
use lif_core::loss::Readout;
use lif_core::network::{Connection, ConnectionKind, Layer, Network, Neuron};
use lif_core::{LayerParameters, Parameters, per_neuron};

/// The name that selects the engine.
pub(crate) const NAME: &str = "cpu";

/// A network as a chain of dense layers.
pub(crate) struct Plan<T: LaneReal> {
    /// The layers that spike, from the one above the input.
    pub(crate) spiking: Vec<SpikingLayer<T>>,
    /// The readout, if the output layer does not spike.
    pub(crate) readout: Option<ReadoutLayer<T>>,
    /// For each of these layers in order, how its input decays.
    pub(crate) inputs: Vec<Input<T>>,
}

/// What a layer needs of the spikes below it.
pub(crate) struct Input<T> {
    /// The connection it comes over.
    pub(crate) connection: usize,
    /// The shape of its weights.
    pub(crate) blocks: Blocks,
    /// Where its rows start among all.
    pub(crate) first_row: usize,
    /// The layer's decay.
    pub(crate) decay: Decay<T>,
    /// Whether something happens before the first arrival.
    pub(crate) from_zero: bool,
}

/// The chain of connections from the input to the output, in order of layers.
///
/// # Errors
/// [`EngineError::Unsupported`] names the first thing that is not a chain of plain dense layers.
pub(crate) fn check<T: LaneReal>(
    network: &Network,
    training: &Training<T>,
) -> Result<Vec<usize>, EngineError> {
    for layer in network.layers() {
        check_layer(layer)?;
    }
    if !training.learning_rates.only_weights() {
        return unsupported("learned constants of neurons are");
    }
    if training.constant_gradients {
        return unsupported("gradients by the constants of neurons are");
    }
    let output = network.output();
    match (training.objective.readout().needs_spikes(), output.is_lif()) {
        (true, false) => {
            return unsupported("spike-time losses on an output that never spikes are");
        }
        (false, true) => return unsupported("voltage losses on a spiking output layer are"),
        _ => {}
    }
    (1..network.layers().len()).map(|layer| only_connection(network, layer)).collect()
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

fn only_connection(network: &Network, to: usize) -> Result<usize, EngineError> {
    let into: Vec<(usize, &Connection)> =
        network.connections().iter().enumerate().filter(|(_, c)| c.to == to).collect();
    for (_, connection) in &into {
        match connection.kind {
            ConnectionKind::Dense => {}
            ConnectionKind::Conv2d(_) => return unsupported("conv2d connections are"),
            ConnectionKind::SumPool2d { .. } => return unsupported("sum_pool2d connections are"),
        }
        if connection.delays {
            return unsupported("delays are");
        }
        if connection.from >= to {
            return unsupported("recurrent connections are");
        }
        if connection.from + 1 < to {
            return unsupported("connections that skip a layer are");
        }
    }
    match into[..] {
        [(position, _)] => Ok(position),
        [] => unsupported("layers without a connection to the layer below are"),
        _ => unsupported("several connections into one layer are"),
    }
}

fn unsupported<V>(capability: &str) -> Result<V, EngineError> {
    Err(EngineError::Unsupported { engine: NAME, capability: capability.to_owned() })
}

impl<T: LaneReal> Plan<T> {
    /// The backward pass of the layer behind one of the inputs.
    pub(crate) fn adjoints(&self, input: usize) -> Option<&Adjoints<T>> {
        let spiking = self.spiking.get(input).map(|layer| &layer.adjoints);
        spiking.or(self.readout.as_ref().map(|layer| &layer.adjoints))
    }

    /// The same, to be changed.
    pub(crate) fn adjoints_mut(&mut self, input: usize) -> Option<&mut Adjoints<T>> {
        let spiking = self.spiking.get_mut(input).map(|layer| &mut layer.adjoints);
        spiking.or(self.readout.as_mut().map(|layer| &mut layer.adjoints))
    }

    /// The layers for `parameters`, which are of the network's shape; `chain` is what [`check`]
    /// found.
    pub(crate) fn new(
        network: &Network,
        chain: &[usize],
        parameters: &Parameters<T>,
        readout: Readout,
    ) -> Self {
        let mut plan = Self { spiking: Vec::new(), readout: None, inputs: Vec::new() };
        let mut first_row = 0;
        for (below, &connection) in chain.iter().enumerate() {
            let layer = &network.layers()[below + 1];
            let values = &parameters.layers[below + 1];
            let blocks = Blocks { sources: network.layers()[below].size, targets: layer.size };
            let decay = Decay::new(values.tau_mem[0], values.tau_syn[0]);
            let from_zero = values.bias.iter().any(|&bias| bias != T::zero());
            plan.inputs.push(Input { connection, blocks, first_row, decay, from_zero });
            first_row += blocks.len();
            match &layer.neuron {
                Neuron::Lif(constants) => {
                    let neurons = neurons(layer, values, T::of(constants.reset));
                    let (name, thresholds) = (layer.name.clone(), &values.threshold);
                    let layer = SpikingLayer::new(name, blocks, decay, neurons, thresholds);
                    plan.spiking.push(layer);
                }
                _ => {
                    let bias = pack_targets(layer.size, T::zero(), |target| values.bias[target]);
                    let duration = T::of(network.duration());
                    let measure = match readout {
                        Readout::Mean => Measure::Mean { rate: T::zero(), duration },
                        Readout::ExpMean => Measure::Mean { rate: duration.recip(), duration },
                        _ => Measure::Max,
                    };
                    plan.readout = Some(ReadoutLayer::new(blocks, decay, bias, measure));
                }
            }
        }
        plan
    }
}

/// The constants of a layer; the lanes beyond the last neuron never reach their threshold.
fn neurons<T: LaneReal>(layer: &Layer, values: &LayerParameters<T>, reset: T) -> Neurons<T> {
    let bias = |neuron: usize| values.bias[neuron];
    Neurons {
        start: pack_targets(layer.size, T::zero(), |neuron| -bias(neuron)),
        threshold: pack_targets(layer.size, T::one(), |neuron| {
            *per_neuron(&values.threshold, neuron) - bias(neuron)
        }),
        reset: pack_targets(layer.size, T::zero(), |neuron| reset - bias(neuron)),
    }
}
