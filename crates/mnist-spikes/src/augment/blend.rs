use super::events::moved;
use crate::draws::{Draws, Purpose};
use crate::spike_data::SpikeData;
use lif_core::{Real, SpikeBatch};

/// Blends pairs of samples of one class (Nowotny, Turner & Knight 2025): the second is moved until
/// the two have the same centre in time and space, then of each sample every spike is kept with
/// probability 1/2.
pub struct Blend<'a, T> {
    data: &'a SpikeData<T>,
    seed: u64,
    /// The samples of each class that are blended.
    by_class: Vec<Vec<u32>>,
}

impl<'a, T: Real> Blend<'a, T> {
    /// Blends samples of `data`.
    pub fn new(data: &'a SpikeData<T>, seed: u64) -> Self {
        Self::among(data, 0..data.labels.len(), seed)
    }

    /// Blends the samples `range` of `data` with one another.
    ///
    /// # Panics
    /// If they do not all exist.
    pub fn among(data: &'a SpikeData<T>, range: std::ops::Range<usize>, seed: u64) -> Self {
        let mut by_class = vec![Vec::new(); data.classes];
        for sample in range {
            by_class[data.labels[sample] as usize].push(sample as u32);
        }
        Self { data, seed, by_class }
    }

    /// Appends to `batch` the blend that sample `sample` makes with another of its class in `epoch`.
    ///
    /// # Panics
    /// If there is no such sample, or none of its class is among those that are blended.
    pub fn push(&self, epoch: u64, sample: usize, batch: &mut SpikeBatch<T>) {
        let mut draws = Draws::new(Purpose::Blend, self.seed, epoch, sample as u64);
        let class = &self.by_class[self.data.labels[sample] as usize];
        let partner = class[draws.below(class.len() as u64) as usize] as usize;

        let (centre, other) = (self.centre(sample), self.centre(partner));
        let time = centre.0 - other.0;
        let by = ((centre.1 - other.1).round() as i64, (centre.2 - other.2).round() as i64);
        let mut spikes: Vec<(T, u32)> = Vec::new();
        spikes.extend(self.data.spikes.get(sample).iter().filter(|_| draws.unit() < 0.5));
        for (t, index) in self.data.spikes.get(partner).iter() {
            let t = t.as_f64() + time;
            if let Some(index) = moved(index, by, self.data.shape)
                && t >= 0.0
                && draws.unit() < 0.5
            {
                spikes.push((T::of(t), index));
            }
        }
        spikes.sort_by(|a, b| a.0.partial_cmp(&b.0).expect("times are finite"));
        batch.push_sorted(spikes).expect("sorted by finite times");
    }

    /// One blend for each sample, with its label: as many again as the data.
    pub fn epoch(&self, epoch: u64) -> SpikeData<T> {
        let mut spikes = SpikeBatch::with_capacity(self.data.labels.len(), 0);
        for sample in 0..self.data.labels.len() {
            self.push(epoch, sample, &mut spikes);
        }
        let SpikeData { labels, classes, inputs, shape, .. } = self.data;
        SpikeData {
            spikes,
            labels: labels.clone(),
            classes: *classes,
            inputs: *inputs,
            shape: *shape,
        }
    }

    /// The mean time, row and column of the spikes of a sample.
    fn centre(&self, sample: usize) -> (f64, f64, f64) {
        let [_, height, width] = self.data.shape;
        let train = self.data.spikes.get(sample);
        let (mut time, mut row, mut column) = (0.0, 0.0, 0.0);
        for (t, index) in train.iter() {
            let place = index as usize % (height * width);
            time += t.as_f64();
            row += (place / width) as f64;
            column += (place % width) as f64;
        }
        let spikes = train.len().max(1) as f64;
        (time / spikes, row / spikes, column / spikes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blends_are_of_one_class_aligned_and_half_of_each() {
        // Classes 0 and 1; the second sample of class 0 comes 10 ms and 5 channels later.
        let mut spikes = SpikeBatch::<f64>::new();
        let train = |start: f64, first: u32| {
            (0..1000).map(move |k| (start + 1e-3 * k as f64, first + k % 3))
        };
        spikes.push_sorted(train(20.0, 10)).unwrap();
        spikes.push_sorted(train(30.0, 15)).unwrap();
        spikes.push_sorted(train(70.0, 40)).unwrap();
        let data =
            SpikeData { spikes, labels: vec![0, 0, 1], classes: 2, inputs: 50, shape: [1, 1, 50] };
        let blend = Blend::new(&data, 3);
        for epoch in 0..20 {
            let blended = blend.epoch(epoch);
            for (sample, (start, first)) in
                [(20.0, 10), (30.0, 15), (70.0, 40)].into_iter().enumerate()
            {
                let train = blended.spikes.get(sample);
                // 1000 expected, standard deviation 22.
                assert!((880..1120).contains(&train.len()), "{}", train.len());
                assert!(train.times().iter().all(|t| (start - 1e-6..start + 1.0).contains(t)));
                assert!(train.indices().iter().all(|index| (first..first + 3).contains(index)));
            }
            assert_eq!(blended.labels, data.labels);
        }
        assert_ne!(blend.epoch(0).spikes, blend.epoch(1).spikes);
        assert_eq!(blend.epoch(1).spikes, Blend::new(&data, 3).epoch(1).spikes);
    }
}
