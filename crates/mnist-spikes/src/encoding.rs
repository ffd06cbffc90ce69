//! What every encoder of grey levels shares: a table from level to spike time, and a counting sort.

use crate::images::ImageSet;
use lif_core::{Real, SpikeBatch};
use rayon::prelude::*;

/// Times that an encoder cannot use.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error(
    "spikes are to come between {t_min} and {t_max} ms: give times with 0 <= t_min <= t_max that single precision can hold"
)]
pub struct EncodingError {
    t_min: f64,
    t_max: f64,
}

pub(crate) fn check_times(t_min: f64, t_max: f64) -> Result<(), EncodingError> {
    // Of what is finite in double precision some is not as spike times are computed with.
    let finite = |time: f64| (time as f32).is_finite();
    if finite(t_min) && finite(t_max) && 0.0 <= t_min && t_min <= t_max {
        Ok(())
    } else {
        Err(EncodingError { t_min, t_max })
    }
}

/// When a pixel of each grey level spikes, if it does. Only the darkest levels may be silent.
///
/// There are at most 256 times, so the spikes of an image are sorted by counting: one pass to count
/// the pixels of each time, one to put them into place.
pub(crate) struct GreyCode<T> {
    /// The darkest level that spikes; 256 if none does.
    darkest: u16,
    /// The position of each level's time in `times`.
    rank: [u8; 256],
    /// The distinct times, ascending.
    times: Vec<T>,
}

/// Images encoded by one task: enough to forget the task, few enough to share them evenly.
const IMAGES_PER_TASK: usize = 256;

impl<T: Real> GreyCode<T> {
    /// `time` gives a finite, non-negative time in ms for the levels from `darkest`.
    pub(crate) fn new(darkest: u16, time: impl Fn(u8) -> f64) -> Self {
        let by_level: [T; 256] = std::array::from_fn(|grey| T::of(time(grey as u8)));
        let mut times = by_level[usize::from(darkest)..].to_vec();
        times.sort_by(|a, b| a.partial_cmp(b).expect("times are finite"));
        times.dedup();
        let rank = by_level.map(|time| times.partition_point(|&earlier| earlier < time) as u8);
        Self { darkest, rank, times }
    }

    pub(crate) fn encode(&self, images: &ImageSet) -> SpikeBatch<T> {
        let size = images.height() * images.width();
        let images = images.pixels();
        let counts: Vec<usize> = images
            .par_chunks(size)
            .with_min_len(IMAGES_PER_TASK)
            .map(|image| self.count(image))
            .collect();
        let mut offsets = Vec::with_capacity(counts.len() + 1);
        offsets.push(0);
        offsets.extend(counts.iter().scan(0, |end, count| {
            *end += count;
            Some(*end)
        }));
        let spikes = offsets[counts.len()];
        let (mut times, mut indices) = (vec![T::zero(); spikes], vec![0; spikes]);

        let mut tasks = Vec::new();
        let (mut times_left, mut indices_left) = (&mut times[..], &mut indices[..]);
        for (images, counts) in
            images.chunks(size * IMAGES_PER_TASK).zip(counts.chunks(IMAGES_PER_TASK))
        {
            let spikes = counts.iter().sum();
            let (task_times, task_indices);
            (task_times, times_left) = times_left.split_at_mut(spikes);
            (task_indices, indices_left) = indices_left.split_at_mut(spikes);
            tasks.push((images, counts, task_times, task_indices));
        }
        tasks.into_par_iter().for_each(|(images, counts, mut times, mut indices)| {
            let mut scratch = Vec::new();
            for (image, &count) in images.chunks(size).zip(counts) {
                let (image_times, image_indices);
                (image_times, times) = times.split_at_mut(count);
                (image_indices, indices) = indices.split_at_mut(count);
                self.sort(image, image_times, image_indices, &mut scratch);
            }
        });
        SpikeBatch::from_parts(offsets, times, indices).expect("sorted by finite times")
    }

    /// Appends the trains of images of `size` pixels each.
    pub(crate) fn push(&self, images: &[u8], size: usize, batch: &mut SpikeBatch<T>) {
        let (mut times, mut indices, mut scratch) = (Vec::new(), Vec::new(), Vec::new());
        for image in images.chunks_exact(size) {
            let spikes = self.count(image);
            times.resize(spikes, T::zero());
            indices.resize(spikes, 0);
            self.sort(image, &mut times, &mut indices, &mut scratch);
            let train = times.iter().copied().zip(indices.iter().copied());
            batch.push_sorted(train).expect("sorted by finite times");
        }
    }

    /// The number of pixels that spike.
    fn count(&self, image: &[u8]) -> usize {
        let Ok(darkest) = u8::try_from(self.darkest) else { return 0 };
        // By rows that a byte can count: so many at once are compared.
        const ROW: usize = u8::MAX as usize;
        let count = |row: &[u8]| row.iter().map(|&pixel| u8::from(pixel >= darkest)).sum::<u8>();
        image.chunks(ROW).map(|row| usize::from(count(row))).sum()
    }

    /// Writes the spikes of an image; `times` and `indices` hold exactly as many.
    fn sort(&self, image: &[u8], times: &mut [T], indices: &mut [u32], scratch: &mut Vec<u32>) {
        // The pixels that spike, found without a branch: one place more than they need, for the
        // pixel that is written last and not kept.
        scratch.resize(times.len() + 1, 0);
        let mut spikes = 0;
        for (index, &pixel) in image.iter().enumerate() {
            scratch[spikes] = index as u32;
            spikes += usize::from(u16::from(pixel) >= self.darkest);
        }
        let spiking = &scratch[..spikes];
        let rank = |index: u32| usize::from(self.rank[usize::from(image[index as usize])]);

        let mut counts = [0_u32; 256];
        for &index in spiking {
            counts[rank(index)] += 1;
        }
        // From counts to where each time's spikes start.
        let mut start = 0;
        for (&time, count) in self.times.iter().zip(&mut counts) {
            let end = start + *count;
            times[start as usize..end as usize].fill(time);
            *count = start;
            start = end;
        }
        for &index in spiking {
            let place = &mut counts[rank(index)];
            indices[*place as usize] = index;
            *place += 1;
        }
    }
}
