//! Makes the bundle of MNIST from the four official files:
//!
//! `cargo run --release -p mnist-spikes --features bundle --example bundle_mnist -- FOLDER
//! crates/mnist-spikes/data/mnist.bundle`

use mnist_spikes::{folder, mnist};
use std::path::Path;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [source, target] = &arguments[..] else {
        return Err("usage: bundle_mnist FOLDER TARGET".into());
    };
    let bundle = mnist::bundle(&folder::load(Path::new(source), None)?)?;
    std::fs::write(target, &bundle)?;
    println!("{target}: {} bytes", bundle.len());
    Ok(())
}
