//! Problem files: a small, complete experiment in JSON (a network, its input spikes, a loss), by
//! which gradients are compared across engines and simulators.
//!
//! [`Problem::parse`] reads one, [`solve`] lets an engine compute its gradient,
//! [`solve_by_finite_differences`] does it without any backward pass. A [`Solution`] serialises to a
//! result file.

mod error;
mod file;
mod nested;
mod solution;
mod write;

pub use error::ProblemError;
pub use solution::{
    AdaptationGradient, ConnectionGradient, Gradients, LayerGradient, Named, OneOrManyGradient,
    Solution, SolveError, solve, solve_by_finite_differences,
};

use lif_core::loss::Loss;
use lif_core::{Network, Parameters};
use serde::Serialize;
use std::path::Path;

/// A problem whose parts fit each other.
#[derive(Clone, Debug, PartialEq)]
pub struct Problem {
    /// The network.
    pub network: Network,
    /// Its weights, delays and constants.
    pub parameters: Parameters<f64>,
    /// At least one sample.
    pub samples: Vec<Sample>,
    /// The loss; the total is the mean over the samples.
    pub loss: Loss,
}

/// Input spikes with a label.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Sample {
    /// (time in ms, input index), in the order of the file.
    pub spikes: Vec<(f64, u32)>,
    /// An index into the output layer.
    pub label: u32,
}

impl Problem {
    /// Reads a problem file.
    ///
    /// # Errors
    /// The first thing that is wrong, with its place as a JSON path. Arbitrary bytes do no worse.
    pub fn parse(json: &[u8]) -> Result<Self, ProblemError> {
        file::parse(json)
    }

    /// The problem file, with the constants that the parameters have.
    ///
    /// # Panics
    /// If the parameters are not of the network's shape, or hold what JSON has no number for.
    pub fn to_json(&self) -> String {
        write::json(self)
    }

    /// Reads the problem file at `path`.
    ///
    /// # Errors
    /// If it cannot be read; those of [`parse`](Self::parse), with the file's name before their place.
    pub fn load(path: &Path) -> Result<Self, ProblemError> {
        let name = path.display();
        let json = std::fs::read(path)
            .map_err(|error| ProblemError::new("", format!("cannot read {name}: {error}")))?;
        Self::parse(&json).map_err(|error| match error.path.as_str() {
            "" => ProblemError::new(name.to_string(), error.reason),
            inside => ProblemError::new(format!("{name}: {inside}"), error.reason),
        })
    }
}
