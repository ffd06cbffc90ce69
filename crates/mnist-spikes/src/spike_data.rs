use crate::images::ImageSet;
use lif_core::{DescriptionError, Real, SpikeBatch};

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

impl<T: Real> SpikeData<T> {
    /// Checks that the parts fit each other: what was put together from outside may not.
    ///
    /// # Errors
    /// Names the first that does not.
    pub fn check(&self) -> Result<(), DescriptionError> {
        let Self { spikes, labels, classes, inputs, shape } = self;
        let refuse = |path: &str, reason: String| Err(DescriptionError::new(path, reason));
        if labels.len() != spikes.len() {
            let (labels, samples) = (labels.len(), spikes.len());
            return refuse("labels", format!("there are {labels} for {samples} samples"));
        }
        if let Some(sample) = labels.iter().position(|&label| label as usize >= *classes) {
            let reason = format!("must be below {classes}, got {}", labels[sample]);
            return refuse(&format!("labels[{sample}]"), reason);
        }
        for (sample, train) in spikes.iter().enumerate() {
            if let Some(index) = train.indices().iter().find(|&&index| index as usize >= *inputs) {
                let reason = format!("must be below the {inputs} inputs, got {index}");
                return refuse(&format!("sample {sample}, indices"), reason);
            }
        }
        if shape.iter().try_fold(1_usize, |product, &side| product.checked_mul(side))
            != Some(*inputs)
        {
            return refuse("shape", format!("{shape:?} does not make {inputs} inputs"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_that_do_not_fit_are_named() {
        let mut spikes = SpikeBatch::<f32>::new();
        spikes.push_sorted([(1.0, 0), (2.0, 3)]).unwrap();
        spikes.push_sorted([]).unwrap();
        let whole =
            SpikeData { spikes, labels: vec![0, 1], classes: 2, inputs: 4, shape: [1, 2, 2] };
        assert_eq!(whole.check(), Ok(()));
        let path = |data: SpikeData| data.check().unwrap_err().path;
        assert_eq!(path(SpikeData { labels: vec![0], ..whole.clone() }), "labels");
        assert_eq!(path(SpikeData { classes: 1, ..whole.clone() }), "labels[1]");
        assert_eq!(path(SpikeData { inputs: 3, ..whole.clone() }), "sample 0, indices");
        assert_eq!(path(SpikeData { shape: [usize::MAX, 2, 2], ..whole }), "shape");
    }
}
