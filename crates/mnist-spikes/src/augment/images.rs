use super::elastic::{Field, Grid};
use super::{AugmentationError, check_amount};
use crate::draws::{Draws, Purpose};
use crate::images::ImageSet;

/// Moves, turns and bends images.
///
/// Each pixel of the new image takes its value from a place in the old one, interpolated bilinearly;
/// beyond the edge the old one is black.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ImageAugmentation {
    /// The image moves by up to as many pixels along each axis, uniformly.
    pub shift: f64,
    /// It turns about its centre by up to as many degrees either way, uniformly.
    pub rotation: f64,
    /// It is bent by cubic B-splines whose control points are displaced along each axis by a normal
    /// variable of this standard deviation, in pixels (Ronneberger, Fischer & Brox 2015). The
    /// image itself then moves by about half as much.
    pub elastic: f64,
    /// The distance of those control points in pixels, at least 1: how locally it is bent.
    pub spacing: f64,
}

impl ImageAugmentation {
    /// Leaves images as they are.
    pub const NONE: Self = Self { shift: 0.0, rotation: 0.0, elastic: 0.0, spacing: 7.0 };

    /// The augmentation for images of `height` x `width` pixels.
    ///
    /// # Errors
    /// If a parameter is negative, not finite, or the spacing below 1.
    pub fn prepare(
        self,
        height: usize,
        width: usize,
        seed: u64,
    ) -> Result<ImageAugmenter, AugmentationError> {
        check_amount("shift", self.shift)?;
        check_amount("rotation", self.rotation)?;
        check_amount("elastic", self.elastic)?;
        if !(self.spacing >= 1.0 && self.spacing.is_finite()) {
            let range = "a finite number of pixels, at least 1";
            return Err(AugmentationError { name: "spacing", value: self.spacing, range });
        }
        let (rows, columns) = (Grid::new(height, self.spacing), Grid::new(width, self.spacing));
        Ok(ImageAugmenter { settings: self, height, width, seed, rows, columns })
    }
}

/// An [`ImageAugmentation`] for images of one size under one seed.
#[derive(Clone, Debug)]
pub struct ImageAugmenter {
    settings: ImageAugmentation,
    height: usize,
    width: usize,
    seed: u64,
    rows: Grid,
    columns: Grid,
}

impl ImageAugmenter {
    /// Writes into `changed` what becomes of `image`, sample `sample` of its set, in `epoch`.
    ///
    /// # Panics
    /// If an image is not of the size it was prepared for.
    pub fn apply(&self, image: &[u8], epoch: u64, sample: u64, changed: &mut [u8]) {
        let (height, width) = (self.height, self.width);
        assert_eq!((image.len(), changed.len()), (height * width, height * width), "image size");
        let ImageAugmentation { shift, rotation, elastic, .. } = self.settings;
        let mut draws = Draws::new(Purpose::Image, self.seed, epoch, sample);
        let (down, right) = (draws.uniform(-shift, shift), draws.uniform(-shift, shift));
        let (sin, cos) = draws.uniform(-rotation, rotation).to_radians().sin_cos();
        let (sin, cos) = (sin as f32, cos as f32);
        let bend = (elastic > 0.0).then(|| {
            let mut field = || Field::draw(&self.rows, &self.columns, elastic, &mut draws);
            (field(), field())
        });

        let framed = Framed::new(image, height, width);
        let (middle_row, middle_column) = (0.5 * (height - 1) as f32, 0.5 * (width - 1) as f32);
        let (mut bend_rows, mut bend_columns) = (vec![0.0; width], vec![0.0; width]);
        for (row, changed) in changed.chunks_mut(width).enumerate() {
            if let Some((rows, columns)) = &bend {
                rows.row(&self.rows, row, &mut bend_rows);
                columns.row(&self.rows, row, &mut bend_columns);
            }
            let from_middle_row = row as f32 - middle_row - down as f32;
            let across = bend_rows.iter().zip(&bend_columns);
            for ((column, pixel), (bend_row, bend_column)) in
                changed.iter_mut().enumerate().zip(across)
            {
                let from_middle_column = column as f32 - middle_column - right as f32;
                *pixel = framed.at(
                    middle_row + cos * from_middle_row - sin * from_middle_column + bend_row,
                    middle_column + sin * from_middle_row + cos * from_middle_column + bend_column,
                );
            }
        }
    }

    /// All images of `images` as they are in `epoch`, changed in parallel.
    ///
    /// # Panics
    /// If they are not of the size it was prepared for.
    pub fn epoch(&self, images: &ImageSet, epoch: u64) -> ImageSet {
        images.map(|sample, image, changed| self.apply(image, epoch, sample as u64, changed))
    }
}

/// An image inside a black frame of one pixel.
struct Framed {
    pixels: Vec<u8>,
    height: usize,
    width: usize,
}

impl Framed {
    fn new(image: &[u8], height: usize, width: usize) -> Self {
        let mut pixels = vec![0; (height + 2) * (width + 2)];
        for (row, image) in image.chunks(width).enumerate() {
            let start = (row + 1) * (width + 2) + 1;
            pixels[start..start + width].copy_from_slice(image);
        }
        Self { pixels, height, width }
    }

    /// The value at a place in the coordinates of the image, where pixels have their centres at
    /// whole numbers. Places beyond the frame are taken to its outermost pixels, which are black.
    #[inline]
    fn at(&self, row: f32, column: f32) -> u8 {
        // At least 0 and finite after clamping, so truncation is rounding down; a last row and
        // column are always left for the neighbour.
        let row = (row + 1.0).clamp(0.0, (self.height + 1) as f32 - 1e-3);
        let column = (column + 1.0).clamp(0.0, (self.width + 1) as f32 - 1e-3);
        let (top, left) = (row as usize, column as usize);
        let (down, right) = (row - top as f32, column - left as f32);
        let start = top * (self.width + 2) + left;
        let upper = &self.pixels[start..start + 2];
        let lower = &self.pixels[start + self.width + 2..start + self.width + 4];
        let mix = |pair: &[u8]| {
            let (a, b) = (f32::from(pair[0]), f32::from(pair[1]));
            a + right * (b - a)
        };
        let (upper, lower) = (mix(upper), mix(lower));
        (upper + down * (lower - upper) + 0.5) as u8
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn image() -> Vec<u8> {
        (0..28 * 28).map(|i| if (i / 28 + i % 28) % 5 < 3 { 200 } else { (i % 60) as u8 }).collect()
    }

    #[test]
    fn nothing_changes_nothing() {
        let augmenter = ImageAugmentation::NONE.prepare(28, 28, 1).unwrap();
        let mut changed = vec![0; 784];
        augmenter.apply(&image(), 3, 4, &mut changed);
        assert_eq!(changed, image());
    }

    #[test]
    fn turning_keeps_the_distance_from_the_middle() {
        let mut image = vec![0; 25];
        image[2] = 240; // middle of the top row
        let augmenter = ImageAugmentation { rotation: 90.0, ..ImageAugmentation::NONE };
        let augmenter = augmenter.prepare(5, 5, 0).unwrap();
        let mut changed = vec![0; 25];
        for sample in 0..50 {
            augmenter.apply(&image, 0, sample, &mut changed);
            let weight: f32 = changed.iter().map(|&p| f32::from(p)).sum();
            let radius: f32 = (0..25)
                .map(|i| {
                    let (y, x) = ((i / 5) as f32 - 2.0, (i % 5) as f32 - 2.0);
                    (x * x + y * y).sqrt() * f32::from(changed[i])
                })
                .sum();
            assert!((radius / weight - 2.0).abs() < 0.35, "{}", radius / weight);
        }
    }

    #[test]
    fn drawn_by_seed_epoch_and_sample() {
        let settings = ImageAugmentation { shift: 2.0, rotation: 10.0, elastic: 1.0, spacing: 7.0 };
        let change = |seed, epoch, sample| {
            let mut changed = vec![0; 784];
            settings.prepare(28, 28, seed).unwrap().apply(&image(), epoch, sample, &mut changed);
            changed
        };
        assert_eq!(change(1, 2, 3), change(1, 2, 3));
        for other in [change(2, 2, 3), change(1, 3, 3), change(1, 2, 4)] {
            assert_ne!(change(1, 2, 3), other);
        }
        let set = ImageSet::new([image(), image()].concat(), 28, 28, vec![0, 1], 2).unwrap();
        let epoch = settings.prepare(28, 28, 1).unwrap().epoch(&set, 2);
        assert_eq!(epoch.image(1), change(1, 2, 1));
    }

    proptest! {
        #[test]
        fn any_settings_and_sizes(
            height in 1_usize..40, width in 1_usize..40, shift in 0.0..1e9, rotation in 0.0..720.0,
            elastic in 0.0..1e9, spacing in 1.0..100.0
        ) {
            let settings = ImageAugmentation { shift, rotation, elastic, spacing };
            let augmenter = settings.prepare(height, width, 1).unwrap();
            let image = vec![9; height * width];
            let mut changed = vec![0; height * width];
            augmenter.apply(&image, 0, 0, &mut changed);
            prop_assert!(changed.iter().all(|&pixel| pixel <= 9));
        }
    }

    #[test]
    fn refuses_what_makes_no_sense() {
        let none = ImageAugmentation::NONE;
        for settings in [
            ImageAugmentation { shift: -1.0, ..none },
            ImageAugmentation { rotation: f64::NAN, ..none },
            ImageAugmentation { elastic: f64::INFINITY, ..none },
            ImageAugmentation { spacing: 0.5, ..none },
        ] {
            assert!(settings.prepare(28, 28, 0).is_err());
        }
    }
}
