use lif_core::{DescriptionError, Network, SpikeTrain};
use mnist_spikes::SpikeData;
use std::ops::Range;
use std::sync::Arc;

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

    /// The position of a sample in the whole data set.
    ///
    /// # Panics
    /// If there is no such sample.
    pub fn in_set(&self, sample: usize) -> usize {
        assert!(sample < self.len(), "sample {sample} of {}", self.len());
        self.range.start + sample
    }
}

impl Samples {
    /// Checks that the samples fit `network`.
    pub(crate) fn check(&self, network: &Network) -> Result<(), DescriptionError> {
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
