//! The Yin-Yang data set (Kriener, Göltz & Petrovici 2022): points of a Yin-Yang symbol in three
//! classes, yin, yang and dot.
//!
//! [`draw`] repeats the published generator number by number, so seeds 42, 41 and 40 give the
//! published sets exactly; other seeds give other draws.

use crate::encoding::{EncodingError, check_times};
use crate::numpy_random::RandomState;
use crate::spike_data::SpikeData;
use lif_core::{Real, SpikeBatch};

/// Size and seed of the published training set.
pub const TRAIN: (usize, u32) = (5_000, 42);
/// Size and seed of the published validation set.
pub const VALIDATION: (usize, u32) = (1_000, 41);
/// Size and seed of the published test set.
pub const TEST: (usize, u32) = (1_000, 40);

/// The number of classes.
pub const CLASSES: usize = 3;

/// The radius of the symbol, whose centre is at (0.5, 0.5).
const RADIUS: f64 = 0.5;
/// The radius of its two dots.
const DOT: f64 = 0.1;

/// A point of the symbol.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// From 0 to 1.
    pub x: f64,
    /// From 0 to 1.
    pub y: f64,
    /// 0 yin, 1 yang, 2 dot.
    pub class: u32,
}

/// `size` points: a class is drawn, then points until one lies in the symbol and has that class.
pub fn draw(size: usize, seed: u32) -> Vec<Point> {
    let mut random = RandomState::new(seed);
    let mut points = Vec::with_capacity(size);
    while points.len() < size {
        let class = random.below(CLASSES as u32);
        points.push(loop {
            let (x, y) = (random.unit() * 2.0 * RADIUS, random.unit() * 2.0 * RADIUS);
            if distance(x, y, RADIUS) <= RADIUS && class_of(x, y) == class {
                break Point { x, y, class };
            }
        });
    }
    points
}

/// How points become spikes: inputs 0 to 3 spike at x, y, 1 - x and 1 - y, stretched to the times
/// from `t_min` to `t_max`; with a bias, input 4 spikes at that time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Encoding {
    t_min: f64,
    t_max: f64,
    bias: Option<f64>,
}

impl Encoding {
    /// Times in ms. Wunderlich & Pehle (2021) take 0 to 30 and a bias at 0.
    ///
    /// # Errors
    /// Unless 0 <= t_min <= t_max and 0 <= bias, all finite.
    pub fn new(t_min: f64, t_max: f64, bias: Option<f64>) -> Result<Self, EncodingError> {
        check_times(t_min, t_max)?;
        bias.map_or(Ok(()), |bias| check_times(bias, bias))?;
        Ok(Self { t_min, t_max, bias })
    }

    /// One sample a point; spikes at one time are ordered by input.
    pub fn encode<T: Real>(&self, points: &[Point]) -> SpikeData<T> {
        let inputs = 4 + usize::from(self.bias.is_some());
        let mut spikes = SpikeBatch::with_capacity(points.len(), points.len() * inputs);
        for &Point { x, y, .. } in points {
            let coordinates = [x, y, 1.0 - x, 1.0 - y];
            let times = coordinates.map(|c| self.t_min + c * (self.t_max - self.t_min));
            let mut train: Vec<(f64, u32)> =
                times.into_iter().chain(self.bias).zip(0_u32..).collect();
            train.sort_by(|a, b| a.0.total_cmp(&b.0));
            let train = train.into_iter().map(|(time, input)| (T::of(time), input));
            spikes.push_sorted(train).expect("coordinates are from 0 to 1");
        }
        let labels = points.iter().map(|point| point.class).collect();
        SpikeData { spikes, labels, classes: CLASSES, inputs, shape: [1, 1, inputs] }
    }
}

fn class_of(x: f64, y: f64) -> u32 {
    let (left, right) = (distance(x, y, 0.5 * RADIUS), distance(x, y, 1.5 * RADIUS));
    if right < DOT || left < DOT {
        return 2;
    }
    let yang = right <= DOT
        || (left > DOT && left <= 0.5 * RADIUS)
        || (y > RADIUS && right > 0.5 * RADIUS);
    u32::from(yang)
}

/// The distance from (x, y) to a point of the symbol's horizontal diameter.
fn distance(x: f64, y: f64, centre: f64) -> f64 {
    ((x - centre).powi(2) + (y - RADIUS).powi(2)).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use sha2::{Digest, Sha256};

    /// SHA-256 of the contents of the published files `*_samples.npy` and `*_labels.npy`, after
    /// their headers of 128 bytes.
    fn check((size, seed): (usize, u32), samples: &str, labels: &str) {
        let hex = |hash: Sha256| -> String {
            hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
        };
        let (mut sample_hash, mut label_hash) = (Sha256::new(), Sha256::new());
        for Point { x, y, class } in draw(size, seed) {
            for value in [x, y, 1.0 - x, 1.0 - y] {
                sample_hash.update(value.to_le_bytes());
            }
            label_hash.update(i64::from(class).to_le_bytes());
        }
        assert_eq!((hex(sample_hash), hex(label_hash)), (samples.into(), labels.into()));
    }

    #[test]
    fn the_published_sets_come_out_exactly() {
        check(
            TRAIN,
            "f5a4054d56f2a058f8250fba7ff9720458e1625db7af78a295e45701745b2228",
            "534d12acda4f9dbc7208a99d3646115a4aa7d74ca31d6d23f822079a568559b7",
        );
        check(
            VALIDATION,
            "5eac358bdf2122763dce3703a79f3005e56e46a4db25ec329a07333d0f7b8093",
            "5a4c2f605814a620f514c1091f10441ce562cd81e902ce701b3cf94ae7576f7d",
        );
        check(
            TEST,
            "7bab3ed668ed4992679cff6339fe21bfe7d0c921ddc6187eaa3bc6ef34b888d7",
            "daa0f8f4e3b37b1ddec2afee22f09afb768f0e575f3f568e7469f1ebc6af73c1",
        );
    }

    #[test]
    fn spikes_come_at_the_coordinates() {
        let points = [Point { x: 0.75, y: 0.5, class: 2 }];
        let data = Encoding::new(0.0, 30.0, Some(0.0)).unwrap().encode::<f64>(&points);
        let expected = [(0.0, 4), (7.5, 2), (15.0, 1), (15.0, 3), (22.5, 0)];
        assert_eq!(data.spikes.get(0).iter().collect::<Vec<_>>(), expected);
        assert_eq!((data.inputs, data.labels), (5, vec![2]));
        let data = Encoding::new(5.0, 10.0, None).unwrap().encode::<f64>(&points);
        assert_eq!((data.inputs, data.spikes.get(0).times()[0]), (4, 6.25));
        assert!(Encoding::new(0.0, 30.0, Some(-1.0)).is_err());
    }
}
