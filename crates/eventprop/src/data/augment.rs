//! What becomes of samples in an epoch: augmentation, then dropout.

use super::encoder::Encoder;
use super::{DataError, Samples};
use lif_core::{SpikeBatch, SpikeTrain};
use mnist_spikes::augment::{
    Blend, EventAugmentation, EventAugmenter, ImageAugmentation, ImageAugmenter,
};
use mnist_spikes::{Draws, Dropout, ImageSet, Purpose};
use std::ops::Range;

/// How the samples of a set are changed in each epoch.
#[derive(Clone, Debug)]
pub(crate) enum Changes {
    /// The images they were made of are changed and encoded again.
    Images {
        images: ImageSet,
        /// The sample that the first of them became.
        first: usize,
        augmenter: ImageAugmenter,
        encoder: Encoder,
    },
    /// Their spikes are.
    Events { augmenter: EventAugmenter, blend: f64, seed: u64 },
}

impl Changes {
    pub(super) fn images(
        images: &ImageSet,
        augmentation: ImageAugmentation,
        encoder: Encoder,
        seed: u64,
    ) -> Result<Self, DataError> {
        let augmenter = augmentation.prepare(images.height(), images.width(), seed)?;
        Ok(Self::Images { images: images.clone(), first: 0, augmenter, encoder })
    }

    /// What the samples at `range` of the set need.
    pub(super) fn of(&self, range: Range<usize>) -> Self {
        let mut changes = self.clone();
        if let Self::Images { images, first, .. } = &mut changes {
            *images = images.part(range.start - *first..range.end - *first);
            *first = range.start;
        }
        changes
    }

    /// Whether a sample is changed without looking at others.
    pub(super) fn need_one_sample(&self) -> bool {
        !matches!(self, Self::Events { blend, .. } if *blend > 0.0)
    }

    /// The memory of what samples are made of anew, in bytes.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Images { images, .. } => images.pixels().len(),
            Self::Events { .. } => 0,
        }
    }

    pub(super) fn events(
        augmentation: EventAugmentation,
        blend: f64,
        shape: [usize; 3],
        seed: u64,
    ) -> Result<Self, DataError> {
        Ok(Self::Events { augmenter: augmentation.prepare(shape, seed)?, blend, seed })
    }
}

/// What is drawn anew in a training epoch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EpochDraws {
    /// The epoch, from 0.
    pub(crate) epoch: u64,
    /// Which input spikes are dropped.
    pub(crate) dropout: Option<Dropout>,
}

/// Samples on their way into batches of one pass.
pub(crate) struct Changing<'a> {
    samples: &'a Samples,
    draws: Option<EpochDraws>,
    work: Work<'a>,
    /// Before dropout.
    whole: SpikeBatch<f32>,
}

enum Work<'a> {
    Nothing,
    Images {
        images: &'a ImageSet,
        first: usize,
        augmenter: &'a ImageAugmenter,
        encoder: Encoder,
        changed: Vec<u8>,
    },
    Events {
        augmenter: EventAugmenter,
        blend: Option<(f64, Blend<'a, f32>)>,
        seed: u64,
        blended: SpikeBatch<f32>,
    },
}

impl<'a> Changing<'a> {
    /// Changes `samples` as `draws` say; without them they stay as they are.
    pub(crate) fn new(samples: &'a Samples, draws: Option<EpochDraws>) -> Self {
        let work = match samples.changes.as_deref().filter(|_| draws.is_some()) {
            None => Work::Nothing,
            Some(Changes::Images { images, first, augmenter, encoder }) => Work::Images {
                images,
                first: *first,
                augmenter,
                encoder: *encoder,
                changed: Vec::new(),
            },
            Some(Changes::Events { augmenter, blend, seed }) => Work::Events {
                augmenter: augmenter.clone(),
                blend: (*blend > 0.0).then(|| (*blend, samples.blend(*seed))),
                seed: *seed,
                blended: SpikeBatch::new(),
            },
        };
        Self { samples, draws, work, whole: SpikeBatch::new() }
    }

    /// Appends `samples`, positions in the set, to `batch`.
    pub(crate) fn push(&mut self, samples: &[u32], batch: &mut SpikeBatch<f32>) {
        let set = self.samples;
        let Some(EpochDraws { epoch, dropout }) = self.draws else {
            samples.iter().for_each(|&sample| batch.push_train(set.spikes(sample as usize)));
            return;
        };
        let Some(dropout) = dropout else { return self.work.push(set, epoch, samples, batch) };
        let keep = |train: SpikeTrain<'_, f32>, sample: u32, batch: &mut SpikeBatch<f32>| {
            dropout.push(train, set.in_set(sample as usize), batch);
        };
        if let Work::Nothing = self.work {
            samples.iter().for_each(|&sample| keep(set.spikes(sample as usize), sample, batch));
            return;
        }
        self.whole.clear();
        self.work.push(set, epoch, samples, &mut self.whole);
        self.whole.iter().zip(samples).for_each(|(train, &sample)| keep(train, sample, batch));
    }
}

impl Work<'_> {
    fn push(&mut self, set: &Samples, epoch: u64, samples: &[u32], batch: &mut SpikeBatch<f32>) {
        match self {
            Work::Nothing => {
                samples.iter().for_each(|&sample| batch.push_train(set.spikes(sample as usize)));
            }
            Work::Images { images, first, augmenter, encoder, changed } => {
                let size = images.height() * images.width();
                changed.resize(samples.len() * size, 0);
                for (changed, &sample) in changed.chunks_exact_mut(size).zip(samples) {
                    let sample = set.in_set(sample as usize);
                    augmenter.apply(images.image(sample - *first), epoch, sample as u64, changed);
                }
                // One call for all: the encoder's table is made once.
                encoder.push(changed, size, batch);
            }
            Work::Events { augmenter, blend, seed, blended } => {
                for &sample in samples {
                    let in_set = set.in_set(sample as usize);
                    let mut train = set.spikes(sample as usize);
                    if let Some((probability, blend)) = blend {
                        let mut draws = Draws::new(Purpose::Blending, *seed, epoch, in_set as u64);
                        if draws.unit() < *probability {
                            blended.clear();
                            blend.push(epoch, in_set, blended);
                            train = blended.get(0);
                        }
                    }
                    augmenter.push(train, epoch, in_set as u64, batch);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{AugmentationConfig, Config, DataConfig};
    use crate::data::source::{Part, Source};
    use std::sync::Arc;

    type Trains = Vec<Vec<(f32, u32)>>;

    fn pass(samples: &Samples, epoch: Option<u64>, order: &[u32], batch_size: usize) -> Trains {
        let draws = epoch.map(|epoch| EpochDraws { epoch, dropout: None });
        let mut changing = Changing::new(samples, draws);
        let mut trains = vec![Vec::new(); order.len()];
        for (batch, order) in order.chunks(batch_size).enumerate() {
            let mut spikes = SpikeBatch::new();
            changing.push(order, &mut spikes);
            for (position, train) in spikes.iter().enumerate() {
                trains[batch * batch_size + position] = train.iter().collect();
            }
        }
        trains
    }

    /// Drawn by seed, epoch and sample, and by nothing else.
    fn check(plain: &Samples, changed: impl Fn(u64) -> Samples) {
        let order = [0, 1, 2, 3, 4, 5];
        let unchanged = pass(plain, Some(0), &order, 6);
        assert_eq!(pass(&changed(1), None, &order, 6), unchanged, "outside of training");
        let first = pass(&changed(1), Some(3), &order, 6);
        let different = |other: &Trains| first.iter().zip(other).filter(|(a, b)| a != b).count();
        assert!(different(&unchanged) >= 5);
        let mut other_way = pass(&changed(1), Some(3), &[5, 4, 3, 2, 1, 0], 4);
        other_way.reverse();
        assert_eq!(other_way, first);
        assert!(different(&pass(&changed(2), Some(3), &order, 6)) >= 5, "seed");
        assert!(different(&pass(&changed(1), Some(4), &order, 6)) >= 5, "epoch");
        // What is cut off the front of the set is not drawn from, and changes nothing of the rest.
        let (_, rest) = changed(1).split_at(2);
        assert_eq!(pass(&rest, Some(3), &[0, 3], 2).len(), 2);
    }

    fn changed(settings: DataConfig) -> (Samples, impl Fn(u64) -> Samples) {
        let plain = Source::open(&settings).unwrap().part(Part::Train).unwrap();
        let samples = plain.clone();
        (plain, move |seed| {
            let changes = Source::open(&settings).unwrap().changes(seed, &samples).unwrap();
            samples.clone().changed_by(changes)
        })
    }

    #[test]
    fn images() {
        let mut settings = Config::preset("mnist").unwrap().data;
        settings.augmentation =
            AugmentationConfig { shift: 1.0, rotation: 10.0, elastic: 1.0, ..Default::default() };
        let (plain, changed) = changed(settings);
        check(&plain, changed);
    }

    #[test]
    fn events() {
        let mut spikes = SpikeBatch::new();
        for sample in 0..6_u32 {
            let train = (0..50).map(|k| (0.3 * k as f32, (7 * k + sample) % 40));
            spikes.push_sorted(train).unwrap();
        }
        let data = mnist_spikes::SpikeData {
            spikes,
            labels: vec![0, 0, 1, 1, 0, 1],
            classes: 2,
            inputs: 40,
            shape: [1, 1, 40],
        };
        let plain = Samples::new(data);
        for (augmentation, blend) in [
            (EventAugmentation { shift: 3, jitter: 0.5, drop: 0.2 }, 0.0),
            (EventAugmentation { drop: 0.01, ..EventAugmentation::NONE }, 1.0),
        ] {
            check(&plain, |seed| {
                let changes = Changes::events(augmentation, blend, [1, 1, 40], seed).unwrap();
                plain.clone().changed_by(Some(Arc::new(changes)))
            });
        }
    }
}
