//! What a running training tells of itself: the file `live.json` in its folder.

use anyhow::Result;
use eventprop::config::TrainingConfig;
use eventprop::{EpochSums, Progress};
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// How often the file is written.
pub(crate) const EVERY: Duration = Duration::from_secs(1);

/// A training at one moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Live {
    pub(crate) state: State,
    /// The epoch under way, from 0.
    pub(crate) epoch: u32,
    pub(crate) epochs: u32,
    /// The batches of the epoch that are done.
    pub(crate) batch: usize,
    pub(crate) batches: usize,
    /// Mean loss and accuracy of the epoch so far.
    pub(crate) loss: f64,
    pub(crate) accuracy: f64,
    pub(crate) samples_per_second: f64,
    pub(crate) seconds_left: f64,
    /// When this was written, in seconds since 1970.
    pub(crate) written: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum State {
    Training,
    Testing,
    Stopped,
    Failed,
    Finished,
}

impl State {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Training => "training",
            Self::Testing => "measuring the test set",
            Self::Stopped => "stopped",
            Self::Failed => "failed",
            Self::Finished => "finished",
        }
    }

    pub(crate) fn is_over(self) -> bool {
        matches!(self, Self::Stopped | Self::Failed | Self::Finished)
    }
}

impl Live {
    /// What stands in a run's folder; none if there is nothing (yet).
    pub(crate) fn read(run: &Path) -> Option<Self> {
        serde_json::from_slice(&fs::read(file(run)).ok()?).ok()
    }

    /// Seconds since it was written.
    pub(crate) fn age(&self) -> u64 {
        now().saturating_sub(self.written)
    }
}

/// Writes the file now and then. That it cannot be written does not stop a training.
pub(crate) struct Report {
    run: PathBuf,
    live: Live,
    written: Instant,
}

impl Report {
    /// Of a training that has come as far as `progress`.
    pub(crate) fn new(run: &Path, training: &TrainingConfig, progress: &Progress) -> Self {
        let Progress { epoch, batch, sums, history } = progress;
        let batches = history.last().map_or(0, |last| last.samples.div_ceil(training.batch_size));
        let live = Live {
            state: State::Training,
            epoch: *epoch,
            epochs: training.epochs,
            batch: *batch,
            batches,
            loss: sums.mean_loss(),
            accuracy: sums.accuracy(),
            samples_per_second: sums.samples as f64 / sums.seconds.max(1e-9),
            seconds_left: 0.0,
            written: 0,
        };
        // Of the next epoch there is nothing to tell yet.
        let live = match history.last().filter(|_| *batch == 0) {
            Some(last) => Live {
                epoch: epoch.saturating_sub(1),
                batch: batches,
                loss: last.train_loss,
                accuracy: last.train_accuracy,
                samples_per_second: last.samples as f64 / last.seconds.max(1e-9),
                ..live
            },
            None => live,
        };
        Self { run: run.into(), live, written: Instant::now() }
    }

    /// A batch (from 0) of `batches` is done.
    pub(crate) fn batch(&mut self, epoch: u32, batch: usize, batches: usize, sums: &EpochSums) {
        let done = batch + 1;
        self.live = Live {
            epoch,
            batch: done,
            batches,
            loss: sums.mean_loss(),
            accuracy: sums.accuracy(),
            samples_per_second: sums.samples as f64 / sums.seconds.max(1e-9),
            seconds_left: seconds_left(self.live.epochs, epoch, done, batches, sums),
            state: State::Training,
            ..self.live
        };
        if self.live.written == 0 || self.written.elapsed() >= EVERY {
            let _ = self.write();
        }
    }

    /// Writes that the training is now in this state.
    pub(crate) fn state(&mut self, state: State) {
        self.live.state = state;
        let _ = self.write();
    }

    fn write(&mut self) -> Result<()> {
        self.written = Instant::now();
        self.live.written = now();
        // Whoever reads sees the old file or the new; it need not outlive a power cut.
        let beside = self.run.join(".writing-live");
        fs::write(&beside, serde_json::to_vec(&self.live)?)?;
        Ok(fs::rename(beside, file(&self.run))?)
    }
}

/// To the end of the last epoch, at the pace of this one.
pub(crate) fn seconds_left(
    epochs: u32,
    epoch: u32,
    done: usize,
    batches: usize,
    sums: &EpochSums,
) -> f64 {
    let left = f64::from(epochs - epoch) * batches as f64 - done as f64;
    // Resumed within an epoch, seconds and batches both count from its start.
    sums.seconds / done.max(1) as f64 * left
}

fn file(run: &Path) -> PathBuf {
    run.join("live.json")
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs())
}
