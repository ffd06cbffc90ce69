//! What every encoder of grey levels shares: a table from level to spike time, and a counting sort.

use crate::images::ImageSet;
use lif_core::{Real, SpikeBatch};
use rayon::prelude::*;

/// Times that an encoder cannot use.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("spikes are to come between {t_min} and {t_max} ms: give times with 0 <= t_min <= t_max")]
pub struct EncodingError {
    t_min: f64,
    t_max: f64,
}

pub(crate) fn check_times(t_min: f64, t_max: f64) -> Result<(), EncodingError> {
    if t_min.is_finite() && t_max.is_finite() && 0.0 <= t_min && t_min <= t_max {
        Ok(())
    } else {
        Err(EncodingError { t_min, t_max })
    }
}

/// When a pixel of each grey level spikes, if it does.
///
/// There are at most 256 times, so the spikes of an image are sorted by counting: one pass to count
/// the pixels of each time, one to put them into place.
pub(crate) struct GreyCode<T> {
    /// The position of each level's time in `times`; that of silent levels is past the end.
    rank: [u16; 256],
    /// The distinct times, ascending.
    times: Vec<T>,
}

/// Images encoded by one task: enough to forget the task, few enough to share them evenly.
const IMAGES_PER_TASK: usize = 256;

/// Where the pixels of silent levels are counted.
const RANKS: usize = 257;

impl<T: Real> GreyCode<T> {
    /// `time` gives a finite, non-negative time in ms.
    pub(crate) fn new(time: impl Fn(u8) -> Option<f64>) -> Self {
        let by_level: [Option<T>; 256] = std::array::from_fn(|grey| time(grey as u8).map(T::of));
        let mut times: Vec<T> = by_level.iter().flatten().copied().collect();
        times.sort_by(|a, b| a.partial_cmp(b).expect("times are finite"));
        times.dedup();
        let rank = by_level.map(|time| match time {
            Some(time) => times.partition_point(|&earlier| earlier < time) as u16,
            None => times.len() as u16,
        });
        Self { rank, times }
    }

    pub(crate) fn encode(&self, images: &ImageSet) -> SpikeBatch<T> {
        let size = images.height() * images.width();
        let silent = self.times.len() as u16;
        let counts: Vec<usize> = images
            .pixels()
            .par_chunks(size)
            .with_min_len(IMAGES_PER_TASK)
            .map(|image| image.iter().filter(|&&p| self.rank[usize::from(p)] != silent).count())
            .collect();
        let mut offsets = Vec::with_capacity(counts.len() + 1);
        offsets.push(0);
        for count in &counts {
            offsets.push(offsets[offsets.len() - 1] + count);
        }
        let spikes = offsets[counts.len()];
        let (mut times, mut indices) = (vec![T::zero(); spikes], vec![0; spikes]);

        let mut tasks = Vec::new();
        let (mut times_left, mut indices_left) = (&mut times[..], &mut indices[..]);
        for (pixels, counts) in
            images.pixels().chunks(size * IMAGES_PER_TASK).zip(counts.chunks(IMAGES_PER_TASK))
        {
            let spikes = counts.iter().sum();
            let (task_times, task_indices);
            (task_times, times_left) = times_left.split_at_mut(spikes);
            (task_indices, indices_left) = indices_left.split_at_mut(spikes);
            tasks.push((pixels, counts, task_times, task_indices));
        }
        tasks.into_par_iter().for_each(|(pixels, counts, mut times, mut indices)| {
            for (image, &count) in pixels.chunks(size).zip(counts) {
                let (image_times, image_indices);
                (image_times, times) = times.split_at_mut(count);
                (image_indices, indices) = indices.split_at_mut(count);
                self.sort(image, image_times, image_indices);
            }
        });
        SpikeBatch::from_parts(offsets, times, indices).expect("sorted by finite times")
    }

    pub(crate) fn encode_image(&self, pixels: &[u8], batch: &mut SpikeBatch<T>) {
        let silent = self.times.len() as u16;
        let spikes = pixels.iter().filter(|&&p| self.rank[usize::from(p)] != silent).count();
        let (mut times, mut indices) = (vec![T::zero(); spikes], vec![0; spikes]);
        self.sort(pixels, &mut times, &mut indices);
        batch.push_sorted(times.into_iter().zip(indices)).expect("sorted by finite times");
    }

    /// Writes the spikes of an image; the slices hold exactly as many.
    fn sort(&self, image: &[u8], times: &mut [T], indices: &mut [u32]) {
        let mut counts = [0_u32; RANKS];
        for &pixel in image {
            counts[usize::from(self.rank[usize::from(pixel)])] += 1;
        }
        // From counts to where each time's spikes start.
        let mut start = 0;
        for (&time, count) in self.times.iter().zip(&mut counts) {
            let end = start + *count;
            times[start as usize..end as usize].fill(time);
            *count = start;
            start = end;
        }
        for (index, &pixel) in image.iter().enumerate() {
            let rank = usize::from(self.rank[usize::from(pixel)]);
            if rank < self.times.len() {
                indices[counts[rank] as usize] = index as u32;
                counts[rank] += 1;
            }
        }
    }
}
