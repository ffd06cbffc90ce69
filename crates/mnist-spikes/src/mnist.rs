//! MNIST (LeCun, Cortes & Burges), the whole of it, inside the crate: 60,000 + 10,000 handwritten
//! digits of 28 x 28 pixels.
//!
//! The four official files are 11.4 MB gzipped, more than a crate may hold. The bundle holds the same
//! bytes in 8.6 MB: which pixels are not black as bits, and the values of those pixels, grouped by
//! what surrounds them (see `packing`), all compressed by zstd. Its frames are independent, so
//! that all cores decode at once. `examples/bundle_mnist.rs` makes it from the official files; a
//! test compares the checksums of what comes out with those of the official files.

mod bundle;
mod packing;

#[cfg(feature = "bundle")]
pub use bundle::{BundleError, bundle};

use crate::images::{ImageSet, TrainTest};
use packing::{IMAGE, SIDE};

/// The number of classes, the digits 0 to 9.
pub const CLASSES: usize = 10;

const TRAIN: usize = 60_000;
const TEST: usize = 10_000;

static BUNDLE: &[u8] = include_bytes!("../data/mnist.bundle");

/// Decodes the bundled MNIST.
pub fn load() -> TrainTest {
    let (mut pixels, mut labels) =
        bundle::decode(BUNDLE, TRAIN + TEST).expect("the bundle is part of the crate");
    let test = set(pixels.split_off(TRAIN * IMAGE), labels.split_off(TRAIN));
    TrainTest { train: set(pixels, labels), test }
}

fn set(pixels: Vec<u8>, labels: Vec<u8>) -> ImageSet {
    let labels = labels.into_iter().map(u32::from).collect();
    ImageSet::new(pixels, SIDE, SIDE, labels, CLASSES).expect("the bundle holds MNIST")
}
