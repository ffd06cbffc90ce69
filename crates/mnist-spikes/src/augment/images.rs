use super::elastic::{Field, Grid};
use super::{AugmentationError, check_amount};
use crate::draws::{Draws, Purpose};
use crate::images::ImageSet;

/// Moves, turns, bends and flips images.
///
/// Each pixel of the new image takes its value from a place in the old one, interpolated bilinearly;
/// beyond the edge the old one is black.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ImageAugmentation {
    /// The image moves by up to as many pixels along each axis, uniformly.
    pub shift: f64,
    /// It turns about its centre by up to as many degrees either way, uniformly.
    pub rotation: f64,
    /// It is bent by cubic B-splines whose control points are displaced at random along each axis,
    /// with this standard deviation in pixels (after Ronneberger, Fischer & Brox 2015). The image
    /// itself then moves by about half as much.
    pub elastic: f64,
    /// The distance of those control points in pixels, at least 1: how locally it is bent.
    pub spacing: f64,
    /// Every other image on average has its left and right exchanged: for what looks the same in a
    /// mirror, as clothes do and digits do not.
    pub flip: bool,
}

impl ImageAugmentation {
    /// Leaves images as they are.
    pub const NONE: Self =
        Self { shift: 0.0, rotation: 0.0, elastic: 0.0, spacing: 7.0, flip: false };

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
        let ImageAugmentation { shift, rotation, elastic, flip, .. } = self.settings;
        let mut draws = Draws::new(Purpose::Image, self.seed, epoch, sample);
        let (down, right) = (draws.uniform(-shift, shift), draws.uniform(-shift, shift));
        let (sin, cos) = draws.uniform(-rotation, rotation).to_radians().sin_cos();
        let (sin, cos) = (sin as f32, cos as f32);
        let bend = (elastic > 0.0).then(|| {
            let mut field = || Field::draw(&self.rows, &self.columns, elastic, &mut draws);
            (field(), field())
        });
        let flipped = flip && draws.unit() < 0.5;

        let middle = (0.5 * (height - 1) as f32, 0.5 * (width - 1) as f32);
        let framed = Framed::new(image, height, width);
        let (mut rows, mut columns) = (vec![0.0; width], vec![0.0; width]);
        for (row, changed) in changed.chunks_mut(width).enumerate() {
            match &bend {
                Some((along_rows, along_columns)) => {
                    along_rows.row(&self.rows, row, &mut rows);
                    along_columns.row(&self.rows, row, &mut columns);
                }
                None => {
                    rows.fill(0.0);
                    columns.fill(0.0);
                }
            }
            let y = row as f32 - middle.0 - down as f32;
            for column in 0..width {
                let x = column as f32 - middle.1 - right as f32;
                rows[column] += middle.0 + cos * y - sin * x;
                columns[column] += middle.1 + sin * y + cos * x;
            }
            if flipped {
                columns.iter_mut().for_each(|column| *column = (width - 1) as f32 - *column);
            }
            framed.sample(&rows, &columns, changed);
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
    pixels: Vec<f32>,
    height: usize,
    width: usize,
}

impl Framed {
    fn new(image: &[u8], height: usize, width: usize) -> Self {
        let mut pixels = vec![0.0; (height + 2) * (width + 2)];
        for (row, image) in image.chunks(width).enumerate() {
            let start = (row + 1) * (width + 2) + 1;
            for (pixel, &grey) in pixels[start..].iter_mut().zip(image) {
                *pixel = f32::from(grey);
            }
        }
        Self { pixels, height, width }
    }

    /// Writes into `greys` the values at places in the coordinates of the image, where pixels have
    /// their centres at whole numbers. Places beyond the frame are taken to its outermost pixels,
    /// which are black.
    fn sample(&self, rows: &[f32], columns: &[f32], greys: &mut [u8]) {
        let stride = self.width + 2;
        // A last row and column are always left for the neighbour.
        let (last_row, last_column) =
            ((self.height + 1) as f32 - 1e-3, (self.width + 1) as f32 - 1e-3);
        for ((row, column), grey) in rows.iter().zip(columns).zip(greys) {
            let (y, x) = ((row + 1.0).clamp(0.0, last_row), (column + 1.0).clamp(0.0, last_column));
            let (top, left) = (y as i32, x as i32);
            let (down, right) = (y - top as f32, x - left as f32);
            let start = top as usize * stride + left as usize;
            let around = &self.pixels[start..start + stride + 2];
            let upper = around[0] + right * (around[1] - around[0]);
            let lower = around[stride] + right * (around[stride + 1] - around[stride]);
            *grey = (upper + down * (lower - upper) + 0.5) as i32 as u8;
        }
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
    fn half_of_the_images_are_flipped_and_nothing_else_happens() {
        let flip = ImageAugmentation { flip: true, ..ImageAugmentation::NONE };
        let augmenter = flip.prepare(28, 28, 1).unwrap();
        let image = image();
        let mirrored: Vec<u8> =
            image.chunks(28).flat_map(|row| row.iter().rev().copied()).collect();
        let mut changed = vec![0; 784];
        let flipped = (0..1000).filter(|&sample| {
            augmenter.apply(&image, 3, sample, &mut changed);
            assert!(changed == image || changed == mirrored);
            changed == mirrored
        });
        // Five standard deviations about the mean.
        assert!((421..=579).contains(&flipped.count()));
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
        let settings = ImageAugmentation {
            shift: 2.0,
            rotation: 10.0,
            elastic: 1.0,
            ..ImageAugmentation::NONE
        };
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
            elastic in 0.0..1e9, spacing in 1.0..100.0, flip: bool
        ) {
            let settings = ImageAugmentation { shift, rotation, elastic, spacing, flip };
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
