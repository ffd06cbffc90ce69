//! Cuts a small MNIST for quick trials, in the format of the official files:
//!
//! `cargo run --release -p mnist-spikes --example small_mnist -- FOLDER 1000 200`
//!
//! leaves the first 1,000 training and 200 test images in FOLDER, for `--data-folder FOLDER`.

use mnist_spikes::{ImageSet, mnist};
use std::error::Error;
use std::fs;
use std::path::Path;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, train, test] = &arguments[..] else {
        return Err("usage: small_mnist FOLDER TRAINING_IMAGES TEST_IMAGES".into());
    };
    let digits = mnist::load();
    fs::create_dir_all(folder)?;
    for (name, images, count) in [("train", digits.train, train), ("t10k", digits.test, test)] {
        let count = count.parse::<usize>()?.min(images.len());
        write(Path::new(folder), name, &images.slice(0..count))?;
    }
    Ok(())
}

/// The images and labels of one half.
fn write(folder: &Path, name: &str, images: &ImageSet) -> Result<(), Box<dyn Error>> {
    let sizes = [images.len(), images.height(), images.width()];
    let labels = images.labels().iter().map(|&label| u8::try_from(label));
    let labels = labels.collect::<Result<Vec<u8>, _>>()?;
    fs::write(folder.join(format!("{name}-images-idx3-ubyte")), idx(&sizes, images.pixels())?)?;
    fs::write(folder.join(format!("{name}-labels-idx1-ubyte")), idx(&sizes[..1], &labels)?)?;
    Ok(())
}

/// An array of bytes as IDX: the type, the number of dimensions, each of them, the bytes.
fn idx(sizes: &[usize], bytes: &[u8]) -> Result<Vec<u8>, Box<dyn Error>> {
    let mut file = vec![0, 0, 8, u8::try_from(sizes.len())?];
    for &size in sizes {
        file.extend(u32::try_from(size)?.to_be_bytes());
    }
    file.extend(bytes);
    Ok(file)
}
