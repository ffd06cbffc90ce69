use crate::encoding::{EncodingError, GreyCode, check_times};
use crate::images::ImageSet;
use lif_core::{Real, SpikeBatch};

/// A pixel p above the cut spikes once, at t_min + (1 - p/255)(t_max - t_min): white first, dark
/// late. Pixels at or below the cut are silent.
///
/// Wunderlich & Pehle (2021) take t_min 0, t_max 20 ms and cut 1 for MNIST.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Latency {
    t_min: f64,
    t_max: f64,
    cut: u8,
}

impl Latency {
    /// Times in ms.
    ///
    /// # Errors
    /// Unless 0 <= t_min <= t_max, both finite.
    pub fn new(t_min: f64, t_max: f64, cut: u8) -> Result<Self, EncodingError> {
        check_times(t_min, t_max)?;
        Ok(Self { t_min, t_max, cut })
    }

    /// One train an image, one input a pixel; spikes at one time are ordered by input.
    pub fn encode<T: Real>(&self, images: &ImageSet) -> SpikeBatch<T> {
        self.code().encode(images)
    }

    /// Appends to `batch` the trains of images of `size` pixels each, one after another in
    /// `images`: for images that were just made, by augmentation.
    ///
    /// # Panics
    /// If `size` is 0.
    pub fn push<T: Real>(&self, images: &[u8], size: usize, batch: &mut SpikeBatch<T>) {
        self.code().push(images, size, batch);
    }

    fn code<T: Real>(&self) -> GreyCode<T> {
        GreyCode::new(u16::from(self.cut) + 1, |grey| {
            self.t_min + (1.0 - f64::from(grey) / 255.0) * (self.t_max - self.t_min)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn each_pixel_above_the_cut_spikes_when_it_should(
            pixels in prop::collection::vec(any::<u8>(), 3 * 4 * 5), cut: u8
        ) {
            let images = ImageSet::new(pixels.clone(), 4, 5, vec![0, 1, 2], 3).unwrap();
            let batch = Latency::new(2.0, 12.0, cut).unwrap().encode::<f64>(&images);
            prop_assert_eq!(batch.len(), 3);
            for (train, image) in batch.iter().zip(pixels.chunks(20)) {
                let mut expected: Vec<(f64, u32)> = (0..20)
                    .filter(|&i| image[i as usize] > cut)
                    .map(|i| (2.0 + (1.0 - f64::from(image[i as usize]) / 255.0) * 10.0, i))
                    .collect();
                expected.sort_by(|a, b| a.partial_cmp(b).unwrap());
                prop_assert_eq!(train.iter().collect::<Vec<_>>(), expected);
            }
            let mut pushed = SpikeBatch::new();
            Latency::new(2.0, 12.0, cut).unwrap().push(&pixels, 20, &mut pushed);
            prop_assert_eq!(pushed, batch);
        }
    }

    #[test]
    fn refuses_times_that_are_none() {
        for (t_min, t_max) in [(-1.0, 2.0), (3.0, 2.0), (f64::NAN, 1.0), (0.0, f64::INFINITY)] {
            assert!(Latency::new(t_min, t_max, 1).is_err());
        }
    }
}
