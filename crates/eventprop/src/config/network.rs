use super::error::suggest;
use crate::initialiser::{ConnectionStart, Initialiser};
use lif_core::network::{ConnectionKindSpec, ConnectionSpec, LayerSpec};
use lif_core::{DescriptionError, Network, Parameters, Real};
use serde::{Deserialize, Serialize};

/// A network: the fields of a problem file, with initialisers in place of weights.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkConfig {
    /// Simulated time in ms.
    pub duration: f64,
    /// The layers, the input first, the output last.
    pub layers: Vec<LayerSpec>,
    /// The connections.
    pub connections: Vec<ConnectionConfig>,
}

/// A connection with the initialisers of its weights and delays.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConnectionConfig {
    /// The name of the sending layer.
    pub from: String,
    /// The name of the receiving layer.
    pub to: String,
    /// How the layers are joined; default dense.
    #[serde(default = "dense")]
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
    /// How the weights start; required except for a pooling.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weights: Option<Initialiser>,
    /// How the delays (ms) start; without it there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delays: Option<Initialiser>,
}

impl NetworkConfig {
    /// The network described.
    ///
    /// # Errors
    /// Names the first field that makes no valid network, as `network.layers[1].tau_mem`.
    pub fn build(&self) -> Result<Network, DescriptionError> {
        let connections = self.connections.iter().map(ConnectionConfig::spec).collect();
        let network =
            Network::new(self.duration, self.layers.clone(), connections).map_err(|error| {
                let reason = error.reason + &self.layer_meant(&error.path);
                DescriptionError::new(format!("network.{}", error.path), reason)
            })?;
        for (position, connection) in self.connections.iter().enumerate() {
            connection.check_initialisers(&format!("network.connections[{position}]"))?;
        }
        Ok(network)
    }

    /// The configuration of a network whose weights and delays come from elsewhere, such as a
    /// checkpoint: its own start at 0.
    pub fn of(network: &Network) -> Self {
        let (layers, connections) = network.specs();
        let connection = |spec: &ConnectionSpec| {
            let zeros = Some(Initialiser::Zeros);
            ConnectionConfig {
                from: spec.from.clone(),
                to: spec.to.clone(),
                kind: spec.kind,
                kernel: spec.kernel,
                stride: spec.stride,
                padding: spec.padding,
                weight: spec.weight,
                weights: zeros.filter(|_| spec.kind != ConnectionKindSpec::SumPool2d),
                delays: zeros.filter(|_| spec.delays),
            }
        };
        Self {
            duration: network.duration(),
            layers: layers.to_vec(),
            connections: connections.iter().map(connection).collect(),
        }
    }

    /// The parameters that training starts with.
    ///
    /// # Errors
    /// Those of [`build`](Self::build), or a delay drawn below 0.
    pub fn initial_parameters<T: Real>(
        &self,
        seed: u64,
    ) -> Result<Parameters<T>, DescriptionError> {
        let starts: Vec<_> = self.connections.iter().map(ConnectionConfig::start).collect();
        crate::initialiser::initial_parameters(&self.build()?, &starts, seed)
    }

    /// Where `path` leads to the name of a layer that does not exist, the one that may be meant.
    fn layer_meant(&self, path: &str) -> String {
        let names = || self.layers.iter().map(|layer| layer.name.as_str());
        let mut ends = self.connections.iter().enumerate().flat_map(|(position, connection)| {
            let at = |end| format!("connections[{position}].{end}");
            [(at("from"), connection.from.as_str()), (at("to"), connection.to.as_str())]
        });
        match ends.find(|(at, _)| at == path) {
            Some((_, name)) if names().all(|known| known != name) => suggest(name, names()),
            _ => String::new(),
        }
    }
}

fn dense() -> ConnectionKindSpec {
    ConnectionKindSpec::Dense
}

impl ConnectionConfig {
    fn spec(&self) -> ConnectionSpec {
        ConnectionSpec {
            from: self.from.clone(),
            to: self.to.clone(),
            kind: self.kind,
            kernel: self.kernel,
            stride: self.stride,
            padding: self.padding,
            weight: self.weight,
            delays: self.delays.is_some(),
        }
    }

    fn start(&self) -> ConnectionStart {
        ConnectionStart {
            weights: self.weights.unwrap_or_default(),
            delays: self.delays.unwrap_or_default(),
        }
    }

    fn check_initialisers(&self, path: &str) -> Result<(), DescriptionError> {
        let pools = self.kind == ConnectionKindSpec::SumPool2d;
        let at = |field: &str| format!("{path}.{field}");
        if self.weights.is_some() == pools {
            let reason = if pools {
                "a pooling has one fixed weight: give \"weight\""
            } else {
                "is missing: how the weights start, such as { normal = { mean = 0.1, sd = 0.1 } }"
            };
            return Err(DescriptionError::new(at("weights"), reason));
        }
        let ConnectionStart { weights, delays } = self.start();
        weights.check(&at("weights"))?;
        delays.check(&at("delays"))?;
        match delays {
            Initialiser::Constant(lowest) | Initialiser::Uniform { low: lowest, .. }
                if lowest < 0.0 =>
            {
                let reason = format!("a delay must not be negative, got {lowest}");
                Err(DescriptionError::new(at("delays"), reason))
            }
            _ => Ok(()),
        }
    }
}
