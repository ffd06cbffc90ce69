use super::DataError;
use super::augment::Changes;
use super::source::{Part, Source, encode};
use crate::config::DataConfig;
use lif_core::engine::Batch;
use lif_core::{DescriptionError, Network, SpikeBatch, SpikeTrain};
use mnist_spikes::augment::Blend;
use mnist_spikes::{SpikeData, folder};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

/// A range of the samples of a data set; clones share the data.
#[derive(Clone, Debug)]
pub struct Samples {
    data: Arc<SpikeData>,
    range: Range<usize>,
    /// Those whose spikes are here, where not all are; labels always are.
    held: Option<Range<usize>>,
    /// How they are changed in each training epoch.
    pub(super) changes: Option<Arc<Changes>>,
}

impl Samples {
    /// All samples of `data`.
    pub fn new(data: SpikeData) -> Self {
        let range = 0..data.labels.len();
        Self { data: Arc::new(data), range, held: None, changes: None }
    }

    /// The first `count` samples and the others.
    ///
    /// # Panics
    /// If there are fewer.
    pub fn split_at(self, count: usize) -> (Self, Self) {
        let Range { start, end } = self.range;
        assert!(count <= end - start, "{count} of {} samples", end - start);
        let middle = start + count;
        let second = Self { range: middle..end, ..self.clone() };
        (Self { range: start..middle, ..self }, second)
    }

    /// The same samples, changed in each training epoch.
    pub(super) fn changed_by(self, changes: Option<Arc<Changes>>) -> Self {
        Self { changes, ..self }
    }

    /// The test set of the data that `settings` name, encoded.
    ///
    /// # Errors
    /// If files cannot be read or are no data set.
    pub fn load_test(settings: &DataConfig) -> Result<Self, DataError> {
        Source::open(settings)?.part(Part::Test)
    }

    /// A file of images with the file of their labels, encoded (or moved before the camera) as
    /// `settings` say.
    ///
    /// # Errors
    /// If a file cannot be read or is not right, or the two differ in number.
    pub fn load_pair(
        settings: &DataConfig,
        images: &Path,
        labels: &Path,
    ) -> Result<Self, DataError> {
        let images = folder::read_half(images, labels, None)?;
        Ok(Self::new(encode(settings, &images, Part::Test)?))
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

    /// The inputs as [channels, height, width].
    pub fn shape(&self) -> [usize; 3] {
        self.data.shape
    }

    /// Blends of these samples with one another.
    pub(super) fn blend(&self, seed: u64) -> Blend<'_, f32> {
        Blend::among(&self.data, self.range.clone(), seed)
    }

    /// The number of classes: labels are below it.
    pub fn classes(&self) -> usize {
        self.data.classes
    }

    /// Keeps the spikes of the samples `held` only, and what they are made of anew.
    ///
    /// # Panics
    /// If they do not all exist or some are gone already.
    pub(crate) fn hold(self, held: Range<usize>) -> Self {
        assert!(self.held.is_none(), "samples are parted once");
        let mut spikes = SpikeBatch::new();
        held.clone().for_each(|sample| spikes.push_train(self.spikes(sample)));
        let labels = (0..self.len()).map(|sample| self.label(sample)).collect();
        let in_set = self.range.start + held.start..self.range.start + held.end;
        let changes = self.changes.map(|changes| Arc::new(changes.of(in_set)));
        let SpikeData { classes, inputs, shape, .. } = *self.data;
        let data = SpikeData { spikes, labels, classes, inputs, shape };
        Self { data: Arc::new(data), range: self.range, held: Some(held), changes }
    }

    /// Whether the spikes of a sample are here.
    pub(crate) fn holds(&self, sample: usize) -> bool {
        self.held.as_ref().is_none_or(|held| held.contains(&sample))
    }

    /// Whether the spikes of all samples are here.
    pub(crate) fn are_whole(&self) -> bool {
        self.held.is_none()
    }

    /// Whether samples can be changed without the others at hand.
    pub(crate) fn change_alone(&self) -> bool {
        self.changes.as_deref().is_none_or(Changes::need_one_sample)
    }

    /// The memory of the data set they are a range of, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.data.spikes.spike_count() * (size_of::<f32>() + size_of::<u32>())
            + self.changes.as_deref().map_or(0, Changes::bytes)
    }

    /// The spikes of a sample.
    ///
    /// # Panics
    /// If there is no such sample, or its spikes are not here.
    pub fn spikes(&self, sample: usize) -> SpikeTrain<'_, f32> {
        let place = match &self.held {
            None => self.in_set(sample),
            Some(held) => {
                assert!(held.contains(&sample), "sample {sample} is on another machine");
                sample - held.start
            }
        };
        self.data.spikes.get(place)
    }

    /// The label of a sample.
    ///
    /// # Panics
    /// If there is no such sample.
    pub fn label(&self, sample: usize) -> u32 {
        let place = self.in_set(sample);
        // Parted samples have their own labels only.
        self.data.labels[if self.held.is_none() { place } else { sample }]
    }

    /// The whole data set that they are a range of (see [`in_set`](Self::in_set)).
    pub(crate) fn whole_set(&self) -> Batch<'_, f32> {
        Batch { spikes: &self.data.spikes, labels: &self.data.labels }
    }

    /// Whether they are the same in every epoch.
    pub(crate) fn are_fixed(&self) -> bool {
        self.changes.is_none()
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
