use lif_core::DescriptionError;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Which samples, and how they become spikes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DataConfig {
    /// A data set that the program knows.
    pub name: DatasetName,
    /// A folder of IDX files to take in its place, plain or gzipped, under the names of MNIST's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub folder: Option<PathBuf>,
    /// From image to spikes.
    pub encoding: EncodingConfig,
    /// The fraction of input spikes dropped in training, drawn anew each epoch.
    pub dropout: f64,
    /// How many samples at the start of the training set are kept for validation.
    pub validation: usize,
}

/// The data sets that the program knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DatasetName {
    /// MNIST, bundled: 60,000 training and 10,000 test images of 28 x 28.
    #[default]
    Mnist,
    /// Yin-Yang (Kriener, Göltz & Petrovici 2022) as published: 5,000 training, 1,000 validation and
    /// 1,000 test points.
    YinYang,
}

/// How an image or a point becomes spikes. Pixels are 0 to 255, times in ms.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum EncodingConfig {
    /// A pixel above `cut` spikes once: the brightest at `t_min`, and linearly later the darker, a
    /// black one would at `t_max`.
    Latency {
        /// Time of a white pixel.
        #[serde(default)]
        t_min: f64,
        /// Time at which a black pixel would spike.
        t_max: f64,
        /// Pixels at or below it stay silent.
        #[serde(default = "default_cut")]
        cut: u8,
    },
    /// Every pixel spikes once, at one of two times: half white or more (128 to 255) at `t_min`, the others
    /// at `t_max`.
    TwoTime {
        /// Time of a white pixel.
        t_min: f64,
        /// Time of a black pixel.
        t_max: f64,
    },
    /// Inputs spike at x, y, 1 - x and 1 - y, stretched to the times from `t_min` to `t_max`, and
    /// with a bias one more at that time.
    Points {
        /// Time of 0.
        #[serde(default)]
        t_min: f64,
        /// Time of 1.
        t_max: f64,
        /// Time of the bias spike.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        bias: Option<f64>,
    },
}

fn default_cut() -> u8 {
    1
}

impl Default for EncodingConfig {
    /// Wunderlich & Pehle's: pixels above 1, over 20 ms.
    fn default() -> Self {
        Self::Latency { t_min: 0.0, t_max: 20.0, cut: default_cut() }
    }
}

impl EncodingConfig {
    /// The earliest and the latest time, to be changed.
    pub(super) fn times_mut(&mut self) -> (&mut f64, &mut f64) {
        match self {
            Self::Latency { t_min, t_max, .. }
            | Self::TwoTime { t_min, t_max }
            | Self::Points { t_min, t_max, .. } => (t_min, t_max),
        }
    }
}

impl DataConfig {
    pub(super) fn check(&self) -> Result<(), DescriptionError> {
        if !(0.0..1.0).contains(&self.dropout) {
            let reason = format!("must be at least 0 and below 1, got {}", self.dropout);
            return Err(DescriptionError::new("data.dropout", reason));
        }
        let (EncodingConfig::Latency { t_min, t_max, .. }
        | EncodingConfig::TwoTime { t_min, t_max }
        | EncodingConfig::Points { t_min, t_max, .. }) = self.encoding;
        if !(t_min.is_finite() && t_max.is_finite() && t_min >= 0.0 && t_max >= t_min) {
            let reason = format!("needs times with 0 <= t_min <= t_max, got {t_min} and {t_max}");
            return Err(DescriptionError::new("data.encoding", reason));
        }
        let has_points = self.name == DatasetName::YinYang && self.folder.is_none();
        if has_points != matches!(self.encoding, EncodingConfig::Points { .. }) {
            let reason = "images need the encoding latency or two_time, yin_yang needs points";
            return Err(DescriptionError::new("data.encoding", reason));
        }
        if has_points && self.validation > 0 {
            let reason = "yin_yang has a validation set of its own; remove it";
            return Err(DescriptionError::new("data.validation", reason));
        }
        Ok(())
    }
}
