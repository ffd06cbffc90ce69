//! The serialisable description of a network.

use serde::de::value::SeqAccessDeserializer;
use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use std::fmt;

/// A layer as files describe it. Fields that are left out take the defaults named here.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LayerSpec {
    /// Its name, unique in the network.
    pub name: String,
    /// Its kind of neuron.
    pub kind: LayerKind,
    /// Its number of neurons.
    pub size: usize,
    /// `[channels, height, width]`: only where a convolution or a pooling needs it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shape: Option<[usize; 3]>,
    /// Membrane time constant in ms. No default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tau_mem: Option<OneOrMany>,
    /// Synaptic time constant in ms. No default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tau_syn: Option<OneOrMany>,
    /// Firing threshold, default 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold: Option<OneOrMany>,
    /// Voltage after a spike, default 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reset: Option<f64>,
    /// Constant input current, default 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bias: Option<OneOrMany>,
    /// Absolute refractory time in ms, default 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refractory: Option<f64>,
    /// Threshold adaptation, default none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adaptation: Option<Adaptation>,
}

impl LayerSpec {
    /// An input layer of `size` neurons.
    pub fn input(name: impl Into<String>, size: usize) -> Self {
        Self {
            name: name.into(),
            kind: LayerKind::Input,
            size,
            shape: None,
            tau_mem: None,
            tau_syn: None,
            threshold: None,
            reset: None,
            bias: None,
            refractory: None,
            adaptation: None,
        }
    }

    /// A layer of `size` leaky integrate-and-fire neurons with time constants in ms.
    pub fn lif(name: impl Into<String>, size: usize, tau_mem: f64, tau_syn: f64) -> Self {
        Self {
            kind: LayerKind::Lif,
            tau_mem: Some(OneOrMany::One(tau_mem)),
            tau_syn: Some(OneOrMany::One(tau_syn)),
            ..Self::input(name, size)
        }
    }

    /// A layer of `size` leaky integrators with time constants in ms.
    pub fn li(name: impl Into<String>, size: usize, tau_mem: f64, tau_syn: f64) -> Self {
        Self { kind: LayerKind::Li, ..Self::lif(name, size, tau_mem, tau_syn) }
    }

    /// The same layer with an image shape `[channels, height, width]`.
    pub fn with_shape(self, shape: [usize; 3]) -> Self {
        Self { shape: Some(shape), ..self }
    }
}

/// The kinds of layer, as files spell them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LayerKind {
    /// Sends the spikes of the sample.
    Input,
    /// Leaky integrate-and-fire neurons.
    Lif,
    /// Leaky integrators: a readout that never spikes.
    Li,
}

/// A constant of a layer: one for all its neurons, or one for each.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum OneOrMany {
    /// One value for the layer.
    One(f64),
    /// One value a neuron.
    Many(Vec<f64>),
}

// By hand: of what is neither, serde's own says nothing that helps.
impl<'de> Deserialize<'de> for OneOrMany {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Values;

        impl<'de> Visitor<'de> for Values {
            type Value = OneOrMany;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number, or a list of one a neuron")
            }

            fn visit_f64<E>(self, value: f64) -> Result<OneOrMany, E> {
                Ok(OneOrMany::One(value))
            }

            fn visit_i64<E>(self, value: i64) -> Result<OneOrMany, E> {
                Ok(OneOrMany::One(value as f64))
            }

            fn visit_u64<E>(self, value: u64) -> Result<OneOrMany, E> {
                Ok(OneOrMany::One(value as f64))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, values: A) -> Result<OneOrMany, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(values)).map(OneOrMany::Many)
            }
        }

        deserializer.deserialize_any(Values)
    }
}

/// Threshold adaptation: the neuron spikes where V - B reaches the threshold; tau dB/dt = -B, and
/// B grows by `beta` after each spike.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Adaptation {
    /// What a spike adds to B, not negative.
    pub beta: f64,
    /// Time constant of B in ms, positive.
    pub tau: f64,
}

/// A connection as files describe it, without its weights.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConnectionSpec {
    /// The name of the sending layer.
    pub from: String,
    /// The name of the receiving layer.
    pub to: String,
    /// How the layers are joined.
    pub kind: ConnectionKindSpec,
    /// (height, width) of the kernel; convolutions and pooling only, required there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kernel: Option<[usize; 2]>,
    /// Stride; default 1 for a convolution, the kernel for a pooling.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stride: Option<[usize; 2]>,
    /// Zero padding, default 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub padding: Option<[usize; 2]>,
    /// The fixed weight of a pooling; required there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight: Option<f64>,
    /// Whether each weight has a delay of its own, default no.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub delays: bool,
}

impl ConnectionSpec {
    /// Every neuron of `from` to every neuron of `to`, without delays.
    pub fn dense(from: impl Into<String>, to: impl Into<String>) -> Self {
        Self {
            from: from.into(),
            to: to.into(),
            kind: ConnectionKindSpec::Dense,
            kernel: None,
            stride: None,
            padding: None,
            weight: None,
            delays: false,
        }
    }
}

/// The kinds of connection, as files spell them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConnectionKindSpec {
    /// Every neuron to every neuron.
    Dense,
    /// Cross-correlation with shared weights.
    Conv2d,
    /// Sums over windows with one fixed weight.
    #[serde(rename = "sum_pool2d")]
    SumPool2d,
}
