use super::weights::Weights;
use crate::error::ImportError;
use lif_core::network::{ConnectionKindSpec, ConnectionSpec};

/// A connection in the making.
pub(super) struct Synapse {
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) weights: Weights,
    /// In ms, in the order of the weights.
    pub(super) delays: Option<Vec<f64>>,
    /// The connection of the exported network that it is a part of, and which column of its weights.
    pub(super) part: Option<(usize, usize)>,
    /// The node that errors are told of, with its kind.
    pub(super) node: (String, String),
}

impl Synapse {
    pub(super) fn refuse(&self, reason: impl Into<String>) -> ImportError {
        ImportError::node(&self.node.0, &self.node.1, reason.into())
    }

    /// The description of the connection.
    pub(super) fn spec(&self, from: &str, to: &str) -> ConnectionSpec {
        let dense =
            ConnectionSpec { delays: self.delays.is_some(), ..ConnectionSpec::dense(from, to) };
        match &self.weights {
            Weights::Dense { .. } => dense,
            Weights::Conv2d { window, .. } => ConnectionSpec {
                kind: ConnectionKindSpec::Conv2d,
                kernel: Some(window.kernel),
                stride: Some(window.stride),
                padding: Some(window.padding),
                ..dense
            },
            Weights::SumPool2d { window, weight } => ConnectionSpec {
                kind: ConnectionKindSpec::SumPool2d,
                kernel: Some(window.kernel),
                stride: Some(window.stride),
                padding: Some(window.padding),
                weight: Some(*weight),
                ..dense
            },
        }
    }

    /// Weights and delays in the order of [`lif_core::Parameters`].
    pub(super) fn values(self) -> (Vec<f64>, Vec<f64>) {
        let delays = self.delays.unwrap_or_default();
        match self.weights {
            Weights::Dense { values, sources } => {
                (by_source(&values, sources), by_source(&delays, sources))
            }
            Weights::Conv2d { values, .. } => (values, delays),
            Weights::SumPool2d { .. } => (Vec::new(), Vec::new()),
        }
    }
}

/// `[source][target]` of `[target][source]`.
fn by_source(values: &[f64], sources: usize) -> Vec<f64> {
    let column = |source| values.iter().skip(source).step_by(sources).copied();
    (0..sources).flat_map(column).collect()
}
