//! Draws the spikes of a test image of MNIST in an untrained network as raster.svg.
//!
//! cargo run --release --example raster -- [FILE]

use eventprop::lif_core::SpikeBatch;
use eventprop::lif_core::engine::{Engine, Training};
use eventprop::lif_core::reference::Reference;
use eventprop::plot::{Row, raster};
use eventprop::{Config, Samples};
use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args().nth(1).unwrap_or_else(|| "raster.svg".into());
    let config = Config::preset("mnist")?;
    let network = config.network.build()?;
    let mut engine = Reference::new(&network, Training::exact(config.loss))?;
    engine.load(&config.network.initial_parameters(config.training.seed)?)?;

    let samples = Samples::load_test(&config.data)?;
    let mut spikes = SpikeBatch::new();
    let image = samples.spikes(0);
    spikes.push_sorted(image.iter().map(|(time, input)| (f64::from(time), input)))?;
    engine.infer(&spikes)?;

    let row = |layer: usize, spikes: SpikeBatch<f64>| Row::Spikes {
        name: network.layers()[layer].name.clone(),
        size: network.layers()[layer].size,
        spikes: spikes.get(0).iter().collect(),
    };
    let hidden = engine.spikes(1);
    let rows = [row(0, spikes), row(1, hidden)];
    std::fs::write(&path, raster("a test image", network.duration(), &rows)?)?;
    println!("{path}");
    Ok(())
}
