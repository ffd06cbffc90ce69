use crate::Real;

/// The spikes of one sample of a [`SpikeBatch`], sorted by time: spike `k` comes at `times()[k]`
/// (ms) from the neuron `indices()[k]`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SpikeTrain<'a, T> {
    times: &'a [T],
    indices: &'a [u32],
}

impl<'a, T: Copy> SpikeTrain<'a, T> {
    /// Spike times in ms, ascending.
    pub fn times(&self) -> &'a [T] {
        self.times
    }

    /// The neuron that sent each spike.
    pub fn indices(&self) -> &'a [u32] {
        self.indices
    }

    /// The number of spikes.
    pub fn len(&self) -> usize {
        self.times.len()
    }

    /// Whether there is no spike.
    pub fn is_empty(&self) -> bool {
        self.times.is_empty()
    }

    /// The spikes as (time, neuron) pairs.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (T, u32)> + 'a {
        self.times.iter().copied().zip(self.indices.iter().copied())
    }
}

/// Spike trains of many samples in three flat arrays: sample `s` owns the range
/// `offsets[s]..offsets[s + 1]` of `times` and `indices`.
///
/// Every train is sorted by time and every time is finite and not negative; nothing else can be
/// put in.
#[derive(Clone, Debug, PartialEq)]
pub struct SpikeBatch<T> {
    offsets: Vec<usize>,
    times: Vec<T>,
    indices: Vec<u32>,
}

impl<T: Real> SpikeBatch<T> {
    /// A batch of no samples.
    pub fn new() -> Self {
        Self::with_capacity(0, 0)
    }

    /// A batch of no samples with room for `samples` of them and `spikes` spikes in all.
    pub fn with_capacity(samples: usize, spikes: usize) -> Self {
        let mut offsets = Vec::with_capacity(samples + 1);
        offsets.push(0);
        Self { offsets, times: Vec::with_capacity(spikes), indices: Vec::with_capacity(spikes) }
    }

    /// A batch from its three flat arrays, for encoders that fill them in parallel.
    ///
    /// # Errors
    /// If a time is not finite, negative, or earlier than its predecessor in the same sample.
    ///
    /// # Panics
    /// If `offsets` does not ascend from 0 to the number of times, or there are not as many
    /// indices as times.
    pub fn from_parts(
        offsets: Vec<usize>,
        times: Vec<T>,
        indices: Vec<u32>,
    ) -> Result<Self, SpikeError> {
        assert_eq!(times.len(), indices.len(), "one index a spike");
        assert_eq!(offsets.first(), Some(&0), "offsets start at 0");
        assert_eq!(offsets.last(), Some(&times.len()), "offsets end at the number of spikes");
        for (sample, range) in offsets.windows(2).enumerate() {
            let train = &times[range[0]..range[1]];
            let mut previous = T::zero();
            for (position, &time) in train.iter().enumerate() {
                if !(time >= previous && time.is_finite()) {
                    return Err(SpikeError { sample, position, time: time.as_f64() });
                }
                previous = time;
            }
        }
        Ok(Self { offsets, times, indices })
    }

    /// Its three flat arrays: offsets, times, indices.
    pub fn into_parts(self) -> (Vec<usize>, Vec<T>, Vec<u32>) {
        (self.offsets, self.times, self.indices)
    }

    /// The number of samples.
    pub fn len(&self) -> usize {
        self.offsets.len() - 1
    }

    /// Whether there is no sample.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The number of spikes in all samples together.
    pub fn spike_count(&self) -> usize {
        self.times.len()
    }

    /// The spikes of sample `sample`.
    ///
    /// # Panics
    /// If there is no such sample.
    pub fn get(&self, sample: usize) -> SpikeTrain<'_, T> {
        let range = self.range(sample);
        SpikeTrain { times: &self.times[range.clone()], indices: &self.indices[range] }
    }

    /// Where sample `sample` lies in the flat arrays.
    pub fn range(&self, sample: usize) -> std::ops::Range<usize> {
        self.offsets[sample]..self.offsets[sample + 1]
    }

    /// All samples in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = SpikeTrain<'_, T>> {
        (0..self.len()).map(|sample| self.get(sample))
    }

    /// Removes every sample and keeps the allocations.
    pub fn clear(&mut self) {
        self.offsets.truncate(1);
        self.times.clear();
        self.indices.clear();
    }

    /// Appends a sample whose spikes are sorted by time already.
    ///
    /// # Errors
    /// If a time is not finite, negative, or earlier than its predecessor; nothing is appended.
    pub fn push_sorted(
        &mut self,
        spikes: impl IntoIterator<Item = (T, u32)>,
    ) -> Result<(), SpikeError> {
        let start = self.times.len();
        let mut previous = T::zero();
        for (time, index) in spikes {
            if !(time >= previous && time.is_finite()) {
                let position = self.times.len() - start;
                self.times.truncate(start);
                self.indices.truncate(start);
                return Err(SpikeError { sample: self.len(), position, time: time.as_f64() });
            }
            previous = time;
            self.times.push(time);
            self.indices.push(index);
        }
        self.offsets.push(self.times.len());
        Ok(())
    }

    /// Appends a sample of another batch of valid trains, keeping the spikes for which `keep`,
    /// called with each spike's position in the train, is true.
    pub fn push_filtered(&mut self, train: SpikeTrain<'_, T>, mut keep: impl FnMut(usize) -> bool) {
        let start = self.times.len();
        self.times.resize(start + train.len(), T::zero());
        self.indices.resize(start + train.len(), 0);
        // Without a branch: which spikes are kept is often random.
        let mut end = start;
        for (position, (time, index)) in train.iter().enumerate() {
            self.times[end] = time;
            self.indices[end] = index;
            end += usize::from(keep(position));
        }
        self.times.truncate(end);
        self.indices.truncate(end);
        self.offsets.push(end);
    }

    /// Appends a copy of a sample of another batch.
    pub fn push_train(&mut self, train: SpikeTrain<'_, T>) {
        self.times.extend_from_slice(train.times);
        self.indices.extend_from_slice(train.indices);
        self.offsets.push(self.times.len());
    }
}

impl<T: Real> Default for SpikeBatch<T> {
    fn default() -> Self {
        Self::new()
    }
}

/// A spike that cannot be part of a train.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error(
    "sample {sample}, spike {position}: time {time} is not a finite, non-negative time at or after the one before it"
)]
pub struct SpikeError {
    /// The sample it was meant for.
    pub sample: usize,
    /// Its position in the train.
    pub position: usize,
    /// Its time in ms.
    pub time: f64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_checked() {
        let batch = SpikeBatch::from_parts(vec![0, 2, 2, 3], vec![1.0, 2.0, 0.5], vec![4, 3, 9]);
        let batch = batch.expect("sorted within each sample");
        assert_eq!(batch.len(), 3);
        assert_eq!(batch.get(0).iter().collect::<Vec<_>>(), [(1.0, 4), (2.0, 3)]);
        assert!(batch.get(1).is_empty());
        for times in
            [vec![2.0, 1.0], vec![-1.0, 1.0], vec![1.0, f64::NAN], vec![0.0, f64::INFINITY]]
        {
            assert!(SpikeBatch::from_parts(vec![0, 2], times, vec![0, 1]).is_err());
        }
    }
}
