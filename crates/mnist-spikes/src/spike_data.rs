use crate::images::ImageSet;
use lif_core::SpikeBatch;

/// A data set of spike trains with their labels: what training consumes.
#[derive(Clone, Debug, PartialEq)]
pub struct SpikeData<T = f32> {
    /// One train a sample; times in ms, indices below `inputs`.
    pub spikes: SpikeBatch<T>,
    /// One label a sample, below `classes`.
    pub labels: Vec<u32>,
    /// The number of classes.
    pub classes: usize,
    /// The number of input neurons.
    pub inputs: usize,
    /// The inputs as [channels, height, width], for convolutions; the product is `inputs`.
    pub shape: [usize; 3],
}

impl<T> SpikeData<T> {
    /// The images as `encode` turns them into spikes, one input a pixel.
    pub fn from_images(images: &ImageSet, encode: impl FnOnce(&ImageSet) -> SpikeBatch<T>) -> Self {
        let (height, width) = (images.height(), images.width());
        Self {
            spikes: encode(images),
            labels: images.labels().to_vec(),
            classes: images.classes(),
            inputs: height * width,
            shape: [1, height, width],
        }
    }
}
