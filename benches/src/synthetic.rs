//! Workloads of any size with input spikes at random times: one quantity varies, the others stand.

use crate::workload::Workload;
use anyhow::Result;
use eventprop::{Config, Initialiser};
use lif_core::SpikeBatch;
use lif_core::network::LayerSpec;
use mnist_spikes::{Draws, Purpose};

/// The size of a workload: dense LIF layers under a leaky readout of 10, on 784 inputs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Size {
    /// Hidden layers.
    pub depth: usize,
    /// Neurons of each.
    pub neurons: usize,
    /// Spikes a hidden neuron and sample.
    pub activity: f64,
    /// Samples a batch.
    pub batch: usize,
    /// Input spikes a sample.
    pub input_spikes: usize,
}

/// Where each curve starts from: about MNIST on 784-350-10.
pub const BASE: Size = Size { depth: 1, neurons: 350, activity: 1.0, batch: 64, input_spikes: 150 };

/// One quantity varied.
pub struct Curve {
    /// Its name among the benchmarks.
    pub name: &'static str,
    /// The quantity, as a table's head says it.
    pub quantity: &'static str,
    /// Its values, ascending.
    pub values: &'static [f64],
    /// The base with this value.
    pub size: fn(f64) -> Size,
}

/// All curves.
pub const CURVES: [Curve; 5] = [
    Curve {
        name: "neurons",
        quantity: "neurons of the hidden layer",
        values: &[10.0, 32.0, 100.0, 350.0, 1024.0, 2048.0],
        size: |value| Size { neurons: value as usize, ..BASE },
    },
    Curve {
        name: "activity",
        quantity: "spikes a hidden neuron and sample",
        values: &[0.0, 0.1, 0.3, 1.0, 3.0, 10.0],
        size: |value| Size { activity: value, ..BASE },
    },
    Curve {
        name: "batch",
        quantity: "samples a batch",
        values: &[1.0, 4.0, 16.0, 64.0, 256.0, 1024.0],
        size: |value| Size { batch: value as usize, ..BASE },
    },
    Curve {
        name: "input-spikes",
        quantity: "input spikes a sample",
        values: &[50.0, 150.0, 500.0, 1500.0, 5000.0],
        size: |value| Size { input_spikes: value as usize, ..BASE },
    },
    Curve {
        name: "depth",
        quantity: "hidden layers",
        values: &[1.0, 2.0, 4.0, 8.0],
        size: |value| Size { depth: value as usize, ..BASE },
    },
];

const INPUTS: u64 = 784;
const CLASSES: u64 = 10;
/// Input spikes come before it, in ms.
const LAST_INPUT: f64 = 20.0;

/// A workload of this size. Input spikes come from random inputs at random times, all different:
/// what no grid of times makes easier.
///
/// # Errors
/// If the engine fails while the activity is set.
pub fn workload(size: Size) -> Result<Workload> {
    let workload = Workload::new(config(size)?, batches(size))?;
    workload.calibrate(|_| size.activity * size.neurons as f64)
}

/// Wunderlich & Pehle's recipe with other layers. Weights are half positive, half of either sign, so
/// that neurons differ.
fn config(size: Size) -> Result<Config> {
    let mut config = Config::preset("mnist-paper")?;
    let hidden = config.network.layers[1].clone();
    let mut layers = vec![LayerSpec::input("input", INPUTS as usize)];
    let mut connections = Vec::new();
    for depth in 1..=size.depth {
        let below = layers[depth - 1].name.clone();
        layers.push(LayerSpec { name: depth.to_string(), size: size.neurons, ..hidden.clone() });
        let mut connection = config.network.connections[0].clone();
        let spikes = if depth == 1 { size.input_spikes as f64 } else { size.neurons as f64 };
        (connection.from, connection.to) = (below, depth.to_string());
        connection.weights = Some(Initialiser::Normal { mean: 4.0 / spikes, sd: 4.0 / spikes });
        connections.push(connection);
    }
    let mut readout = config.network.connections[1].clone();
    readout.from = size.depth.to_string();
    connections.push(readout);
    layers.push(config.network.layers[2].clone());
    (config.network.layers, config.network.connections) = (layers, connections);
    config.check()?;
    Ok(config)
}

fn batches(size: Size) -> Vec<(SpikeBatch<f32>, Vec<u32>)> {
    // Several batches, so that no branch predictor learns one by heart.
    let count = (256 / size.batch).clamp(1, 64);
    let batch = |batch: usize| {
        let mut spikes = SpikeBatch::with_capacity(size.batch, size.batch * size.input_spikes);
        let mut labels = Vec::with_capacity(size.batch);
        for sample in 0..size.batch {
            let sample = (batch * size.batch + sample) as u64;
            let mut draws = Draws::new(Purpose::Order, 0, 0, sample);
            let mut train: Vec<(f32, u32)> = (0..size.input_spikes)
                .map(|_| (draws.uniform(0.0, LAST_INPUT) as f32, draws.below(INPUTS) as u32))
                .collect();
            train.sort_by(|a, b| a.0.total_cmp(&b.0));
            spikes.push_sorted(train).expect("sorted, finite, not negative");
            labels.push(draws.below(CLASSES) as u32);
        }
        (spikes, labels)
    };
    (0..count).map(batch).collect()
}
