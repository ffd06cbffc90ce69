//! Layers that hear themselves in every way: the engine against the CPU engine and the reference, and against itself.

mod common;
#[path = "common/draw.rs"]
mod draw;
#[path = "common/lively.rs"]
mod lively;

use common::for_each_schedule;
use draw::{
    Draw, INPUTS, engines_agree, engines_agree_with, fill_delays, spikes, train_both_ways, uniform,
};
use eventprop_cuda::CudaOptions;
use lif_core::engine::Engine;
use lif_core::loss::Loss;
use lif_core::network::{ConnectionSpec, LayerSpec};
use lif_core::{Network, Parameters};
use lively::{draw, is_spiking, layer, losses};
use proptest::prelude::*;

/// A chain of dense layers, of which all that spike hear themselves; those into a layer, and those within, have
/// delays with probability `delayed`.
fn chain(
    uniform: &mut impl FnMut() -> f64,
    hidden: usize,
    size: usize,
    spiking: bool,
    delayed: f64,
) -> Network {
    let names: Vec<String> =
        (0..=hidden).map(|number| number.to_string()).chain([String::from("out")]).collect();
    let mut layers = vec![LayerSpec::input("0", INPUTS)];
    let mut connections = Vec::new();
    for (number, pair) in names.windows(2).enumerate() {
        let [below, name] = pair else { continue };
        let is_last = number == hidden;
        layers.push(layer(name, if is_last { 7 } else { size }, spiking));
        let mut connect = |from: &str| {
            let delays = uniform() < delayed;
            connections.push(ConnectionSpec { delays, ..ConnectionSpec::dense(from, name) });
        };
        connect(below);
        if spiking || !is_last {
            connect(name);
        }
    }
    Network::new(30.0, layers, connections).unwrap()
}

fn chain_draws(delayed: f64) -> impl Strategy<Value = Draw> {
    (losses(), 1..=2_usize, 2..=80_usize, 1..5_usize, any::<u64>()).prop_map(
        move |(loss, hidden, size, samples, seed)| {
            let mut uniform = uniform(seed);
            let network = chain(&mut uniform, hidden, size, is_spiking(loss), delayed);
            draw(network, loss, samples, &mut uniform)
        },
    )
}

#[test]
fn engines_agree_on_chains() {
    engines_agree(|| chain_draws(0.4));
}

/// Several neurons a thread, in one warp or more.
#[test]
fn engines_agree_on_neurons_that_share_a_thread() {
    for (recurrent_threads, delayed) in [(32, 0.0), (32, 0.6), (64, 0.3)] {
        let options = CudaOptions { recurrent_threads, ..CudaOptions::default() };
        engines_agree_with(options, || chain_draws(delayed));
    }
}

#[test]
fn kept_samples_train_as_given_ones() {
    train_both_ways(&chain(&mut uniform(3), 2, 36, false, 0.0));
}

/// A layer that hears itself; delays between layers, within it, or not.
fn large(size: usize, between: bool, within: bool) -> Network {
    let layers = vec![
        LayerSpec::input("in", INPUTS),
        LayerSpec::lif("large", size, 20.0, 5.0),
        LayerSpec::li("out", 3, 20.0, 5.0),
    ];
    let dense =
        |from: &str, to: &str, delays| ConnectionSpec { delays, ..ConnectionSpec::dense(from, to) };
    let connections = vec![
        dense("in", "large", between),
        dense("large", "large", within),
        dense("large", "out", between),
    ];
    Network::new(30.0, layers, connections).unwrap()
}

/// Neurons of which a few spike, in all parts of the layer.
fn few_spike(network: Network, loss: Loss) -> Draw {
    let mut uniform = uniform(17);
    let mut parameters = Parameters::<f32>::initial(&network);
    let size = network.layers()[1].size;
    for ((connection, own), scale) in
        network.connections().iter().zip(&mut parameters.connections).zip([1.0, 0.05, 0.3])
    {
        own.weights.fill_with(|| (uniform() * 2.0 - 1.0) as f32 * scale);
        if connection.from == 0 {
            // Two in three neurons hear next to nothing.
            for row in own.weights.chunks_exact_mut(size) {
                row.iter_mut().enumerate().filter(|(n, _)| n % 3 > 0).for_each(|(_, w)| *w *= 0.1);
            }
        }
        fill_delays(own, &mut uniform);
    }
    // Those that spike before anything arrives, and more often than there is room for at first.
    for neuron in [0, size / 2, size - 1] {
        parameters.layers[1].bias[neuron] = 9.0 + neuron as f32 / size as f32;
    }
    let spikes = spikes(2, 60, &mut uniform);
    Draw { network, parameters, spikes, labels: vec![0, 1], loss }
}

/// However the adjoint is cut into parts.
#[test]
fn parts_find_the_same() {
    for_each_schedule(|_, schedule| {
        let mut uniform = uniform(30 + schedule);
        for delayed in [0.0, 1.0] {
            let network = chain(&mut uniform, 2, 70, true, delayed);
            let draw = draw(network, Loss::SpikeTimeSum {}, 3, &mut uniform);
            let mut engine = draw.cuda(draw.training());
            let statistics = engine.differentiate(draw.batch()).unwrap();
            assert!(engine.spikes(1).spike_count() > 20, "{}", engine.spikes(1).spike_count());
            draw.assert_same_in_parts(&engine, statistics);
        }
    });
}

/// Layers of more neurons than a block can have threads.
#[test]
fn large_layers_agree() {
    for_each_schedule(|_, _| {
        for (between, within) in [(false, false), (true, true)] {
            let draw = few_spike(large(1025, between, within), Loss::VmaxCrossEntropy {});
            let counts = draw.compare(CudaOptions::default()).unwrap();
            assert!(counts[0] > 50, "{counts:?}");
        }
    });
}
