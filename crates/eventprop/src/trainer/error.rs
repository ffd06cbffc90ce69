use crate::data::Samples;
use lif_core::DescriptionError;
use lif_core::engine::EngineError;

/// Why a training cannot start or go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrainError {
    /// The configuration is invalid, or the data do not fit the network.
    #[error(transparent)]
    Description(#[from] DescriptionError),
    /// The engine cannot be had or cannot compute the network.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// A batch could not be computed.
    #[error("epoch {epoch}, batch {batch}{sample}: {source}")]
    Batch {
        /// The epoch, from 1.
        epoch: u32,
        /// The batch, from 1.
        batch: usize,
        /// The sample, where one is to blame.
        sample: SampleName,
        /// What happened.
        source: EngineError,
    },
    /// Gradients could not be summed over machines.
    #[error("epoch {epoch}, batch {batch}: gradients cannot be summed: {source}")]
    Reduce {
        /// The epoch, from 1.
        epoch: u32,
        /// The batch, from 1.
        batch: usize,
        /// Why.
        source: std::io::Error,
    },
}

/// A sample's position in the training set, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SampleName(pub Option<usize>);

impl std::fmt::Display for SampleName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Some(sample) => write!(f, ", training sample {sample}"),
            None => Ok(()),
        }
    }
}

/// An error within a step, before it is known where in the training it happened.
#[derive(Debug, thiserror::Error)]
pub(super) enum StepError {
    #[error(transparent)]
    Engine(#[from] EngineError),
    #[error(transparent)]
    Reduce(#[from] std::io::Error),
}

impl StepError {
    pub(super) fn into_error(
        self,
        epoch: u32,
        position: usize,
        batch_samples: &[u32],
        samples: &Samples,
    ) -> TrainError {
        let (epoch, batch) = (epoch + 1, position + 1);
        match self {
            Self::Reduce(source) => TrainError::Reduce { epoch, batch, source },
            Self::Engine(source) => {
                let blamed = match &source {
                    EngineError::NotFinite { sample, .. } | EngineError::Runaway { sample, .. } => {
                        batch_samples.get(*sample)
                    }
                    _ => None,
                };
                let sample = SampleName(blamed.map(|&sample| samples.in_set(sample as usize)));
                TrainError::Batch { epoch, batch, sample, source }
            }
        }
    }
}
