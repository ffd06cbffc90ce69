use super::{Batch, BatchStatistics, EngineError, UpdateStatistics};
use crate::Real;

/// Training on samples that were copied to where an engine computes: batches are positions in
/// them, and nothing has to come back before the last.
pub trait Resident<T: Real> {
    /// Replaces the samples kept.
    ///
    /// # Errors
    /// If they do not fit the network or the memory.
    fn keep(&mut self, samples: Batch<'_, T>) -> Result<(), EngineError>;

    /// Trains batch after batch: number k takes the samples at `order[k size .. (k + 1) size]` (the last
    /// may be shorter) at the learning rate `rates[k]`. Tells `trained` of each that was, in order; when, is the
    /// engine's choice.
    ///
    /// # Errors
    /// The first batch that fails; those before it are trained.
    fn train(
        &mut self,
        order: &[u32],
        size: usize,
        rates: &[f64],
        trained: &mut Trained<'_>,
    ) -> Result<(), BatchError>;
}

/// Is told what [`Resident::train`] made of a batch.
pub type Trained<'a> = dyn FnMut(BatchStatistics, UpdateStatistics) + 'a;

/// Why a batch of several failed.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("batch {batch}: {error}")]
pub struct BatchError {
    /// Its number among them.
    pub batch: usize,
    /// Why.
    pub error: EngineError,
}
