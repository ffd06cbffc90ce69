use rayon::prelude::*;

/// Grey images of one size with their labels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageSet {
    pixels: Vec<u8>,
    height: usize,
    width: usize,
    labels: Vec<u32>,
    classes: usize,
}

/// Images to train on and images to test on, of one size and the same classes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrainTest {
    /// The images to train on.
    pub train: ImageSet,
    /// The images to test on.
    pub test: ImageSet,
}

impl ImageSet {
    /// `pixels` holds the images one after another, `[image][row][column]`, 0 black, 255 white.
    ///
    /// # Errors
    /// If the number of pixels is not that of one image of `height` x `width` a label, an image
    /// has no pixel or more than 2^32, or a label is not below `classes`.
    pub fn new(
        pixels: Vec<u8>,
        height: usize,
        width: usize,
        labels: Vec<u32>,
        classes: usize,
    ) -> Result<Self, ImageError> {
        let size = height.checked_mul(width).filter(|size| (1..=1 << 32).contains(size));
        let size = size.ok_or(ImageError::Size { height, width })?;
        if pixels.len() != labels.len().saturating_mul(size) {
            let (pixels, labels) = (pixels.len(), labels.len());
            return Err(ImageError::Count { pixels, labels, height, width });
        }
        if let Some(image) = labels.iter().position(|&label| label as usize >= classes) {
            return Err(ImageError::Label { image, label: labels[image], classes });
        }
        Ok(Self { pixels, height, width, labels, classes })
    }

    /// The images at `range`.
    ///
    /// # Panics
    /// If they do not all exist.
    pub fn part(&self, range: std::ops::Range<usize>) -> Self {
        let size = self.height * self.width;
        Self {
            pixels: self.pixels[range.start * size..range.end * size].to_vec(),
            labels: self.labels[range].to_vec(),
            ..*self
        }
    }

    /// The number of images.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there is no image.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// The rows of an image.
    pub fn height(&self) -> usize {
        self.height
    }

    /// The columns of an image.
    pub fn width(&self) -> usize {
        self.width
    }

    /// The number of classes: every label is below it.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// One label an image.
    pub fn labels(&self) -> &[u32] {
        &self.labels
    }

    /// All images, `[image][row][column]`.
    pub fn pixels(&self) -> &[u8] {
        &self.pixels
    }

    /// The pixels of image `image`, row by row.
    ///
    /// # Panics
    /// If there is no such image.
    pub fn image(&self, image: usize) -> &[u8] {
        let size = self.height * self.width;
        &self.pixels[image * size..(image + 1) * size]
    }

    /// The images `range`, copied.
    ///
    /// # Panics
    /// If they do not all exist.
    pub fn slice(&self, range: std::ops::Range<usize>) -> Self {
        let size = self.height * self.width;
        Self {
            pixels: self.pixels[range.start * size..range.end * size].to_vec(),
            labels: self.labels[range].to_vec(),
            ..*self
        }
    }

    /// The images with rows and columns exchanged: EMNIST's files hold them lying on their side.
    pub fn transposed(&self) -> Self {
        let (height, width) = (self.height, self.width);
        let mut pixels = vec![0; self.pixels.len()];
        pixels.par_chunks_mut(height * width).zip(self.pixels.par_chunks(height * width)).for_each(
            |(transposed, image)| {
                for row in 0..height {
                    for column in 0..width {
                        transposed[column * height + row] = image[row * width + column];
                    }
                }
            },
        );
        Self { pixels, height: width, width: height, labels: self.labels.clone(), ..*self }
    }

    /// The images as `change` rewrites them: it is called with the position of each image, its
    /// pixels and a copy of them to change, in parallel.
    pub(crate) fn map(&self, change: impl Fn(usize, &[u8], &mut [u8]) + Sync) -> Self {
        let size = self.height * self.width;
        let mut pixels = self.pixels.clone();
        let images = pixels.par_chunks_mut(size).zip(self.pixels.par_chunks(size)).enumerate();
        images.for_each(|(position, (changed, image))| change(position, image, changed));
        Self { pixels, labels: self.labels.clone(), ..*self }
    }
}

impl TrainTest {
    /// Both with rows and columns exchanged.
    pub fn transposed(&self) -> Self {
        Self { train: self.train.transposed(), test: self.test.transposed() }
    }
}

/// Why images and labels do not make a set.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ImageError {
    /// Images without pixels, or too large.
    #[error("images of {height} x {width} pixels: an image has 1 to 2^32 pixels")]
    Size {
        /// Rows.
        height: usize,
        /// Columns.
        width: usize,
    },
    /// As many images as labels are needed.
    #[error("{labels} labels, but {pixels} pixels are not {labels} images of {height} x {width}")]
    Count {
        /// Pixels in all.
        pixels: usize,
        /// Labels.
        labels: usize,
        /// Rows.
        height: usize,
        /// Columns.
        width: usize,
    },
    /// A label of a class that is not there.
    #[error("image {image} has label {label}, but there are {classes} classes (0 to {})", classes.saturating_sub(1))]
    Label {
        /// The image's position.
        image: usize,
        /// Its label.
        label: u32,
        /// The number of classes.
        classes: usize,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_and_labels_are_checked() {
        let new = |pixels: usize, height, width, labels: &[u32]| {
            ImageSet::new(vec![0; pixels], height, width, labels.to_vec(), 3)
        };
        assert!(new(12, 2, 3, &[0, 2]).is_ok());
        assert!(matches!(new(12, 2, 3, &[0]), Err(ImageError::Count { .. })));
        assert!(matches!(new(0, 0, 3, &[0]), Err(ImageError::Size { .. })));
        assert!(matches!(new(0, usize::MAX, 3, &[0]), Err(ImageError::Size { .. })));
        let error = new(12, 2, 3, &[0, 3]).unwrap_err();
        assert_eq!(error.to_string(), "image 1 has label 3, but there are 3 classes (0 to 2)");
    }

    #[test]
    fn transposing_exchanges_rows_and_columns() {
        let set = ImageSet::new(vec![1, 2, 3, 4, 5, 6], 2, 3, vec![0], 1).unwrap();
        let transposed = set.transposed();
        assert_eq!((transposed.height(), transposed.width()), (3, 2));
        assert_eq!(transposed.pixels(), [1, 4, 2, 5, 3, 6]);
        assert_eq!(transposed.transposed(), set);
    }
}
