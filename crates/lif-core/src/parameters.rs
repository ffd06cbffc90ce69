use crate::Real;
use crate::network::{Network, NeuronConstants};

/// Everything about a network that can be learned, or the gradient by it: the two have the same
/// shape.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameters<T> {
    /// One entry a layer, in the network's order; the input's is empty.
    pub layers: Vec<LayerParameters<T>>,
    /// One entry a connection, in the network's order.
    pub connections: Vec<ConnectionParameters<T>>,
}

/// The constants of a layer's neurons, or the gradient by them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LayerParameters<T> {
    /// Membrane time constants in ms: one for the layer or one a neuron.
    pub tau_mem: Vec<T>,
    /// Synaptic time constants in ms: one for the layer or one a neuron.
    pub tau_syn: Vec<T>,
    /// Thresholds: one for the layer or one a neuron; empty for leaky integrators.
    pub threshold: Vec<T>,
    /// Constant input current of each neuron.
    pub bias: Vec<T>,
    /// What a spike adds to the threshold (one value), where the layer adapts.
    pub adaptation_beta: Vec<T>,
    /// Time constant of the adaptation in ms (one value), where the layer adapts.
    pub adaptation_tau: Vec<T>,
}

/// The weights and delays of a connection, or the gradient by them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ConnectionParameters<T> {
    /// Flat, row-major: dense `[source][target]`, conv2d `[out_channel][in_channel][ky][kx]`; empty
    /// for pooling.
    pub weights: Vec<T>,
    /// In ms, of the shape of the weights; empty without delays.
    pub delays: Vec<T>,
}

impl<T: Real> Parameters<T> {
    /// The constants that the description gives, all weights and delays zero.
    pub fn initial(network: &Network) -> Self {
        let layers = network
            .layers()
            .iter()
            .map(|layer| {
                layer.constants().map_or_else(LayerParameters::default, |constants| {
                    LayerParameters::initial(constants, layer.size, layer.is_lif())
                })
            })
            .collect();
        let connections = network
            .connections()
            .iter()
            .enumerate()
            .map(|(position, connection)| {
                let count = network.weight_count(position);
                ConnectionParameters {
                    weights: vec![T::zero(); count],
                    delays: vec![T::zero(); if connection.delays { count } else { 0 }],
                }
            })
            .collect();
        Self { layers, connections }
    }

    /// Zeros of the network's shape: where a gradient starts.
    pub fn zeros(network: &Network) -> Self {
        let mut zeros = Self::initial(network);
        zeros.for_each_mut(|_, values| values.fill(T::zero()));
        zeros
    }

    /// The same values in another precision.
    pub fn cast<U: Real>(&self) -> Parameters<U> {
        let cast = |values: &[T]| values.iter().map(|value| U::of(value.as_f64())).collect();
        Parameters {
            layers: self
                .layers
                .iter()
                .map(|layer| LayerParameters {
                    tau_mem: cast(&layer.tau_mem),
                    tau_syn: cast(&layer.tau_syn),
                    threshold: cast(&layer.threshold),
                    bias: cast(&layer.bias),
                    adaptation_beta: cast(&layer.adaptation_beta),
                    adaptation_tau: cast(&layer.adaptation_tau),
                })
                .collect(),
            connections: self
                .connections
                .iter()
                .map(|connection| ConnectionParameters {
                    weights: cast(&connection.weights),
                    delays: cast(&connection.delays),
                })
                .collect(),
        }
    }

    /// The list that `id` names.
    ///
    /// # Panics
    /// If there is no such connection or layer.
    pub fn list_mut(&mut self, id: ParameterId) -> &mut Vec<T> {
        match id {
            ParameterId::Weights(position) => &mut self.connections[position].weights,
            ParameterId::Delays(position) => &mut self.connections[position].delays,
            ParameterId::TauMem(position) => &mut self.layers[position].tau_mem,
            ParameterId::TauSyn(position) => &mut self.layers[position].tau_syn,
            ParameterId::Threshold(position) => &mut self.layers[position].threshold,
            ParameterId::Bias(position) => &mut self.layers[position].bias,
            ParameterId::AdaptationBeta(position) => &mut self.layers[position].adaptation_beta,
            ParameterId::AdaptationTau(position) => &mut self.layers[position].adaptation_tau,
        }
    }

    /// The list that `id` names.
    ///
    /// # Panics
    /// If there is no such connection or layer.
    pub fn list(&self, id: ParameterId) -> &[T] {
        match id {
            ParameterId::Weights(position) => &self.connections[position].weights,
            ParameterId::Delays(position) => &self.connections[position].delays,
            ParameterId::TauMem(position) => &self.layers[position].tau_mem,
            ParameterId::TauSyn(position) => &self.layers[position].tau_syn,
            ParameterId::Threshold(position) => &self.layers[position].threshold,
            ParameterId::Bias(position) => &self.layers[position].bias,
            ParameterId::AdaptationBeta(position) => &self.layers[position].adaptation_beta,
            ParameterId::AdaptationTau(position) => &self.layers[position].adaptation_tau,
        }
    }

    /// Calls `visit` with the kind and the values of every list, connections first, in a fixed order.
    pub fn for_each<'a>(&'a self, mut visit: impl FnMut(ParameterId, &'a [T])) {
        for (position, connection) in self.connections.iter().enumerate() {
            visit(ParameterId::Weights(position), &connection.weights);
            visit(ParameterId::Delays(position), &connection.delays);
        }
        for (position, layer) in self.layers.iter().enumerate() {
            visit(ParameterId::TauMem(position), &layer.tau_mem);
            visit(ParameterId::TauSyn(position), &layer.tau_syn);
            visit(ParameterId::Threshold(position), &layer.threshold);
            visit(ParameterId::Bias(position), &layer.bias);
            visit(ParameterId::AdaptationBeta(position), &layer.adaptation_beta);
            visit(ParameterId::AdaptationTau(position), &layer.adaptation_tau);
        }
    }

    /// [`Parameters::for_each`] with values that can be changed, in the same order.
    pub fn for_each_mut(&mut self, mut visit: impl FnMut(ParameterId, &mut [T])) {
        for (position, connection) in self.connections.iter_mut().enumerate() {
            visit(ParameterId::Weights(position), &mut connection.weights);
            visit(ParameterId::Delays(position), &mut connection.delays);
        }
        for (position, layer) in self.layers.iter_mut().enumerate() {
            visit(ParameterId::TauMem(position), &mut layer.tau_mem);
            visit(ParameterId::TauSyn(position), &mut layer.tau_syn);
            visit(ParameterId::Threshold(position), &mut layer.threshold);
            visit(ParameterId::Bias(position), &mut layer.bias);
            visit(ParameterId::AdaptationBeta(position), &mut layer.adaptation_beta);
            visit(ParameterId::AdaptationTau(position), &mut layer.adaptation_tau);
        }
    }
}

impl<T: Real> LayerParameters<T> {
    fn initial(constants: &NeuronConstants, size: usize, is_lif: bool) -> Self {
        let of = |values: &[f64]| values.iter().map(|&value| T::of(value)).collect::<Vec<_>>();
        let adaptation = constants.adaptation.filter(|_| is_lif);
        Self {
            tau_mem: of(&constants.tau_mem),
            tau_syn: of(&constants.tau_syn),
            threshold: if is_lif { of(&constants.threshold) } else { Vec::new() },
            bias: (0..size).map(|neuron| T::of(*per_neuron(&constants.bias, neuron))).collect(),
            adaptation_beta: adaptation.iter().map(|adaptation| T::of(adaptation.beta)).collect(),
            adaptation_tau: adaptation.iter().map(|adaptation| T::of(adaptation.tau)).collect(),
        }
    }
}

/// A list of parameters: what it is and the position of its connection or layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ParameterId {
    /// The weights of a connection.
    Weights(usize),
    /// The delays of a connection.
    Delays(usize),
    /// The membrane time constants of a layer.
    TauMem(usize),
    /// The synaptic time constants of a layer.
    TauSyn(usize),
    /// The thresholds of a layer.
    Threshold(usize),
    /// The bias currents of a layer.
    Bias(usize),
    /// What a spike adds to a layer's thresholds.
    AdaptationBeta(usize),
    /// The time constant of a layer's adaptation.
    AdaptationTau(usize),
}

/// The value that holds for `neuron` in a list of one value for all or one a neuron.
#[inline]
pub fn per_neuron<T>(values: &[T], neuron: usize) -> &T {
    if values.len() == 1 { &values[0] } else { &values[neuron] }
}
