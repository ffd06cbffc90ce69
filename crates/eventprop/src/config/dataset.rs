use lif_core::DescriptionError;
use mnist_spikes::events::Camera;
use mnist_spikes::yin_yang;
use serde::{Deserialize, Serialize};

/// The data sets that the program knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DatasetName {
    /// MNIST, bundled: 60,000 training and 10,000 test images of 28 x 28. With a folder, the images
    /// there.
    #[default]
    Mnist,
    /// Fashion-MNIST, in the folder or where Debian's package dataset-fashion-mnist puts it.
    FashionMnist,
    /// KMNIST, in the folder.
    Kmnist,
    /// One of the sets of EMNIST, in the folder; turned upright.
    Emnist,
    /// Yin-Yang (Kriener, Göltz & Petrovici 2022) as published: 5,000 training, 1,000 validation and
    /// 1,000 test points; or other draws.
    YinYang,
    /// MNIST (or the images in the folder) moved before a simulated event camera along the three
    /// saccades of N-MNIST.
    MovingMnist,
    /// Spiking Heidelberg Digits: `shd_train.h5` and `shd_test.h5` in the folder.
    Shd,
    /// Spiking Speech Commands: `ssc_train.h5`, `ssc_valid.h5` and `ssc_test.h5` in the folder.
    Ssc,
    /// N-MNIST: `Train` and `Test` in the folder.
    Nmnist,
    /// DVS128 Gesture: `trials_to_train.txt`, `trials_to_test.txt` and what they name in the folder.
    DvsGesture,
}

/// What the samples of a data set are before they are spikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DataKind {
    /// Grey images, encoded.
    Images,
    /// Points of a plane, encoded.
    Points,
    /// Events: they are spikes already.
    Events,
}

impl DatasetName {
    /// What its samples are.
    pub fn kind(self) -> DataKind {
        match self {
            Self::Mnist | Self::FashionMnist | Self::Kmnist | Self::Emnist => DataKind::Images,
            Self::YinYang => DataKind::Points,
            Self::MovingMnist | Self::Shd | Self::Ssc | Self::Nmnist | Self::DvsGesture => {
                DataKind::Events
            }
        }
    }

    /// Whether it reads IDX files from a folder.
    pub(super) fn reads_images(self) -> bool {
        self.kind() == DataKind::Images || self == Self::MovingMnist
    }

    /// Why no validation set can be cut from the start of its training set, if that is so.
    pub(super) fn refuses_validation(self) -> Option<&'static str> {
        match self {
            Self::YinYang | Self::Ssc => Some("the data have a validation set of their own"),
            Self::Nmnist | Self::DvsGesture => {
                Some("the training set is sorted, its start is no fair sample")
            }
            _ => None,
        }
    }
}

/// The sets of Yin-Yang that are drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DrawsConfig {
    /// To train on; default the published 5,000 of seed 42.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub train: Option<DrawConfig>,
    /// To choose a recipe by; default the published 1,000 of seed 41.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub validation: Option<DrawConfig>,
    /// To test on; default the published 1,000 of seed 40.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test: Option<DrawConfig>,
}

/// One drawn set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DrawConfig {
    /// The number of points.
    pub size: usize,
    /// The seed of numpy's `RandomState`.
    pub seed: u32,
}

/// The most points that are drawn: beyond it a number is taken for a mistake.
const MOST_POINTS: usize = 10_000_000;

impl DrawsConfig {
    /// Whether these are the published sets.
    pub fn is_published(&self) -> bool {
        *self == Self::default()
    }

    /// Sizes and seeds of the training, validation and test set.
    pub fn resolve(&self) -> [(usize, u32); 3] {
        let of = |draw: Option<DrawConfig>, published| {
            draw.map_or(published, |DrawConfig { size, seed }| (size, seed))
        };
        [
            of(self.train, yin_yang::TRAIN),
            of(self.validation, yin_yang::VALIDATION),
            of(self.test, yin_yang::TEST),
        ]
    }

    pub(super) fn check(&self) -> Result<(), DescriptionError> {
        for ((size, _), name) in self.resolve().into_iter().zip(["train", "validation", "test"]) {
            if !(1..=MOST_POINTS).contains(&size) {
                let reason = format!("must be from 1 to {MOST_POINTS}, got {size}");
                return Err(DescriptionError::new(format!("data.draws.{name}.size"), reason));
            }
        }
        Ok(())
    }
}

/// The simulated event camera of `moving_mnist`; see [`Camera`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CameraConfig {
    /// The change of ln(light) that makes an event.
    pub threshold: f64,
    /// The standard deviation of the pixels' thresholds, relative to their mean.
    pub mismatch: f64,
    /// The light of a black pixel, white being 1.
    pub dark: f64,
    /// Events a second that each pixel sends of itself.
    pub noise: f64,
}

impl Default for CameraConfig {
    /// About as many events as N-MNIST has.
    fn default() -> Self {
        let Camera { threshold, mismatch, dark, noise } = Camera::default();
        Self { threshold, mismatch, dark, noise }
    }
}

impl CameraConfig {
    /// The camera.
    pub fn camera(&self) -> Camera {
        let Self { threshold, mismatch, dark, noise } = *self;
        Camera { threshold, mismatch, dark, noise }
    }
}
