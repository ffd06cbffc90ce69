//! The gradient of a small network by every weight, beside finite differences.
//!
//! cargo run --example gradients

use eventprop::lif_core::engine::{Batch, Engine, Training};
use eventprop::lif_core::loss::Loss;
use eventprop::lif_core::network::{ConnectionSpec, LayerSpec};
use eventprop::lif_core::reference::Reference;
use eventprop::lif_core::{Network, SpikeBatch};
use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    let layers = vec![
        LayerSpec::input("input", 2),
        LayerSpec::lif("hidden", 2, 20.0, 5.0),
        LayerSpec::li("output", 2, 20.0, 5.0),
    ];
    let connections =
        vec![ConnectionSpec::dense("input", "hidden"), ConnectionSpec::dense("hidden", "output")];
    let network = Network::new(40.0, layers, connections)?;
    let mut engine = Reference::new(&network, Training::exact(Loss::VmaxCrossEntropy {}))?;
    let mut parameters = engine.parameters();
    // [source][target]
    parameters.connections[0].weights = vec![3.1, 2.7, 2.9, 3.3];
    parameters.connections[1].weights = vec![0.4, -0.3, 0.2, 0.7];
    engine.load(&parameters)?;

    // (time in ms, input)
    let mut spikes = SpikeBatch::new();
    spikes.push_sorted([(0.5, 0), (2.0, 1), (3.0, 0), (9.0, 1)])?;
    let batch = Batch { spikes: &spikes, labels: &[1] };
    let statistics = engine.differentiate(batch)?;
    let gradient = engine.gradient();
    println!("loss {:.6}", statistics.loss);
    for (neuron, time) in engine.spikes(1).get(0).iter().map(|(time, neuron)| (neuron, time)) {
        println!("hidden neuron {neuron} spikes at {time:.4} ms");
    }
    let step = 1e-6;
    for connection in 0..2 {
        for weight in 0..4 {
            let mut loss_at = |change: f64| -> Result<f64, Box<dyn Error>> {
                let mut moved = parameters.clone();
                moved.connections[connection].weights[weight] += change;
                engine.load(&moved)?;
                Ok(engine.loss(batch)?.0)
            };
            let difference = (loss_at(step)? - loss_at(-step)?) / (2.0 * step);
            let exact = gradient.connections[connection].weights[weight];
            println!(
                "connection {connection} weight {weight}: {exact:+.9}, by differences {difference:+.9}"
            );
        }
    }
    Ok(())
}
