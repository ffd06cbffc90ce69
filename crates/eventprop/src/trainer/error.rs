use crate::data::Samples;
use crate::parallel::TeamError;
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
    /// Another rank failed, and every rank stopped: what it said.
    #[error("{0}")]
    Elsewhere(String),
    /// Another rank cannot be reached.
    #[error("epoch {epoch}, batch {batch}: no connection to the other ranks: {source}")]
    Connection {
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
    Connection(#[from] std::io::Error),
    #[error("{0}")]
    Elsewhere(String),
}

impl From<TeamError> for StepError {
    fn from(error: TeamError) -> Self {
        match error {
            TeamError::Connection(error) => Self::Connection(error),
            TeamError::Own(error) => Self::Engine(error),
            TeamError::Elsewhere(text) => Self::Elsewhere(text),
        }
    }
}

/// Where in a training something happens.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    /// The epoch, from 0.
    pub(super) epoch: u32,
    /// The batch, from 0.
    pub(super) position: usize,
    /// The samples of the batch.
    pub(super) samples: &'a [u32],
    /// The set they are from.
    pub(super) set: &'a Samples,
}

impl Place<'_> {
    /// The error as one that happened here.
    pub(super) fn of(self, error: StepError) -> TrainError {
        let (epoch, batch) = (self.epoch + 1, self.position + 1);
        match error {
            StepError::Connection(source) => TrainError::Connection { epoch, batch, source },
            StepError::Elsewhere(text) => TrainError::Elsewhere(text),
            StepError::Engine(source) => {
                let blamed = match &source {
                    EngineError::NotFinite { sample, .. } | EngineError::Runaway { sample, .. } => {
                        self.samples.get(*sample)
                    }
                    _ => None,
                };
                let sample = SampleName(blamed.map(|&sample| self.set.in_set(sample as usize)));
                TrainError::Batch { epoch, batch, sample, source }
            }
        }
    }
}
