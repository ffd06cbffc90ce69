//! Input spikes on the device.

use crate::device::{Buffer, Device};
use lif_core::SpikeBatch;
use lif_core::engine::EngineError;

/// Spike trains with their labels, sample after sample.
pub(crate) struct Data {
    pub(crate) offsets: Buffer<i32>,
    pub(crate) times: Buffer<f32>,
    pub(crate) sources: Buffer<i32>,
    /// For each spike 4 n + 2 h + f: n the next of the same source in the sample, h whether there is
    /// one, f whether it is the first.
    pub(crate) links: Buffer<i32>,
    pub(crate) labels: Buffer<i32>,
    /// The same on the host, for losses that are evaluated there.
    pub(crate) given_labels: Vec<u32>,
    samples: usize,
}

impl Data {
    /// Room for `samples` samples and `spikes` spikes.
    ///
    /// # Errors
    /// [`EngineError::Batch`] for more spikes than kernels number.
    pub(crate) fn new(device: &Device, samples: usize, spikes: usize) -> Result<Self, EngineError> {
        check_numbers(spikes)?;
        Ok(Self {
            offsets: device.unset(samples + 1)?,
            times: device.unset(spikes)?,
            sources: device.unset(spikes)?,
            links: device.unset(spikes)?,
            labels: device.unset(samples)?,
            given_labels: Vec::new(),
            samples: 0,
        })
    }

    /// The bytes that [`Data::new`] takes.
    pub(crate) fn bytes(samples: usize, spikes: usize) -> usize {
        4 * (2 * samples + 1 + 3 * spikes)
    }

    /// Whether there is room for `spikes`.
    pub(crate) fn holds(&self, spikes: &SpikeBatch<f32>) -> bool {
        self.labels.len() >= spikes.len() && self.times.len() >= spikes.spike_count()
    }

    /// The number of samples.
    pub(crate) fn len(&self) -> usize {
        self.samples
    }

    /// Replaces the data; there must be room. Without labels (for inference) they are 0.
    pub(crate) fn write(
        &mut self,
        device: &Device,
        spikes: &SpikeBatch<f32>,
        labels: &[u32],
        inputs: usize,
    ) -> Result<(), EngineError> {
        let flat = Flat::new(spikes, inputs);
        self.samples = spikes.len();
        device.write(&flat.offsets, &mut self.offsets)?;
        device.write(&flat.times, &mut self.times)?;
        device.write(&flat.sources, &mut self.sources)?;
        device.write(&flat.links, &mut self.links)?;
        self.given_labels = labels.to_vec();
        let labels: Vec<i32> = labels.iter().map(|&label| label as i32).collect();
        device.write(&labels, &mut self.labels)
    }
}

/// Whether kernels can number so many spikes.
pub(crate) fn check_numbers(spikes: usize) -> Result<(), EngineError> {
    if i32::try_from(spikes).is_ok() {
        return Ok(());
    }
    Err(EngineError::Batch(format!("{spikes} spikes at a time are more than this engine numbers")))
}

/// The most spikes of one sample that come before the end of the simulation.
pub(crate) fn longest(spikes: &SpikeBatch<f32>, duration: f32) -> usize {
    let arriving = |times: &[f32]| times.partition_point(|&time| time <= duration);
    spikes.iter().map(|train| arriving(train.times())).max().unwrap_or(0)
}

struct Flat {
    offsets: Vec<i32>,
    times: Vec<f32>,
    sources: Vec<i32>,
    links: Vec<i32>,
}

impl Flat {
    fn new(spikes: &SpikeBatch<f32>, inputs: usize) -> Self {
        let count = spikes.spike_count();
        let mut flat = Self {
            offsets: vec![0],
            times: Vec::with_capacity(count),
            sources: Vec::with_capacity(count),
            links: Vec::with_capacity(count),
        };
        let mut last: Vec<Option<usize>> = vec![None; inputs];
        for train in spikes.iter() {
            let first = flat.times.len();
            flat.times.extend_from_slice(train.times());
            for (position, &source) in train.indices().iter().enumerate() {
                let before = last[source as usize].replace(position);
                if let Some(before) = before {
                    flat.links[first + before] |= (position as i32) << 2 | 2;
                }
                flat.sources.push(source as i32);
                flat.links.push(i32::from(before.is_none()));
            }
            train.indices().iter().for_each(|&source| last[source as usize] = None);
            flat.offsets.push(flat.times.len() as i32);
        }
        flat
    }
}
