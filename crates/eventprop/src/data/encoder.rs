use super::DataError;
use crate::config::EncodingConfig;
use lif_core::{DescriptionError, SpikeBatch};
use mnist_spikes::{ImageSet, Latency, TwoTime};

/// From grey levels to spikes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Encoder {
    Latency(Latency),
    TwoTime(TwoTime),
}

impl Encoder {
    pub(super) fn new(encoding: EncodingConfig) -> Result<Self, DataError> {
        match encoding {
            EncodingConfig::Latency { t_min, t_max, cut } => {
                Ok(Self::Latency(Latency::new(t_min, t_max, cut)?))
            }
            EncodingConfig::TwoTime { t_min, t_max } => {
                Ok(Self::TwoTime(TwoTime::new(t_min, t_max)?))
            }
            EncodingConfig::Points { .. } | EncodingConfig::Recorded => {
                let reason = "images need the encoding latency or two_time";
                Err(DescriptionError::new("data.encoding", reason).into())
            }
        }
    }

    pub(super) fn encode(&self, images: &ImageSet) -> SpikeBatch<f32> {
        match self {
            Self::Latency(latency) => latency.encode(images),
            Self::TwoTime(two_time) => two_time.encode(images),
        }
    }

    /// Appends the trains of images of `size` pixels each.
    pub(super) fn push(&self, images: &[u8], size: usize, batch: &mut SpikeBatch<f32>) {
        match self {
            Self::Latency(latency) => latency.push(images, size, batch),
            Self::TwoTime(two_time) => two_time.push(images, size, batch),
        }
    }
}
