//! What is measured of a training.

use serde::{Deserialize, Deserializer, Serialize};
use std::fmt::Write;

/// What one epoch came to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EpochRecord {
    /// The epoch, from 1.
    pub epoch: u32,
    /// The learning rate of its last batch.
    pub lr: f64,
    /// Mean loss of the training samples, each measured before the update it led to.
    #[serde(deserialize_with = "number_or_null")]
    pub train_loss: f64,
    /// Fraction of the training samples that were predicted right, measured likewise.
    pub train_accuracy: f64,
    /// The validation set after the epoch, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validation: Option<Score>,
    /// The test set after the epoch.
    pub test: Score,
    /// Activity of the layers that spike, in training.
    pub layers: Vec<LayerActivity>,
    /// Spikes so close to grazing the threshold that the slope floor acted.
    pub grazing: u64,
    /// Gradient components that were clipped.
    pub clipped: u64,
    /// Neurons whose input weights were raised at the epoch's end because they were silent through it.
    pub lifted: u64,
    /// How often the clock-driven model raised a neuron's input weights because it was silent in some
    /// sample.
    pub bumps: u64,
    /// Neurons that stayed silent however often it did; their weights were put back.
    pub bump_gave_up: u64,
    /// Samples that were trained on.
    pub samples: usize,
    /// Wall time of training in s, evaluation not counted.
    pub seconds: f64,
}

/// Loss and accuracy on samples that were not trained on.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// Mean loss; it may be infinite.
    #[serde(deserialize_with = "number_or_null")]
    pub loss: f64,
    /// Fraction predicted right.
    pub accuracy: f64,
}

/// How much a layer spiked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LayerActivity {
    /// The layer's name.
    pub layer: String,
    /// Its spikes a sample.
    pub spikes_per_sample: f64,
    /// Its neurons that spiked in no sample.
    pub silent: usize,
}

/// JSON has no word for what is no number: it is written as null.
fn number_or_null<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or(f64::NAN))
}

impl EpochRecord {
    /// One line of JSON.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("a record is numbers and strings")
    }

    /// The names of the columns of [`to_csv`](Self::to_csv).
    pub fn csv_header(&self) -> String {
        let mut header = String::from("epoch,lr,train_loss,train_accuracy");
        if self.validation.is_some() {
            header += ",validation_loss,validation_accuracy";
        }
        header += ",test_loss,test_accuracy";
        for LayerActivity { layer, .. } in &self.layers {
            let layer = layer.replace([',', '"', '\n'], "_");
            let _ = write!(header, ",{layer}_spikes_per_sample,{layer}_silent");
        }
        header + ",grazing,clipped,lifted,bumps,bump_gave_up,samples,seconds"
    }

    /// One line of comma-separated values.
    pub fn to_csv(&self) -> String {
        let mut row =
            format!("{},{},{},{}", self.epoch, self.lr, self.train_loss, self.train_accuracy);
        for Score { loss, accuracy } in self.validation.iter().chain([&self.test]) {
            let _ = write!(row, ",{loss},{accuracy}");
        }
        for LayerActivity { spikes_per_sample, silent, .. } in &self.layers {
            let _ = write!(row, ",{spikes_per_sample},{silent}");
        }
        let Self { grazing, clipped, lifted, bumps, bump_gave_up, samples, seconds, .. } = self;
        let _ = write!(
            row,
            ",{grazing},{clipped},{lifted},{bumps},{bump_gave_up},{samples},{seconds:.3}"
        );
        row
    }
}

impl EpochRecord {
    /// The epoch of `epochs` in one line for people, without its wall time.
    pub fn summary(&self, epochs: u32) -> String {
        let mut line = format!(
            "epoch {:>3}/{epochs}  train {:.4} {:.2} %  test {:.4} {:.2} %",
            self.epoch,
            self.train_loss,
            100.0 * self.train_accuracy,
            self.test.loss,
            100.0 * self.test.accuracy,
        );
        if let Some(validation) = &self.validation {
            let _ = write!(line, "  validation {:.2} %", 100.0 * validation.accuracy);
        }
        for LayerActivity { layer, spikes_per_sample, silent } in &self.layers {
            let _ = write!(line, "  {layer} {spikes_per_sample:.1} spikes/sample {silent} silent");
        }
        let _ = write!(line, "  {} grazing {} clipped", self.grazing, self.clipped);
        for (count, what) in [
            (self.lifted, "lifted"),
            (self.bumps, "bumped"),
            (self.bump_gave_up, "left silent, bumped in vain"),
        ] {
            if count > 0 {
                let _ = write!(line, " {count} {what}");
            }
        }
        line
    }
}

/// What a whole set of samples came to.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Evaluation {
    /// The number of samples.
    pub samples: usize,
    /// Loss and accuracy.
    pub score: Score,
    /// Activity of the layers that spike.
    pub layers: Vec<LayerActivity>,
    /// `[label][prediction]`: how many samples; the last column counts those without a prediction.
    pub confusion: Vec<Vec<u64>>,
}

impl Evaluation {
    /// One line of JSON.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("an evaluation is numbers and strings")
    }
}
