//! Layers that hear themselves in every way: the engine against the CPU engine and the reference, and against itself.

#[path = "common/agree.rs"]
mod agree;
mod common;
#[path = "common/draw.rs"]
mod draw;
#[path = "common/kept.rs"]
mod kept;
#[path = "common/lively.rs"]
mod lively;

use agree::{engines_agree, engines_agree_with};
use common::for_each_schedule;
use draw::{Draw, INPUTS, fill_delays, spikes, uniform};
use eventprop_cuda::{CudaEngine, CudaOptions};
use kept::train_both_ways;
use lif_core::engine::{Batch, Engine, EngineError, Training};
use lif_core::loss::Loss;
use lif_core::network::{ConnectionKindSpec, ConnectionSpec, LayerSpec, OneOrMany};
use lif_core::{Network, Parameters, SpikeBatch};
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

/// Two layers that hear the input, the second the first too; each hears itself over one dense connection or several.
/// Each connection has delays with probability `delayed`.
fn several(uniform: &mut impl FnMut() -> f64, size: usize, spiking: bool, delayed: f64) -> Network {
    let layers = vec![
        LayerSpec::input("in", INPUTS),
        layer("first", size, spiking),
        layer("second", 1 + size / 2, spiking),
        layer("out", 7, spiking),
    ];
    let mut pairs = vec![("in", "first"), ("in", "second"), ("first", "second"), ("second", "out")];
    for name in ["first", "second"] {
        let count = 1 + (uniform() * 3.0) as usize;
        pairs.extend(std::iter::repeat_n((name, name), count));
    }
    connect(
        uniform,
        pairs.into_iter().map(|(from, to)| ConnectionSpec::dense(from, to)),
        delayed,
        layers,
    )
}

/// A convolution and a layer that hears it pooled and the input; the first hears itself through a window, by a pooling
/// or by every synapse, or by several of those.
fn convolved(uniform: &mut impl FnMut() -> f64, spiking: bool, delayed: f64) -> Network {
    let shaped =
        |name, shape: [usize; 3]| layer(name, shape.iter().product(), spiking).with_shape(shape);
    let layers = vec![
        LayerSpec::input("in", INPUTS).with_shape([1, 5, 10]),
        shaped("first", [2, 3, 6]),
        shaped("second", [2, 1, 3]),
        layer("out", 7, spiking),
    ];
    let window = |from: &str, to: &str, kernel, stride, padding| ConnectionSpec {
        kind: ConnectionKindSpec::Conv2d,
        kernel: Some(kernel),
        stride: Some(stride),
        padding: Some(padding),
        ..ConnectionSpec::dense(from, to)
    };
    let pooling = |weight, window| ConnectionSpec {
        kind: ConnectionKindSpec::SumPool2d,
        weight: Some(weight),
        ..window
    };
    let mut all = vec![
        window("in", "first", [3, 5], [1, 1], [0, 0]),
        pooling(0.3, window("first", "second", [2, 2], [2, 2], [0, 0])),
        ConnectionSpec::dense("in", "second"),
        ConnectionSpec::dense("second", "second"),
        ConnectionSpec::dense("first", "out"),
        ConnectionSpec::dense("second", "out"),
    ];
    let own = [
        window("first", "first", [3, 1], [1, 1], [1, 0]),
        pooling(-0.2, window("first", "first", [1, 3], [1, 1], [0, 1])),
        ConnectionSpec::dense("first", "first"),
    ];
    let chosen = 1 + (uniform() * 7.0) as usize;
    all.extend(
        own.into_iter().enumerate().filter(|(bit, _)| chosen >> bit & 1 == 1).map(|own| own.1),
    );
    connect(uniform, all.into_iter(), delayed, layers)
}

/// Layers that hear one another, each of other constants: the second and third, if outputs spike the last too; over
/// windows or not; the first hears one of them. Each connection is there once or twice.
fn loops(uniform: &mut impl FnMut() -> f64, size: usize, spiking: bool, delayed: f64) -> Network {
    let windows = uniform() < 0.3;
    let sizes = if windows { [size, 36, 18, 7] } else { [size, size, 1 + size / 2, 7] };
    let mut layers = vec![LayerSpec::input("in", INPUTS).with_shape([1, 5, 10])];
    for (name, size) in ["late", "first", "second", "out"].into_iter().zip(sizes) {
        let mut layer = layer(name, size, spiking);
        layer.tau_mem = Some(OneOrMany::One(10.0 + (uniform() * 3.0).floor() * 5.0));
        layer.tau_syn = Some(OneOrMany::One(4.0 + uniform() * 2.0));
        if name != "out" {
            layer.reset = Some(-0.2 * uniform());
        }
        layers.push(layer);
    }
    layers[2].shape = windows.then_some([2, 3, 6]);
    layers[3].shape = windows.then_some([1, 3, 6]);
    let mut pairs = vec![
        ("in", "first"),
        ("first", "second"),
        ("second", "first"),
        ("second", "late"),
        ("late", "out"),
        ("second", "out"),
    ];
    let others = [
        ("in", "second"),
        ("first", "first"),
        ("first", "second"),
        ("second", "first"),
        ("first", "out"),
        ("second", "second"),
    ];
    pairs.extend(others.into_iter().filter(|_| uniform() < 0.3));
    if spiking {
        pairs.extend([("out", "first"), ("out", "out")].into_iter().filter(|_| uniform() < 0.6));
    }
    let specs: Vec<ConnectionSpec> = pairs
        .into_iter()
        .map(|(from, to)| {
            let within = ["first", "second"];
            let is_window = windows && within.contains(&from) && within.contains(&to);
            match is_window && uniform() < 0.7 {
                true => ConnectionSpec {
                    kind: ConnectionKindSpec::Conv2d,
                    kernel: Some([3, 3]),
                    padding: Some([1, 1]),
                    ..ConnectionSpec::dense(from, to)
                },
                false => ConnectionSpec::dense(from, to),
            }
        })
        .collect();
    connect(uniform, specs.into_iter(), delayed, layers)
}

fn loop_draws() -> impl Strategy<Value = Draw> {
    let delayed = prop_oneof![Just(0.0), Just(0.5), Just(1.0)];
    (losses(), delayed, 2..=40_usize, 1..4_usize, any::<u64>()).prop_map(
        |(loss, delayed, size, samples, seed)| {
            let mut uniform = uniform(seed);
            let network = loops(&mut uniform, size, is_spiking(loss), delayed);
            draw(network, loss, samples, &mut uniform)
        },
    )
}

#[test]
fn engines_agree_on_layers_that_hear_one_another() {
    engines_agree(loop_draws);
}

/// Connections in any order, each with delays with probability `delayed`.
fn connect(
    uniform: &mut impl FnMut() -> f64,
    specs: impl Iterator<Item = ConnectionSpec>,
    delayed: f64,
    layers: Vec<LayerSpec>,
) -> Network {
    let mut connections = Vec::new();
    for spec in specs {
        let delays = spec.kind != ConnectionKindSpec::SumPool2d && uniform() < delayed;
        let place = (uniform() * (connections.len() + 1) as f64) as usize;
        connections.insert(place, ConnectionSpec { delays, ..spec });
    }
    Network::new(30.0, layers, connections).unwrap()
}

fn several_draws() -> impl Strategy<Value = Draw> {
    let delayed = prop_oneof![Just(0.0), Just(0.5), Just(1.0)];
    (losses(), delayed, 2..=60_usize, 1..4_usize, any::<u64>()).prop_map(
        |(loss, delayed, size, samples, seed)| {
            let mut uniform = uniform(seed);
            let network = several(&mut uniform, size, is_spiking(loss), delayed);
            draw(network, loss, samples, &mut uniform)
        },
    )
}

#[test]
fn engines_agree_on_several_connections() {
    engines_agree(several_draws);
}

/// Several neurons a thread.
#[test]
fn engines_agree_on_neurons_that_share_a_thread() {
    let options = CudaOptions { recurrent_threads: 32, ..CudaOptions::default() };
    engines_agree_with(options, &[], several_draws);
}

#[test]
fn engines_agree_on_windows() {
    engines_agree(|| {
        let delayed = prop_oneof![Just(0.0), Just(0.5)];
        (losses(), delayed, 1..4_usize, any::<u64>()).prop_map(|(loss, delayed, samples, seed)| {
            let mut uniform = uniform(seed);
            let network = convolved(&mut uniform, is_spiking(loss), delayed);
            draw(network, loss, samples, &mut uniform)
        })
    });
}

#[test]
fn engines_agree_on_chains() {
    engines_agree(|| chain_draws(0.4));
}

#[test]
fn kept_samples_train_as_given_ones() {
    train_both_ways(&chain(&mut uniform(3), 2, 36, false, 0.0));
}

#[test]
fn kept_samples_train_several_connections_as_given_ones() {
    train_both_ways(&several(&mut uniform(4), 12, false, 0.5));
}

#[test]
fn kept_samples_train_loops_as_given_ones() {
    train_both_ways(&loops(&mut uniform(6), 12, false, 0.5));
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
        let mut spikes = 0;
        for delayed in [0.0, 1.0] {
            let several = several(&mut uniform, 24, true, delayed);
            let loops = loops(&mut uniform, 24, true, delayed);
            for network in [several, loops] {
                let draw = draw(network, Loss::SpikeTimeSum {}, 3, &mut uniform);
                let mut engine = draw.cuda(draw.training());
                let statistics = engine.differentiate(draw.batch()).unwrap();
                draw.assert_same_in_parts(&engine, statistics);
                spikes += (1..=3).map(|layer| engine.spikes(layer).spike_count()).sum::<usize>();
            }
        }
        assert!(spikes > 50, "{spikes}");
    });
}

/// The spikes of each layer; none where one is so near to vanishing that single precision decides.
fn compared(draw: &Draw) -> Option<Vec<usize>> {
    match draw.compare(CudaOptions::default(), &[]) {
        Err(TestCaseError::Reject(_)) => None,
        compared => Some(compared.unwrap()),
    }
}

/// Layers of more neurons than a block can have threads.
#[test]
fn large_layers_agree() {
    for_each_schedule(|_, schedule| {
        let (between, within) = (schedule < 2, schedule > 0);
        let draw = few_spike(large(1025, between, within), Loss::VmaxCrossEntropy {});
        if let Some(counts) = compared(&draw) {
            assert!(counts[0] > 50, "{counts:?}");
        }
    });
}

/// Two layers of which each hears the other, and the second itself too.
fn pair(size: usize, delays: bool) -> Network {
    let layers = vec![
        LayerSpec::input("in", INPUTS),
        LayerSpec::lif("first", size, 20.0, 5.0),
        LayerSpec::lif("second", size, 10.0, 5.0),
        LayerSpec::li("out", 3, 20.0, 5.0),
    ];
    let pairs = [
        ("in", "first"),
        ("first", "second"),
        ("second", "first"),
        ("second", "second"),
        ("second", "out"),
    ];
    let connections =
        pairs.map(|(from, to)| ConnectionSpec { delays, ..ConnectionSpec::dense(from, to) });
    Network::new(30.0, layers, connections.to_vec()).unwrap()
}

/// Layers that hear one another spike beyond the room first made, and the same room gives the same bits.
#[test]
fn room_is_made_for_many_spikes() {
    for_each_schedule(|_, schedule| {
        for delays in [false, true] {
            let mut uniform = uniform(50 + schedule);
            let mut draw = draw(pair(8, delays), Loss::VmaxCrossEntropy {}, 3, &mut uniform);
            for (own, scale) in
                draw.parameters.connections.iter_mut().zip([6.0, 2.0, -0.002, -0.002])
            {
                own.weights.fill_with(|| uniform() as f32 * scale);
            }
            draw.spikes = spikes(3, 90, &mut uniform);
            let mut engine = draw.cuda(draw.training());
            let first = engine.differentiate(draw.batch()).unwrap();
            let counts = [1, 2].map(|layer| engine.spikes(layer).spike_count());
            assert!(counts.iter().all(|&count| count > 2 * (2 * 8 + 62)), "{counts:?}");
            let gradient = engine.gradient();
            assert_eq!(engine.differentiate(draw.batch()).unwrap(), first);
            assert_eq!(engine.gradient(), gradient);
            if let Some(found) = compared(&draw) {
                assert_eq!(found, counts);
            }
        }
    });
}

/// Of layers that hear one another the one that runs away is named.
#[test]
fn runaways_are_named() {
    for_each_schedule(|_, _| {
        for delays in [false, true] {
            let network = pair(2, delays);
            let mut parameters = Parameters::<f32>::initial(&network);
            for (own, weight) in parameters.connections.iter_mut().zip([20.0, 20.0, 0.0, 50.0]) {
                own.weights.fill(weight);
                own.delays.fill(0.5);
            }
            let mut spikes = SpikeBatch::new();
            spikes.push_sorted([(1.0, 3)]).unwrap();
            let loss = Loss::VmaxCrossEntropy {};
            let draw = Draw { network, parameters, spikes, labels: vec![0], loss };
            let error = draw.cuda(draw.training()).infer(&draw.spikes).unwrap_err();
            let EngineError::Runaway { layer, sample: 0, .. } = &error else { panic!("{error}") };
            assert_eq!(layer, "second");
        }
    });
}

/// Every walk of several neurons a thread, on few threads: short enough for ThreadSanitizer.
#[test]
fn every_walk_runs() {
    for_each_schedule(|_, _| {
        let (one, two) = (&[34][..], &[3, 2][..]);
        let ways = [(false, false), (false, true), (true, true)];
        for (sizes, (between, within)) in
            ways.map(|way| (one, way)).into_iter().chain([(two, ways[0]), (two, ways[2])])
        {
            let mut layers = vec![LayerSpec::input("0", 4)];
            let mut connections = Vec::new();
            let names = ["0", "1", "2"];
            let mut connect = |from: usize, to: usize, delays| {
                let spec = ConnectionSpec::dense(names[from], names[to]);
                connections.push(ConnectionSpec { delays, ..spec });
            };
            for (below, &size) in sizes.iter().enumerate() {
                layers.push(LayerSpec::lif(names[below + 1], size, 20.0, 5.0));
                connect(below, below + 1, between);
            }
            connect(sizes.len(), 1, within);
            let network = Network::new(20.0, layers, connections).unwrap();
            let mut parameters = Parameters::<f32>::initial(&network);
            for own in &mut parameters.connections {
                own.weights.fill(3.0);
                own.delays
                    .iter_mut()
                    .zip([0.5, 2.0].iter().cycle())
                    .for_each(|(delay, &ms)| *delay = ms);
            }
            // Within, they inhibit.
            let last = parameters.connections.len() - 1;
            parameters.connections[last].weights.fill(-0.1);
            // One that spikes before anything arrives.
            *parameters.layers[1].bias.last_mut().unwrap() = 25.0;
            let training = Training::exact(Loss::SpikeTimeSum {});
            let training = Training { constant_gradients: false, ..training };
            let options = CudaOptions { recurrent_threads: 32, ..CudaOptions::default() };
            let mut engine = CudaEngine::new(&network, training, options).unwrap();
            engine.load(&parameters).unwrap();
            let mut spikes = SpikeBatch::new();
            spikes.push_sorted([(1.0, 0), (2.0, 1), (2.5, 2), (4.0, 3)]).unwrap();
            engine.differentiate(Batch { spikes: &spikes, labels: &[0] }).unwrap();
            assert!(engine.spikes(1).spike_count() > 2, "{}", engine.spikes(1).spike_count());
            assert!(engine.input_gradient().iter().any(|&g| g != 0.0));
        }
    });
}
