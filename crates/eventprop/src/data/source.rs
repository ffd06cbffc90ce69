use super::augment::Changes;
use super::encoder::Encoder;
use super::{DataError, Samples};
use crate::config::{DataConfig, DataKind, DatasetName, EncodingConfig};
use lif_core::DescriptionError;
use mnist_spikes::events::{self, moving_mnist};
use mnist_spikes::folder;
use mnist_spikes::{ImageSet, Published, SpikeData, TrainTest, mnist, yin_yang};
use std::path::Path;
use std::sync::Arc;

/// The parts of a data set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Train,
    Validation,
    Test,
}

/// A data set that is found, its images read.
pub(super) struct Source<'a> {
    settings: &'a DataConfig,
    /// Of those sets that are made of images.
    images: Option<TrainTest>,
}

impl<'a> Source<'a> {
    pub(super) fn open(settings: &'a DataConfig) -> Result<Self, DataError> {
        let (folder, set) = (settings.folder.as_deref(), settings.set.as_deref());
        let images = match settings.name {
            DatasetName::Mnist | DatasetName::MovingMnist => Some(match folder {
                Some(folder) => folder::load(folder, set)?,
                None => mnist::load(),
            }),
            DatasetName::FashionMnist => Some(Published::FASHION_MNIST.load(folder, set)?),
            DatasetName::Kmnist => Some(Published::KMNIST.load(folder, set)?),
            DatasetName::Emnist => Some(Published::EMNIST.load(folder, set)?),
            _ => None,
        };
        Ok(Self { settings, images })
    }

    /// Whether the set comes with samples to choose a recipe by.
    pub(super) fn has_validation(&self) -> bool {
        matches!(self.settings.name, DatasetName::YinYang | DatasetName::Ssc)
    }

    pub(super) fn part(&self, part: Part) -> Result<Samples, DataError> {
        let settings = self.settings;
        if let Some(TrainTest { train, test }) = &self.images {
            let images = if part == Part::Test { test } else { train };
            return Ok(Samples::new(encode(settings, images, part)?));
        }
        let data = match settings.name {
            DatasetName::YinYang => {
                let [train, validation, test] = settings.draws.resolve();
                let (size, seed) = match part {
                    Part::Train => train,
                    Part::Validation => validation,
                    Part::Test => test,
                };
                points(settings, &yin_yang::draw(size, seed))?
            }
            DatasetName::Nmnist => {
                let half = if part == Part::Test { "Test" } else { "Train" };
                events::nmnist(&folder(settings).join(half))?
            }
            DatasetName::DvsGesture => {
                let half = if part == Part::Test { "test" } else { "train" };
                events::dvs_gesture(folder(settings), &format!("trials_to_{half}.txt"))?
            }
            _ => spoken(settings, part)?,
        };
        Ok(Samples::new(data))
    }

    /// Lets go of what only the training samples were made of.
    pub(super) fn forget_training(&mut self) {
        if let Some(images) = &mut self.images {
            images.train = images.train.slice(0..0);
        }
    }

    /// How the configuration changes the samples `train` in each epoch.
    pub(super) fn changes(
        &self,
        seed: u64,
        train: &Samples,
    ) -> Result<Option<Arc<Changes>>, DataError> {
        let settings = self.settings;
        if settings.augmentation.is_none() {
            return Ok(None);
        }
        let changes = match (settings.name.kind(), &self.images) {
            (DataKind::Images, Some(images)) => {
                let augmentation = settings.augmentation.of_images()?;
                Changes::images(
                    &images.train,
                    augmentation,
                    Encoder::new(settings.encoding)?,
                    seed,
                )?
            }
            _ => {
                let (augmentation, blend) = settings.augmentation.of_events()?;
                Changes::events(augmentation, blend, train.shape(), seed)?
            }
        };
        Ok(Some(Arc::new(changes)))
    }
}

/// The folder of files that only a folder can give. Without one it is looked for here, so that what
/// is missing is asked for by name.
fn folder(settings: &DataConfig) -> &Path {
    settings.folder.as_deref().unwrap_or(Path::new("."))
}

#[cfg(feature = "hdf5")]
fn spoken(settings: &DataConfig, part: Part) -> Result<SpikeData, DataError> {
    use mnist_spikes::events::{Spoken, read_spoken};
    let (set, prefix) = match settings.name {
        DatasetName::Ssc => (Spoken::Commands, "ssc"),
        _ => (Spoken::Digits, "shd"),
    };
    let part = match part {
        Part::Train => "train",
        Part::Validation => "valid",
        Part::Test => "test",
    };
    Ok(read_spoken(&folder(settings).join(format!("{prefix}_{part}.h5")), set)?)
}

#[cfg(not(feature = "hdf5"))]
fn spoken(_: &DataConfig, _: Part) -> Result<SpikeData, DataError> {
    let reason = "is read from HDF5, which this build cannot; rebuild with --features hdf5";
    Err(DescriptionError::new("data.name", reason).into())
}

/// Images as spike trains. `part` decides what noise a camera has.
pub(super) fn encode(
    settings: &DataConfig,
    images: &ImageSet,
    part: Part,
) -> Result<SpikeData, DataError> {
    if settings.name == DatasetName::MovingMnist {
        let camera = settings.camera.unwrap_or_default().camera();
        let seed = u64::from(part == Part::Test);
        return Ok(moving_mnist(images, &camera, seed)?);
    }
    let encoder = Encoder::new(settings.encoding)?;
    Ok(SpikeData::from_images(images, |images| encoder.encode(images)))
}

fn points(settings: &DataConfig, points: &[yin_yang::Point]) -> Result<SpikeData, DataError> {
    let EncodingConfig::Points { t_min, t_max, bias } = settings.encoding else {
        let reason = "yin_yang needs the encoding points";
        return Err(DescriptionError::new("data.encoding", reason).into());
    };
    Ok(yin_yang::Encoding::new(t_min, t_max, bias)?.encode(points))
}
