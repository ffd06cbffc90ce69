use crate::metrics::EpochRecord;
use crate::progress::EpochSums;

/// What happens in a training.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// An epoch begins, or goes on after it was broken off.
    EpochStarted {
        /// The epoch, from 0.
        epoch: u32,
        /// Its batches.
        batches: usize,
    },
    /// A batch led to an update. Breaking off here loses nothing. An engine that keeps samples may be told to make
    /// several; then this comes of each after the last, and who breaks off does so after that.
    Batch {
        /// The epoch, from 0.
        epoch: u32,
        /// The batch, from 0.
        batch: usize,
        /// The batches of the epoch.
        batches: usize,
        /// The learning rate used.
        lr: f64,
        /// The epoch so far (spike counts are added at its end).
        sums: &'a EpochSums,
    },
    /// All batches are done; validation and test set are being measured.
    Evaluating,
    /// An epoch is done.
    EpochFinished(&'a EpochRecord),
}
