//! The bundled MNIST is the official one, byte for byte.

use mnist_spikes::{ImageSet, mnist};
use sha2::{Digest, Sha256};

/// Checks the SHA-256 of the IDX files that `set` would be written as.
fn check(set: &ImageSet, images: &str, labels: &str) {
    let count = set.len() as u32;
    let mut file = Sha256::new();
    for number in [0x803, count, set.height() as u32, set.width() as u32] {
        file.update(number.to_be_bytes());
    }
    file.update(set.pixels());
    assert_eq!(hex(&file.finalize()), images);

    let mut file = Sha256::new();
    for number in [0x801, count] {
        file.update(number.to_be_bytes());
    }
    file.update(set.labels().iter().map(|&label| label as u8).collect::<Vec<_>>());
    assert_eq!(hex(&file.finalize()), labels);
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn the_bundle_holds_the_official_files() {
    let mnist = mnist::load();
    check(
        &mnist.train,
        "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    );
    check(
        &mnist.test,
        "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    );
    assert_eq!(mnist.train.classes(), mnist::CLASSES);
}

/// crates.io takes 10 MB; leave room for the sources.
#[test]
fn the_bundle_leaves_the_crate_publishable() {
    assert!(include_bytes!("../data/mnist.bundle").len() < 9_000_000);
}
