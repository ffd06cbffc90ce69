use crate::draws::{Draws, Purpose};
use lif_core::{Real, SpikeBatch, SpikeTrain};

/// Drops input spikes at random in one epoch, each with the same probability, drawn per (seed,
/// epoch, sample).
#[derive(Clone, Copy, Debug)]
pub struct Dropout {
    /// A spike whose 64 random bits fall below it is dropped.
    threshold: u64,
    seed: u64,
    epoch: u64,
}

impl Dropout {
    /// Drops spikes with `probability`; `None` if that is 0 (or not a number) and nothing is to be
    /// done.
    pub fn new(probability: f64, seed: u64, epoch: u64) -> Option<Self> {
        // 2^64; the conversion saturates, so a probability of 1 drops all.
        let threshold = (probability * 18_446_744_073_709_551_616.0) as u64;
        (threshold > 0).then_some(Self { threshold, seed, epoch })
    }

    /// Appends to `batch` what is left of `train`, the spikes of sample `sample` of the data set.
    pub fn push<T: Real>(
        &self,
        train: SpikeTrain<'_, T>,
        sample: usize,
        batch: &mut SpikeBatch<T>,
    ) {
        let mut draws = Draws::new(Purpose::Dropout, self.seed, self.epoch, sample as u64);
        batch.push_filtered(train, |_| draws.bits() >= self.threshold);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(dropout: Dropout, sample: usize) -> Vec<u32> {
        let mut train = SpikeBatch::<f32>::new();
        train.push_sorted((0..500).map(|i| (i as f32, i))).unwrap();
        let mut batch = SpikeBatch::new();
        dropout.push(train.get(0), sample, &mut batch);
        batch.get(0).indices().to_vec()
    }

    #[test]
    fn drops_the_share_asked_for() {
        let kept: usize = (0..200).map(|s| kept(Dropout::new(0.2, 1, 0).unwrap(), s).len()).sum();
        // 80,000 of 100,000, standard deviation 126.
        assert!((79_400..80_600).contains(&kept), "{kept}");
    }

    #[test]
    fn depends_on_seed_epoch_and_sample_alone() {
        let drop = |seed, epoch| Dropout::new(0.5, seed, epoch).unwrap();
        let first = kept(drop(1, 2), 3);
        assert_eq!(first, kept(drop(1, 2), 3));
        for other in [kept(drop(2, 2), 3), kept(drop(1, 3), 3), kept(drop(1, 2), 4)] {
            assert_ne!(first, other);
        }
        assert!(first.is_sorted());
    }

    #[test]
    fn nothing_and_everything() {
        assert!(Dropout::new(0.0, 1, 1).is_none());
        assert!(Dropout::new(f64::NAN, 1, 1).is_none());
        assert!(kept(Dropout::new(1.0, 1, 1).unwrap(), 0).is_empty());
    }
}
