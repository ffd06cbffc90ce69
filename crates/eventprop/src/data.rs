//! Data sets as training sees them: spike trains with labels, changed anew in each epoch where the
//! configuration says so.

mod augment;
mod encoder;
mod error;
mod samples;
mod source;

pub use error::DataError;
pub use samples::Samples;

use crate::config::Config;
use crate::parallel::part;
use lif_core::{DescriptionError, Network};
use source::{Part, Source};

pub(crate) use augment::{Changing, EpochDraws};

/// Samples to train on and to test on.
#[derive(Clone, Debug)]
pub struct Data {
    /// Those to train on.
    pub train: Samples,
    /// Those kept from the training set to choose a recipe by.
    pub validation: Option<Samples>,
    /// Those to test on.
    pub test: Samples,
}

impl Data {
    /// The data that `config` names, encoded, checked against its network. What is augmented is drawn
    /// by the seed of its training.
    ///
    /// # Errors
    /// If files cannot be read or are no data set, or the samples do not fit the network.
    pub fn load(config: &Config) -> Result<Self, DataError> {
        let settings = &config.data;
        let mut source = Source::open(settings)?;
        let train = source.part(Part::Train)?;
        if settings.validation >= train.len() {
            let (validation, samples) = (settings.validation, train.len());
            let reason = format!("must be below the {samples} training samples, got {validation}");
            return Err(DescriptionError::new("data.validation", reason).into());
        }
        let (validation, train) = match settings.validation {
            0 => {
                (source.has_validation().then(|| source.part(Part::Validation)).transpose()?, train)
            }
            count => {
                let (validation, train) = train.split_at(count);
                (Some(validation), train)
            }
        };
        let changes = source.changes(config.training.seed, &train)?;
        let train = train.changed_by(changes);
        source.forget_training();
        let data = Self { train, validation, test: source.part(Part::Test)? };
        data.check(&config.network.build()?)?;
        Ok(data)
    }

    /// Leaves this rank its part of every set of more than `limit` bytes. A set whose samples are blended
    /// with others stays whole.
    pub(crate) fn parted(self, rank: usize, ranks: usize, limit: usize) -> Self {
        let parted = |samples: Samples| {
            if ranks == 1 || samples.bytes() <= limit || !samples.change_alone() {
                return samples;
            }
            let held = part(rank, ranks, samples.len());
            samples.hold(held)
        };
        Self {
            train: parted(self.train),
            validation: self.validation.map(parted),
            test: parted(self.test),
        }
    }

    /// Checks that the samples fit `network`.
    ///
    /// # Errors
    /// Says which number differs from which.
    pub fn check(&self, network: &Network) -> Result<(), DescriptionError> {
        if self.train.is_empty() || self.test.is_empty() {
            let reason = "there is no training or no test sample";
            return Err(DescriptionError::new("data", reason));
        }
        self.train.check(network)?;
        self.validation.as_ref().map_or(Ok(()), |validation| validation.check(network))?;
        self.test.check(network)
    }
}
