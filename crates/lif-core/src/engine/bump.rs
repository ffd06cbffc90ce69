use super::{BatchStatistics, EngineError};
use crate::Real;
use crate::spikes::SpikeBatch;
use std::ops::ControlFlow;

/// The remedy of [`crate::grid`] for silent neurons, for a batch that is differentiated in parts: it
/// looks at the batch as a whole.
///
/// Of a whole batch [`Engine::differentiate`](super::Engine::differentiate) takes care by itself.
/// Otherwise, before the first part is differentiated: [`silent`](Bump::silent) of all parts, whoever
/// runs them, and [`raise`](Bump::raise) with its sums, over again until that breaks off. From then to
/// the update no part changes weights, and the batch has the weights that it had as a whole.
pub trait Bump<T: Real> {
    /// Runs a part of a batch forward, as far as the layer whose turn it is. A number for each neuron
    /// there: 0 where it spikes in every sample.
    ///
    /// # Errors
    /// If an input index is out of range.
    fn silent(&mut self, spikes: &SpikeBatch<T>) -> Result<Vec<u64>, EngineError>;

    /// Raises the weights of neurons that are silent in a batch, `silent` being the sum over its parts.
    /// Goes on if their silence has to be looked at again, or that of the next layer; breaks with
    /// the batch's [`bumps`](BatchStatistics::bumps) and [`bump_gave_up`](BatchStatistics::bump_gave_up).
    fn raise(&mut self, silent: &[u64]) -> ControlFlow<BatchStatistics>;
}
