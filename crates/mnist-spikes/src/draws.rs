/// Random numbers for one sample in one epoch: SplitMix64 (Steele, Lea & Flood 2014) started at a
/// hash of (purpose, seed, epoch, sample).
///
/// Nothing is shared between samples, so the numbers are the same for any number of threads and any
/// order. It is written out here, instead of taken from a library, because its numbers are part of
/// what a seed promises: they never change.
#[derive(Clone, Debug)]
pub struct Draws(u64);

/// What numbers are drawn for. Different purposes never see the same numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub enum Purpose {
    /// The order of the samples.
    Order = 1,
    /// Input spikes that are dropped.
    Dropout = 2,
    /// Augmentation of images.
    Image = 3,
    /// Augmentation of events.
    Events = 4,
    /// Blends of events.
    Blend = 5,
    /// The simulated event camera.
    Camera = 6,
    /// Which samples are blended.
    Blending = 7,
}

impl Draws {
    /// The numbers of `sample` in `epoch`.
    pub fn new(purpose: Purpose, seed: u64, epoch: u64, sample: u64) -> Self {
        let key = [seed, epoch, sample].into_iter().fold(purpose as u64, |key, part| {
            mix(key
                .wrapping_mul(0xD134_2543_DE82_EF95)
                .wrapping_add(mix(part.wrapping_add(GOLDEN))))
        });
        Self(key)
    }

    /// 64 uniform bits.
    #[inline]
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(GOLDEN);
        mix(self.0)
    }

    /// Uniform in [0, 1).
    #[inline]
    pub fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Uniform in [low, high).
    #[inline]
    pub fn uniform(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// Uniform in 0..bound, by multiplication: the bias is below bound / 2^64.
    #[inline]
    pub fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.bits()) * u128::from(bound)) >> 64) as u64
    }

    /// Normally distributed with mean 0 and variance 1 (Box & Muller 1958).
    #[inline]
    pub fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.unit()).cos()
    }
}

const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

/// The finaliser of SplitMix64 (Stafford's variant 13).
#[inline]
fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_splitmix64() {
        // The first numbers of the published generator from state 1234567.
        let mut draws = Draws(1_234_567);
        let expected = [6_457_827_717_110_365_317, 3_203_168_211_198_807_973];
        assert_eq!([draws.bits(), draws.bits()], expected);
    }

    #[test]
    fn moments() {
        let (mut unit, mut square, mut normal, mut variance) = (0.0, 0.0, 0.0, 0.0);
        let n = 100_000;
        for sample in 0..n {
            let mut draws = Draws::new(Purpose::Image, 7, 3, sample);
            let (u, z) = (draws.unit(), draws.normal());
            unit += u / n as f64;
            square += u * u / n as f64;
            normal += z / n as f64;
            variance += z * z / n as f64;
        }
        assert!((unit - 0.5).abs() < 0.005 && (square - 1.0 / 3.0).abs() < 0.005);
        assert!(normal.abs() < 0.015 && (variance - 1.0).abs() < 0.025);
    }
}
