//! What a network is: its layers, its connections, the constants its neurons start with.
//!
//! A [`Network`] holds no weights. It is built from serialisable descriptions ([`LayerSpec`],
//! [`ConnectionSpec`]: the fields of a problem file) and checked once; whoever holds one need not
//! check again.

mod check;
mod connectivity;
mod spec;

pub use connectivity::Window;
pub use spec::{Adaptation, ConnectionKindSpec, ConnectionSpec, LayerKind, LayerSpec, OneOrMany};

use serde::{Deserialize, Serialize};

/// A network whose shapes and constants have been checked.
///
/// Layers come in the order given, the input first, the output last. Connections name layers by
/// position.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "NetworkSpec", into = "NetworkSpec")]
pub struct Network {
    duration: f64,
    layers: Vec<Layer>,
    connections: Vec<Connection>,
    spec: (Vec<LayerSpec>, Vec<ConnectionSpec>),
}

/// A layer of a [`Network`].
#[derive(Clone, Debug, PartialEq)]
pub struct Layer {
    /// Its name, unique in the network.
    pub name: String,
    /// Its number of neurons.
    pub size: usize,
    /// `[channels, height, width]`, where it has one; neuron `(c, y, x)` is `(c * height + y) * width + x`.
    pub shape: Option<[usize; 3]>,
    /// What its neurons are, with the constants they start with.
    pub neuron: Neuron,
}

impl Layer {
    /// The constants of its neurons; none for an input layer.
    pub fn constants(&self) -> Option<&NeuronConstants> {
        match &self.neuron {
            Neuron::Input => None,
            Neuron::Lif(constants) | Neuron::Li(constants) => Some(constants),
        }
    }

    /// Whether its neurons can spike (inputs do, leaky integrators do not).
    pub fn spikes(&self) -> bool {
        !matches!(self.neuron, Neuron::Li(_))
    }

    /// Whether its neurons are leaky integrate-and-fire neurons.
    pub fn is_lif(&self) -> bool {
        matches!(self.neuron, Neuron::Lif(_))
    }
}

/// The kinds of neuron.
#[derive(Clone, Debug, PartialEq)]
pub enum Neuron {
    /// Sends the spikes of the sample.
    Input,
    /// Leaky integrate-and-fire: spikes and is reset.
    Lif(NeuronConstants),
    /// Leaky integrator: never spikes. Threshold, reset, refractory time and adaptation mean nothing.
    Li(NeuronConstants),
}

/// The constants of a layer's neurons. A list holds one value for the whole layer or one a neuron.
#[derive(Clone, Debug, PartialEq)]
pub struct NeuronConstants {
    /// Membrane time constant in ms, positive.
    pub tau_mem: Vec<f64>,
    /// Synaptic time constant in ms, positive.
    pub tau_syn: Vec<f64>,
    /// Firing threshold, above the reset.
    pub threshold: Vec<f64>,
    /// The voltage after a spike.
    pub reset: f64,
    /// Constant input current.
    pub bias: Vec<f64>,
    /// Absolute refractory time in ms, not negative.
    pub refractory: f64,
    /// Threshold adaptation, where the layer has it.
    pub adaptation: Option<Adaptation>,
}

/// A connection between two layers of a [`Network`].
#[derive(Clone, Debug, PartialEq)]
pub struct Connection {
    /// The position of the sending layer.
    pub from: usize,
    /// The position of the receiving layer.
    pub to: usize,
    /// Which neuron reaches which.
    pub kind: ConnectionKind,
    /// Whether each weight has a delay of its own.
    pub delays: bool,
}

/// How the neurons of two layers are joined.
#[derive(Clone, Debug, PartialEq)]
pub enum ConnectionKind {
    /// Every neuron to every neuron. Weights are `[source][target]`.
    Dense,
    /// Cross-correlation with zero padding. Weights are `[out_channel][in_channel][ky][kx]`.
    Conv2d(Window),
    /// Every window of a channel summed, with one fixed weight.
    SumPool2d {
        /// The window.
        window: Window,
        /// The fixed weight.
        weight: f64,
    },
}

/// The serialised form of a [`Network`].
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct NetworkSpec {
    duration: f64,
    layers: Vec<LayerSpec>,
    connections: Vec<ConnectionSpec>,
}

impl TryFrom<NetworkSpec> for Network {
    type Error = DescriptionError;

    fn try_from(spec: NetworkSpec) -> Result<Self, Self::Error> {
        Self::new(spec.duration, spec.layers, spec.connections)
    }
}

impl From<Network> for NetworkSpec {
    fn from(network: Network) -> Self {
        let (layers, connections) = network.spec;
        Self { duration: network.duration, layers, connections }
    }
}

/// Something wrong in the description of a network.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{path}: {reason}")]
pub struct DescriptionError {
    /// Where, in the way of JSON paths: `layers[1].tau_mem`.
    pub path: String,
    /// What is wrong and what would be right.
    pub reason: String,
}

impl DescriptionError {
    /// An error at `path`. It is one line, also where `reason` quotes a name with line breaks.
    pub fn new(path: impl Into<String>, reason: impl Into<String>) -> Self {
        let reason = reason.into().replace('\n', "\\n").replace('\r', "\\r");
        Self { path: path.into(), reason }
    }
}

impl Network {
    /// Builds a network that is simulated for `duration` ms.
    ///
    /// # Errors
    /// Names the first field that makes no valid network: see [`DescriptionError`].
    pub fn new(
        duration: f64,
        layers: Vec<LayerSpec>,
        connections: Vec<ConnectionSpec>,
    ) -> Result<Self, DescriptionError> {
        let (checked_layers, checked_connections) = check::check(duration, &layers, &connections)?;
        Ok(Self {
            duration,
            layers: checked_layers,
            connections: checked_connections,
            spec: (layers, connections),
        })
    }

    /// The descriptions it was built from.
    pub fn specs(&self) -> (&[LayerSpec], &[ConnectionSpec]) {
        (&self.spec.0, &self.spec.1)
    }

    /// The simulated time in ms; nothing happens after it.
    pub fn duration(&self) -> f64 {
        self.duration
    }

    /// The layers, the input first, the output last.
    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// The connections, in the order given.
    pub fn connections(&self) -> &[Connection] {
        &self.connections
    }

    /// `[from][to]`: whether spikes of one layer reach another on some way, by their positions. A layer reaches itself
    /// where spikes go round.
    pub fn reaches(&self) -> Vec<Vec<bool>> {
        let count = self.layers.len();
        let mut reaches = vec![vec![false; count]; count];
        for connection in &self.connections {
            reaches[connection.from][connection.to] = true;
        }
        // Networks have few layers: the closure of Warshall (1962) is simple and fast enough.
        for via in 0..count {
            let onward = reaches[via].clone();
            for row in reaches.iter_mut().filter(|row| row[via]) {
                row.iter_mut().zip(&onward).for_each(|(reach, &onward)| *reach |= onward);
            }
        }
        reaches
    }

    /// The first layer.
    pub fn input(&self) -> &Layer {
        &self.layers[0]
    }

    /// The position of the output layer: the last.
    pub fn output_index(&self) -> usize {
        self.layers.len() - 1
    }

    /// The last layer.
    pub fn output(&self) -> &Layer {
        &self.layers[self.output_index()]
    }

    /// The position of the layer called `name`.
    pub fn layer_index(&self, name: &str) -> Option<usize> {
        self.layers.iter().position(|layer| layer.name == name)
    }

    /// The number of weights of a connection (0 for pooling, whose weight is fixed).
    pub fn weight_count(&self, connection: usize) -> usize {
        let Connection { from, to, kind, .. } = &self.connections[connection];
        let (from, to) = (&self.layers[*from], &self.layers[*to]);
        match kind {
            ConnectionKind::Dense => from.size.saturating_mul(to.size),
            ConnectionKind::Conv2d(window) => {
                let channels = |layer: &Layer| layer.shape.map_or(1, |shape| shape[0]);
                [channels(to), window.kernel[0], window.kernel[1]]
                    .into_iter()
                    .fold(channels(from), usize::saturating_mul)
            }
            ConnectionKind::SumPool2d { .. } => 0,
        }
    }

    /// Calls `visit(target, weight)` for every neuron that neuron `source` of the connection's
    /// sending layer reaches, with the position of the synapse's weight in the connection's flat
    /// weights (none where the weight is fixed).
    pub fn fan_out(
        &self,
        connection: usize,
        source: usize,
        visit: impl FnMut(usize, Option<usize>),
    ) {
        let Connection { from, to, kind, .. } = &self.connections[connection];
        connectivity::fan_out(kind, &self.layers[*from], &self.layers[*to], source, visit);
    }
}
