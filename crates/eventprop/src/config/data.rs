use super::augmentation::AugmentationConfig;
use super::dataset::{CameraConfig, DataKind, DatasetName, DrawsConfig};
use lif_core::DescriptionError;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Which samples, and how they become spikes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DataConfig {
    /// A data set that the program knows.
    pub name: DatasetName,
    /// Where its files are. Images are IDX files, plain or gzipped, under the names of MNIST's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub folder: Option<PathBuf>,
    /// Which of several image sets in the folder: `emnist-letters`, say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub set: Option<String>,
    /// From image or point to spikes.
    pub encoding: EncodingConfig,
    /// The fraction of input spikes dropped in training, drawn anew each epoch.
    pub dropout: f64,
    /// How many samples at the start of the training set are kept for validation.
    pub validation: usize,
    /// How training samples are changed anew in each epoch.
    #[serde(skip_serializing_if = "AugmentationConfig::is_none")]
    pub augmentation: AugmentationConfig,
    /// Which points `yin_yang` draws; without it those published.
    #[serde(skip_serializing_if = "DrawsConfig::is_published")]
    pub draws: DrawsConfig,
    /// The camera of `moving_mnist`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub camera: Option<CameraConfig>,
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
    /// Events are spikes as they are.
    Recorded,
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
    /// The earliest and the latest time, to be changed; none for what was recorded.
    pub(super) fn times_mut(&mut self) -> Option<(&mut f64, &mut f64)> {
        match self {
            Self::Latency { t_min, t_max, .. }
            | Self::TwoTime { t_min, t_max }
            | Self::Points { t_min, t_max, .. } => Some((t_min, t_max)),
            Self::Recorded => None,
        }
    }

    fn kind(&self) -> DataKind {
        match self {
            Self::Latency { .. } | Self::TwoTime { .. } => DataKind::Images,
            Self::Points { .. } => DataKind::Points,
            Self::Recorded => DataKind::Events,
        }
    }
}

impl DataConfig {
    pub(super) fn check(&self) -> Result<(), DescriptionError> {
        let refuse = |field: &str, reason: String| {
            Err(DescriptionError::new(format!("data.{field}"), reason))
        };
        if !(0.0..1.0).contains(&self.dropout) {
            let reason = format!("must be at least 0 and below 1, got {}", self.dropout);
            return refuse("dropout", reason);
        }
        if let Some((&mut t_min, &mut t_max)) = self.encoding.clone().times_mut()
            && !(t_min.is_finite() && t_max.is_finite() && t_min >= 0.0 && t_max >= t_min)
        {
            let reason = format!("needs times with 0 <= t_min <= t_max, got {t_min} and {t_max}");
            return refuse("encoding", reason);
        }
        if let EncodingConfig::Points { bias: Some(bias), .. } = self.encoding
            && !(bias.is_finite() && bias >= 0.0)
        {
            let reason = format!("must be finite and not negative, got {bias}");
            return refuse("encoding.points.bias", reason);
        }
        let kind = self.name.kind();
        if kind != self.encoding.kind() {
            let reason = match kind {
                DataKind::Images => {
                    "images need latency or two_time, such as { latency = { t_max = 20.0 } }"
                }
                DataKind::Points => "points need points, such as { points = { t_max = 30.0 } }",
                DataKind::Events => "events are spikes already: give \"recorded\"",
            };
            return refuse("encoding", reason.into());
        }
        self.check_source()?;
        self.check_augmentation()
    }

    /// The fields that only some data sets have.
    fn check_source(&self) -> Result<(), DescriptionError> {
        let refuse =
            |field: &str, reason: &str| Err(DescriptionError::new(format!("data.{field}"), reason));
        if let Some(reason) = self.name.refuses_validation().filter(|_| self.validation > 0) {
            return refuse("validation", &format!("{reason}; remove it"));
        }
        if self.folder.is_some() && self.name.kind() == DataKind::Points {
            return refuse("folder", "yin_yang is drawn, not read; remove it");
        }
        if self.set.is_some() && !self.name.reads_images() {
            return refuse("set", "names a set of IDX images; remove it");
        }
        if self.set.is_some() && self.folder.is_none() {
            return refuse("set", "names a set in a folder: give \"folder\" as well");
        }
        if !self.draws.is_published() && self.name != DatasetName::YinYang {
            return refuse("draws", "are those of yin_yang; remove it");
        }
        self.draws.check()?;
        match (&self.camera, self.name) {
            (None, _) => Ok(()),
            (Some(camera), DatasetName::MovingMnist) => match camera.camera().check() {
                Ok(()) => Ok(()),
                Err(error) => refuse("camera", &error.to_string()),
            },
            (Some(_), _) => refuse("camera", "is that of moving_mnist; remove it"),
        }
    }

    fn check_augmentation(&self) -> Result<(), DescriptionError> {
        match self.name.kind() {
            DataKind::Images => self.augmentation.of_images().map(drop),
            DataKind::Events => self.augmentation.of_events().map(drop),
            DataKind::Points if self.augmentation.is_none() => Ok(()),
            DataKind::Points => {
                let reason = "is for images and events; draw more points instead (data.draws)";
                Err(DescriptionError::new("data.augmentation", reason))
            }
        }
    }
}
