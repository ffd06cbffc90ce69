use crate::crossing::{Approach, Decay};
use crate::flow::{State, TimeConstants};
use crate::network::{Network, Neuron as Kind};
use crate::parameters::{Parameters, per_neuron};

/// One neuron with its constants.
#[derive(Clone, Debug)]
pub(super) struct Neuron {
    /// The position of its layer.
    pub(super) layer: usize,
    /// Its position in the layer.
    pub(super) index: usize,
    pub(super) time_constants: TimeConstants<f64>,
    pub(super) bias: f64,
    /// What makes it spike; none for a leaky integrator.
    pub(super) spiking: Option<Spiking>,
}

/// The constants of a neuron that spikes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spiking {
    pub(super) threshold: f64,
    pub(super) reset: f64,
    pub(super) refractory: f64,
    /// beta and tau_b; beta 0 where the layer does not adapt.
    pub(super) beta: f64,
    pub(super) tau_b: f64,
}

/// What changes in a neuron.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct NeuronState {
    pub(super) membrane: State<f64>,
    /// The adaptation B.
    pub(super) b: f64,
    /// Whether the neuron is refractory: V is held at the reset.
    pub(super) held: bool,
}

/// All neurons of a network but the inputs, layer by layer.
pub(super) struct Population {
    pub(super) neurons: Vec<Neuron>,
    /// Where each layer's neurons begin (the input has none).
    pub(super) first: Vec<usize>,
}

impl Population {
    pub(super) fn new(network: &Network, parameters: &Parameters<f64>) -> Self {
        let (mut neurons, mut first) = (Vec::new(), Vec::new());
        for (layer, description) in network.layers().iter().enumerate() {
            first.push(neurons.len());
            let own = &parameters.layers[layer];
            let Some(constants) = description.constants() else { continue };
            neurons.extend((0..description.size).map(|index| Neuron {
                layer,
                index,
                time_constants: TimeConstants {
                    tau_mem: *per_neuron(&own.tau_mem, index),
                    tau_syn: *per_neuron(&own.tau_syn, index),
                },
                bias: own.bias[index],
                spiking: matches!(description.neuron, Kind::Lif(_)).then(|| Spiking {
                    threshold: *per_neuron(&own.threshold, index),
                    reset: constants.reset,
                    refractory: constants.refractory,
                    beta: own.adaptation_beta.first().copied().unwrap_or(0.0),
                    tau_b: own.adaptation_tau.first().copied().unwrap_or(f64::INFINITY),
                }),
            }));
        }
        Self { neurons, first }
    }
}

impl Neuron {
    /// Its state after `dt` ms without an event.
    pub(super) fn evolve(&self, state: NeuronState, dt: f64) -> NeuronState {
        let mut membrane = self.time_constants.flow(dt).forward(state.membrane, self.bias);
        if state.held {
            membrane.v = state.membrane.v;
        }
        let decay = self.spiking.map_or(1.0, |spiking| (-dt / spiking.tau_b).exp());
        NeuronState { membrane, b: state.b * decay, held: state.held }
    }

    /// Its way to the threshold from `state`; none for a neuron that cannot spike now.
    pub(super) fn approach(&self, state: NeuronState) -> Option<Approach<f64>> {
        let spiking = self.spiking.filter(|_| !state.held)?;
        Some(Approach {
            time_constants: self.time_constants,
            state: state.membrane,
            bias: self.bias,
            threshold: spiking.threshold,
            adaptation: (state.b != 0.0).then_some(Decay { value: state.b, tau: spiking.tau_b }),
        })
    }
}
