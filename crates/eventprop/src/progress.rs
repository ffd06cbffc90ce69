use crate::metrics::EpochRecord;
use lif_core::engine::{BatchStatistics, UpdateStatistics};
use serde::{Deserialize, Serialize};

/// How far a training has come: with the parameters and the optimiser's state, everything needed to
/// go on as if it had never stopped.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Progress {
    /// The epoch under way, from 0; the number of epochs when all is done.
    pub epoch: u32,
    /// Its batches that are done.
    pub batch: usize,
    /// What these came to.
    pub sums: EpochSums,
    /// The epochs that are done.
    pub history: Vec<EpochRecord>,
}

/// Sums over the batches of an epoch.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EpochSums {
    /// Samples.
    pub samples: usize,
    /// Their losses.
    pub loss: f64,
    /// Those predicted right.
    pub correct: usize,
    /// Grazing spikes.
    pub grazing: u64,
    /// Clipped gradient components.
    pub clipped: u64,
    /// Silent neurons whose input weights were raised at the end of the epoch.
    pub lifted: u64,
    /// Silent neurons whose input weights the clock-driven model raised.
    pub bumps: u64,
    /// Neurons that stayed silent however often it did.
    pub bump_gave_up: u64,
    /// Spikes of each neuron, `[layer][neuron]`.
    pub activity: Vec<Vec<u64>>,
    /// Wall time in s.
    pub seconds: f64,
}

impl EpochSums {
    /// Adds a batch.
    pub(crate) fn add(&mut self, batch: BatchStatistics, update: UpdateStatistics) {
        self.samples += batch.samples;
        self.loss += batch.loss;
        self.correct += batch.correct;
        self.grazing += batch.grazing;
        self.bumps += batch.bumps;
        self.bump_gave_up += batch.bump_gave_up;
        self.clipped += update.clipped;
    }

    /// Adds spike counts, as engines give them.
    pub(crate) fn add_activity(&mut self, activity: Vec<Vec<u64>>) {
        if self.activity.is_empty() {
            self.activity = activity;
            return;
        }
        for (sums, layer) in self.activity.iter_mut().zip(activity) {
            for (sum, spikes) in sums.iter_mut().zip(layer) {
                *sum += spikes;
            }
        }
    }

    /// Mean loss.
    pub fn mean_loss(&self) -> f64 {
        self.loss / self.samples.max(1) as f64
    }

    /// Fraction predicted right.
    pub fn accuracy(&self) -> f64 {
        self.correct as f64 / self.samples.max(1) as f64
    }
}
