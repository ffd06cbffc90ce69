use crate::config::{Config, DataConfig, EncodingConfig};
use lif_core::engine::Batch;
use lif_core::{DescriptionError, Network, SpikeTrain};
use mnist_spikes::folder::{self, FolderError};
use mnist_spikes::{
    EncodingError, ImageSet, Latency, SpikeData, TrainTest, TwoTime, mnist, yin_yang,
};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

/// Why data cannot be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// Files cannot be read or are no data set.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The encoding is invalid.
    #[error(transparent)]
    Encoding(#[from] EncodingError),
    /// The data do not fit the rest of the configuration.
    #[error(transparent)]
    Description(#[from] DescriptionError),
}

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
    /// The data that `config` names, encoded, checked against its network.
    ///
    /// # Errors
    /// If files cannot be read or are no data set, or the samples do not fit the network.
    pub fn load(config: &Config) -> Result<Self, DataError> {
        let settings = &config.data;
        let data = match settings.encoding {
            EncodingConfig::Points { t_min, t_max, bias } => {
                let encoding = yin_yang::Encoding::new(t_min, t_max, bias)?;
                Self {
                    train: points(&encoding, yin_yang::TRAIN),
                    validation: Some(points(&encoding, yin_yang::VALIDATION)),
                    test: points(&encoding, yin_yang::TEST),
                }
            }
            _ => Self::from_images(settings)?,
        };
        data.check(&config.network.build()?)?;
        Ok(data)
    }

    fn from_images(settings: &DataConfig) -> Result<Self, DataError> {
        let TrainTest { train, test } = load_images(settings)?;
        if settings.validation >= train.len() {
            let (validation, samples) = (settings.validation, train.len());
            let reason = format!("must be below the {samples} training samples, got {validation}");
            return Err(DescriptionError::new("data.validation", reason).into());
        }
        let train = Samples::new(encode(settings, &train)?);
        let (validation, train) = match settings.validation {
            0 => (None, train),
            count => {
                let (validation, train) = train.split_at(count);
                (Some(validation), train)
            }
        };
        Ok(Self { train, validation, test: Samples::new(encode(settings, &test)?) })
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
        self.test.check(network)
    }
}

fn load_images(settings: &DataConfig) -> Result<TrainTest, DataError> {
    match &settings.folder {
        Some(folder) => Ok(folder::load(folder, None)?),
        None => Ok(mnist::load()),
    }
}

fn points(encoding: &yin_yang::Encoding, (size, seed): (usize, u32)) -> Samples {
    Samples::new(encoding.encode(&yin_yang::draw(size, seed)))
}

/// Images as spike trains.
///
/// # Errors
/// If the encoding is invalid or not one of images.
pub(crate) fn encode(settings: &DataConfig, images: &ImageSet) -> Result<SpikeData, DataError> {
    Ok(match settings.encoding {
        EncodingConfig::Points { .. } => {
            let reason = "the encoding points is not one of images";
            return Err(DescriptionError::new("data.encoding", reason).into());
        }
        EncodingConfig::Latency { t_min, t_max, cut } => {
            let encoder = Latency::new(t_min, t_max, cut)?;
            SpikeData::from_images(images, |images| encoder.encode(images))
        }
        EncodingConfig::TwoTime { t_min, t_max } => {
            let encoder = TwoTime::new(t_min, t_max)?;
            SpikeData::from_images(images, |images| encoder.encode(images))
        }
    })
}

/// A range of the samples of a data set; clones share the data.
#[derive(Clone, Debug)]
pub struct Samples {
    data: Arc<SpikeData>,
    range: Range<usize>,
}

impl Samples {
    /// All samples of `data`.
    pub fn new(data: SpikeData) -> Self {
        let range = 0..data.labels.len();
        Self { data: Arc::new(data), range }
    }

    /// The first `count` samples and the others.
    ///
    /// # Panics
    /// If there are fewer.
    pub fn split_at(self, count: usize) -> (Self, Self) {
        let Range { start, end } = self.range;
        assert!(count <= end - start, "{count} of {} samples", end - start);
        let middle = start + count;
        let second = Self { data: Arc::clone(&self.data), range: middle..end };
        (Self { data: self.data, range: start..middle }, second)
    }

    /// The test set of the data that `settings` name, encoded.
    ///
    /// # Errors
    /// If files cannot be read or are no data set.
    pub fn load_test(settings: &DataConfig) -> Result<Self, DataError> {
        if let EncodingConfig::Points { t_min, t_max, bias } = settings.encoding {
            let encoding = yin_yang::Encoding::new(t_min, t_max, bias)?;
            return Ok(points(&encoding, yin_yang::TEST));
        }
        Ok(Self::new(encode(settings, &load_images(settings)?.test)?))
    }

    /// A file of images with the file of their labels, encoded as `settings` say.
    ///
    /// # Errors
    /// If a file cannot be read or is not right, or the two differ in number.
    pub fn load_pair(
        settings: &DataConfig,
        images: &Path,
        labels: &Path,
    ) -> Result<Self, DataError> {
        Ok(Self::new(encode(settings, &folder::read_half(images, labels, None)?)?))
    }

    /// The number of samples.
    pub fn len(&self) -> usize {
        self.range.len()
    }

    /// Whether there is no sample.
    pub fn is_empty(&self) -> bool {
        self.range.is_empty()
    }

    /// The number of input neurons.
    pub fn inputs(&self) -> usize {
        self.data.inputs
    }

    /// The number of classes: labels are below it.
    pub fn classes(&self) -> usize {
        self.data.classes
    }

    /// The spikes of a sample.
    ///
    /// # Panics
    /// If there is no such sample.
    pub fn spikes(&self, sample: usize) -> SpikeTrain<'_, f32> {
        self.data.spikes.get(self.in_set(sample))
    }

    /// The label of a sample.
    ///
    /// # Panics
    /// If there is no such sample.
    pub fn label(&self, sample: usize) -> u32 {
        self.data.labels[self.in_set(sample)]
    }

    /// The whole data set that they are a range of (see [`in_set`](Self::in_set)).
    pub(crate) fn whole_set(&self) -> Batch<'_, f32> {
        Batch { spikes: &self.data.spikes, labels: &self.data.labels }
    }

    /// The position of a sample in the whole data set.
    ///
    /// # Panics
    /// If there is no such sample.
    pub fn in_set(&self, sample: usize) -> usize {
        assert!(sample < self.len(), "sample {sample} of {}", self.len());
        self.range.start + sample
    }

    /// Checks that the samples fit `network`.
    ///
    /// # Errors
    /// Says which number differs from which.
    pub fn check(&self, network: &Network) -> Result<(), DescriptionError> {
        let (input, output) = (network.input(), network.output());
        if self.inputs() != input.size {
            let (given, size) = (self.inputs(), input.size);
            let reason = format!("the input layer has {size} neurons, the data {given} inputs");
            return Err(DescriptionError::new("network.layers[0].size", reason));
        }
        if self.classes() > output.size {
            let (given, size) = (self.classes(), output.size);
            let reason = format!("the output layer has {size} neurons, the data {given} classes");
            let path = format!("network.layers[{}].size", network.output_index());
            return Err(DescriptionError::new(path, reason));
        }
        Ok(())
    }
}
