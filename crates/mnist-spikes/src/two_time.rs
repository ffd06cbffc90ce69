use crate::encoding::{EncodingError, GreyCode, check_times};
use crate::images::ImageSet;
use lif_core::{Real, SpikeBatch};

/// Every pixel spikes once, at one of two times: white ones (p/255 >= 0.5) at t_min, black ones at
/// t_max.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TwoTime {
    t_min: f64,
    t_max: f64,
}

impl TwoTime {
    /// Times in ms.
    ///
    /// # Errors
    /// Unless 0 <= t_min <= t_max, both finite.
    pub fn new(t_min: f64, t_max: f64) -> Result<Self, EncodingError> {
        check_times(t_min, t_max)?;
        Ok(Self { t_min, t_max })
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
        GreyCode::new(0, |grey| if grey >= 128 { self.t_min } else { self.t_max })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_first_then_black_by_index() {
        let images = ImageSet::new(vec![127, 128, 0, 255], 2, 2, vec![0], 1).unwrap();
        let batch = TwoTime::new(2.0, 12.0).unwrap().encode::<f32>(&images);
        let expected = [(2.0, 1), (2.0, 3), (12.0, 0), (12.0, 2)];
        assert_eq!(batch.get(0).iter().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn equal_times_are_ordered_by_index() {
        let images = ImageSet::new(vec![0, 255, 0, 255], 2, 2, vec![0], 1).unwrap();
        let batch = TwoTime::new(3.0, 3.0).unwrap().encode::<f32>(&images);
        assert_eq!(batch.get(0).indices(), [0, 1, 2, 3]);
    }
}
