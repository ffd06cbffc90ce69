use super::{AugmentationError, check_amount};
use crate::draws::{Draws, Purpose};
use lif_core::{Real, SpikeBatch, SpikeTrain};

/// Changes spike trains that come from sensors: shifts their channels, jitters their times, drops
/// spikes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EventAugmentation {
    /// All spikes of a sample move by up to as many channels, uniformly, along each axis of the input
    /// shape that is longer than 1 (never from one polarity to another); those that leave it are
    /// dropped. Nowotny, Turner & Knight (2025) take 40 for the 700 channels of SHD.
    pub shift: u32,
    /// The standard deviation of a normal variable added to each time, in ms; times never become
    /// negative.
    pub jitter: f64,
    /// The probability with which each spike is dropped.
    pub drop: f64,
}

impl EventAugmentation {
    /// Leaves trains as they are.
    pub const NONE: Self = Self { shift: 0, jitter: 0.0, drop: 0.0 };

    /// The augmentation for inputs of `shape`, [channels, height, width].
    ///
    /// # Errors
    /// If the jitter is negative or not finite, or the probability not in [0, 1].
    pub fn prepare(
        self,
        shape: [usize; 3],
        seed: u64,
    ) -> Result<EventAugmenter, AugmentationError> {
        check_amount("jitter", self.jitter)?;
        if !(0.0..=1.0).contains(&self.drop) {
            let range = "a probability, from 0 to 1";
            return Err(AugmentationError { name: "drop", value: self.drop, range });
        }
        Ok(EventAugmenter { settings: self, shape, seed, spikes: Vec::new() })
    }
}

/// An [`EventAugmentation`] for inputs of one shape under one seed.
#[derive(Clone, Debug)]
pub struct EventAugmenter {
    settings: EventAugmentation,
    shape: [usize; 3],
    seed: u64,
    /// Kept between calls for its allocation.
    spikes: Vec<(f64, u32)>,
}

impl EventAugmenter {
    /// Appends to `batch` what becomes of `train`, sample `sample` of its set, in `epoch`.
    pub fn push<T: Real>(
        &mut self,
        train: SpikeTrain<'_, T>,
        epoch: u64,
        sample: u64,
        batch: &mut SpikeBatch<T>,
    ) {
        let EventAugmentation { shift, jitter, drop } = self.settings;
        let mut draws = Draws::new(Purpose::Events, self.seed, epoch, sample);
        let [_, height, width] = self.shape;
        let mut shift = |length| {
            let shift = i64::from(shift);
            if length > 1 { draws.below(2 * shift as u64 + 1) as i64 - shift } else { 0 }
        };
        let by = (shift(height), shift(width));
        self.spikes.clear();
        for (time, index) in train.iter() {
            if drop > 0.0 && draws.unit() < drop {
                continue;
            }
            let noise = if jitter > 0.0 { jitter * draws.normal() } else { 0.0 };
            if let Some(index) = moved(index, by, self.shape) {
                self.spikes.push(((time.as_f64() + noise).max(0.0), index));
            }
        }
        if jitter > 0.0 {
            self.spikes.sort_by(|a, b| a.0.total_cmp(&b.0));
        }
        let spikes = self.spikes.iter().map(|&(time, index)| (T::of(time), index));
        batch.push_sorted(spikes).expect("sorted by finite times");
    }
}

/// The input `by` rows and columns away from `index`, if there is one in the same channel.
pub(super) fn moved(
    index: u32,
    (rows, columns): (i64, i64),
    [channels, height, width]: [usize; 3],
) -> Option<u32> {
    let index = index as usize;
    let (channel, place) = (index / (height * width), index % (height * width));
    let row = (place / width).checked_add_signed(rows as isize).filter(|&row| row < height)?;
    let column =
        (place % width).checked_add_signed(columns as isize).filter(|&column| column < width)?;
    (channel < channels).then_some(((channel * height + row) * width + column) as u32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn run(
        settings: EventAugmentation,
        shape: [usize; 3],
        spikes: &[(f32, u32)],
        sample: u64,
    ) -> Vec<(f32, u32)> {
        let mut train = SpikeBatch::new();
        train.push_sorted(spikes.iter().copied()).unwrap();
        let mut batch = SpikeBatch::new();
        settings.prepare(shape, 1).unwrap().push(train.get(0), 0, sample, &mut batch);
        batch.get(0).iter().collect()
    }

    proptest! {
        #[test]
        fn all_spikes_move_alike_and_stay_in_their_channel(
            places in prop::collection::vec(0_u32..2 * 6 * 7, 0..40), shift in 0_u32..9, sample: u64
        ) {
            let spikes: Vec<(f32, u32)> =
                places.iter().enumerate().map(|(k, &index)| (k as f32, index)).collect();
            let settings = EventAugmentation { shift, ..EventAugmentation::NONE };
            let moved = run(settings, [2, 6, 7], &spikes, sample);
            let place = |index: u32| (index / 42, (index % 42 / 7) as i64, (index % 7) as i64);
            let mut by = None;
            for &(time, index) in &moved {
                let (before, after) = (place(places[time as usize]), place(index));
                prop_assert_eq!(before.0, after.0);
                let step = (after.1 - before.1, after.2 - before.2);
                prop_assert!(step.0.unsigned_abs().max(step.1.unsigned_abs()) <= u64::from(shift));
                prop_assert_eq!(*by.get_or_insert(step), step);
            }
            // None is lost that could have stayed.
            if let Some((rows, columns)) = by {
                let inside = places.iter().filter(|&&index| {
                    let (_, row, column) = place(index);
                    (0..6).contains(&(row + rows)) && (0..7).contains(&(column + columns))
                });
                prop_assert_eq!(inside.count(), moved.len());
            }
        }
    }

    #[test]
    fn a_row_of_channels_is_shifted_along_the_row() {
        let settings = EventAugmentation { shift: 3, ..EventAugmentation::NONE };
        let seen: std::collections::BTreeSet<u32> =
            (0..100).map(|sample| run(settings, [1, 1, 700], &[(1.0, 350)], sample)[0].1).collect();
        assert!(seen.into_iter().eq(347..=353));
    }

    #[test]
    fn jitter_and_drop_do_what_they_say() {
        let spikes: Vec<(f32, u32)> = (0..20_000).map(|k| (50.0 + k as f32 * 1e-3, k)).collect();
        let settings = EventAugmentation { jitter: 2.0, drop: 0.25, ..EventAugmentation::NONE };
        let changed = run(settings, [1, 1, 20_000], &spikes, 0);
        assert!((14_700..15_300).contains(&changed.len()), "{}", changed.len());
        assert!(changed.is_sorted_by(|a, b| a.0 <= b.0));
        let square: f32 = changed
            .iter()
            .map(|&(time, k)| (time - spikes[k as usize].0).powi(2) / changed.len() as f32)
            .sum();
        assert!((square.sqrt() - 2.0).abs() < 0.05, "{}", square.sqrt());
    }

    #[test]
    fn nothing_changes_nothing() {
        let spikes = [(0.0, 3), (0.5, 1), (0.5, 0)];
        assert_eq!(run(EventAugmentation::NONE, [1, 2, 2], &spikes, 9), spikes);
        let wrong = EventAugmentation { drop: 1.5, ..EventAugmentation::NONE };
        assert!(wrong.prepare([1, 1, 4], 0).is_err());
    }
}
