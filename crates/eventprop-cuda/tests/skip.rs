//! Networks whose layers hear any number of lower ones, around layers too: the engine against the CPU engine and the
//! reference, and against itself.

#[path = "common/agree.rs"]
mod agree;
mod common;
#[path = "common/draw.rs"]
mod draw;
#[path = "common/kept.rs"]
mod kept;
#[path = "common/lively.rs"]
mod lively;

use agree::engines_agree;
use common::for_each_schedule;
use draw::{Draw, INPUTS, spikes, uniform};
use eventprop_cuda::{CudaEngine, CudaOptions};
use kept::train_both_ways;
use lif_core::Network;
use lif_core::engine::{Engine, EngineError, Training};
use lif_core::loss::Loss;
use lif_core::network::{ConnectionKindSpec, ConnectionSpec, LayerSpec};
use lively::{draw, is_spiking, layer, losses};
use proptest::prelude::*;

/// Dense layers that hear each lower one or not, the first perhaps itself; connections in any order.
/// Each has delays with probability `delayed`.
fn dense(
    uniform: &mut impl FnMut() -> f64,
    hidden: usize,
    size: usize,
    spiking: bool,
    delayed: f64,
    recurrent: bool,
) -> Network {
    let names: Vec<String> = (0..=hidden).map(|layer| layer.to_string()).collect();
    let mut layers = vec![LayerSpec::input("0", INPUTS)];
    for (number, name) in names[1..].iter().enumerate() {
        layers.push(layer(name, 1 + size / (number + 1), spiking));
    }
    layers.push(layer("out", 7, spiking));
    let mut pairs: Vec<(usize, usize)> = Vec::new();
    for to in 1..layers.len() {
        let before = pairs.len();
        pairs.extend((0..to).filter(|_| uniform() < 0.6).map(|from| (from, to)));
        if pairs.len() == before {
            pairs.push((to - 1, to));
        }
    }
    for from in 1..=hidden {
        if !pairs.iter().any(|pair| pair.0 == from) {
            pairs.push((from, hidden + 1));
        }
    }
    pairs.extend(recurrent.then_some((1, 1)));
    // Those into one recurrent layer have delays all or none.
    let into_first = uniform() < delayed;
    let mut connections = Vec::new();
    for (from, to) in pairs {
        let delays = if recurrent && to == 1 { into_first } else { uniform() < delayed };
        let spec = ConnectionSpec::dense(layers[from].name.clone(), layers[to].name.clone());
        let place = (uniform() * (connections.len() + 1) as f64) as usize;
        connections.insert(place, ConnectionSpec { delays, ..spec });
    }
    Network::new(30.0, layers, connections).unwrap()
}

/// Two convolutions, a layer that hears one of the input, a pooling of the first and all of the second, and a
/// readout of everything.
fn convolved(uniform: &mut impl FnMut() -> f64, spiking: bool, delayed: f64) -> Network {
    let shaped =
        |name, shape: [usize; 3]| layer(name, shape.iter().product(), spiking).with_shape(shape);
    let layers = vec![
        LayerSpec::input("in", INPUTS).with_shape([1, 5, 10]),
        shaped("first", [2, 4, 8]),
        shaped("second", [3, 2, 4]),
        shaped("mixed", [2, 2, 4]),
        layer("out", 7, spiking),
    ];
    let window = |from: &str, to: &str, kernel, stride| ConnectionSpec {
        kind: ConnectionKindSpec::Conv2d,
        kernel: Some(kernel),
        stride: Some(stride),
        ..ConnectionSpec::dense(from, to)
    };
    let pooling = ConnectionSpec {
        kind: ConnectionKindSpec::SumPool2d,
        weight: Some(0.3),
        ..window("first", "mixed", [2, 2], [2, 2])
    };
    let all = [
        window("in", "first", [2, 3], [1, 1]),
        window("first", "second", [2, 2], [2, 2]),
        pooling,
        window("in", "mixed", [2, 4], [3, 2]),
        ConnectionSpec::dense("second", "mixed"),
        ConnectionSpec::dense("mixed", "out"),
        ConnectionSpec::dense("second", "out"),
        ConnectionSpec::dense("first", "out"),
        ConnectionSpec::dense("in", "out"),
    ];
    let mut connections = Vec::new();
    for spec in all {
        let delays = spec.kind != ConnectionKindSpec::SumPool2d && uniform() < delayed;
        let place = (uniform() * (connections.len() + 1) as f64) as usize;
        connections.insert(place, ConnectionSpec { delays, ..spec });
    }
    Network::new(30.0, layers, connections).unwrap()
}

fn dense_draws(delayed: f64, recurrent: bool) -> impl Strategy<Value = Draw> {
    (losses(), 1..=3_usize, 2..=80_usize, 1..6_usize, any::<u64>()).prop_map(
        move |(loss, hidden, size, samples, seed)| {
            let mut uniform = uniform(seed);
            let network = dense(&mut uniform, hidden, size, is_spiking(loss), delayed, recurrent);
            draw(network, loss, samples, &mut uniform)
        },
    )
}

#[test]
fn engines_agree_on_dense_layers() {
    engines_agree(|| dense_draws(0.0, false));
}

#[test]
fn engines_agree_on_dense_layers_with_delays() {
    engines_agree(|| dense_draws(1.0, false));
}

#[test]
fn engines_agree_on_dense_layers_some_with_delays() {
    engines_agree(|| dense_draws(0.4, false));
}

#[test]
fn engines_agree_on_recurrent_layers_of_several() {
    engines_agree(|| dense_draws(0.4, true));
}

#[test]
fn engines_agree_on_convolutions() {
    engines_agree(|| {
        let delayed = prop_oneof![Just(0.0), Just(0.4)];
        (losses(), delayed, 1..4_usize, any::<u64>()).prop_map(|(loss, delayed, samples, seed)| {
            let mut uniform = uniform(seed);
            let network = convolved(&mut uniform, is_spiking(loss), delayed);
            draw(network, loss, samples, &mut uniform)
        })
    });
}

#[test]
fn kept_samples_train_as_given_ones() {
    train_both_ways(&dense(&mut uniform(5), 3, 36, false, 0.0, false));
}

#[test]
fn kept_samples_train_delays_as_given_ones() {
    train_both_ways(&dense(&mut uniform(6), 3, 36, false, 1.0, false));
}

#[test]
fn kept_samples_train_convolutions_as_given_ones() {
    train_both_ways(&convolved(&mut uniform(7), false, 0.0));
}

/// A network of two hidden layers with dense connections between given layers.
fn two_hidden([first, second]: [usize; 2], pairs: &[(usize, usize)]) -> Network {
    let names = ["0", "1", "2", "out"];
    let layers = vec![
        LayerSpec::input("0", INPUTS),
        layer("1", first, false),
        layer("2", second, false),
        layer("out", 7, false),
    ];
    let connections = pairs.iter().map(|&(from, to)| ConnectionSpec::dense(names[from], names[to]));
    Network::new(30.0, layers, connections.collect()).unwrap()
}

/// Of two connections between the same layers all spikes arrive at the same times.
#[test]
fn arrivals_at_one_time_are_all_heard() {
    for_each_schedule(|_, schedule| {
        let pairs = [(0, 1), (0, 1), (1, 2), (0, 2), (1, 2), (1, 2), (2, 3), (2, 3)];
        let mut uniform = uniform(20 + schedule);
        let network = two_hidden([40, 30], &pairs);
        let mut draw = draw(network, Loss::ExpMeanCrossEntropy {}, 3, &mut uniform);
        draw.spikes = spikes(3, 300, &mut uniform);
        let counts = draw.compare(CudaOptions::default(), &[]).unwrap();
        assert!(counts.iter().all(|&count| count > 10), "{counts:?}");
    });
}

/// Both layers that are heard by several spike beyond the room first made, the first more often than it has lists
/// for; the same room that an engine with room has gives the same bits.
#[test]
fn room_is_made_for_many_spikes() {
    for_each_schedule(|_, schedule| {
        let network = two_hidden([270, 40], &[(0, 1), (1, 2), (0, 2), (2, 3), (1, 3)]);
        let mut uniform = uniform(11 + schedule);
        let mut draw = draw(network, Loss::VmaxCrossEntropy {}, 3, &mut uniform);
        for (own, scale) in draw.parameters.connections.iter_mut().zip([3.0, 0.05, 0.5, 0.2, 0.05])
        {
            own.weights.fill_with(|| uniform() as f32 * scale);
        }
        draw.spikes = spikes(3, 90, &mut uniform);
        let mut engine = draw.cuda(draw.training());
        let first = engine.differentiate(draw.batch()).unwrap();
        let counts = [1, 2].map(|layer| engine.spikes(layer).spike_count());
        assert!(counts[0] > 3 * (2 * 270 + 62) && counts[1] > 3 * (2 * 40 + 62), "{counts:?}");
        let (gradient, inputs) = (engine.gradient(), engine.input_gradient().to_vec());
        draw.assert_same_in_parts(&engine, first);
        assert_eq!(engine.differentiate(draw.batch()).unwrap(), first);
        assert_eq!((engine.gradient(), engine.input_gradient()), (gradient.clone(), &inputs[..]));
        assert_eq!(draw.compare(CudaOptions::default(), &[]).unwrap(), counts);
    });
}

/// What the engine cannot wire it names.
#[test]
fn refusals_are_named() {
    for_each_schedule(|_, schedule| {
        if schedule > 0 {
            return;
        }
        let plain = |from: &str, to: &str| ConnectionSpec::dense(from, to);
        let cases = [
            (vec![plain("0", "1"), plain("0", "out")], "no way leads to the output"),
            (
                vec![plain("0", "1"), plain("1", "1"), plain("0", "out")],
                "no way leads to the output",
            ),
            (
                vec![plain("0", "out"), plain("out", "1"), plain("1", "1")],
                "no way leads to the output",
            ),
            (vec![plain("1", "1"), plain("1", "out")], "layers that hear neither"),
            (vec![plain("1", "out"), plain("out", "1")], "layers that hear neither"),
        ];
        for (connections, what) in cases {
            let layers =
                vec![LayerSpec::input("0", INPUTS), layer("1", 9, true), layer("out", 7, true)];
            let network = Network::new(30.0, layers, connections).unwrap();
            let training = Training::exact(Loss::SpikeTimeSum {});
            let training = Training { constant_gradients: false, ..training };
            match CudaEngine::new(&network, training, CudaOptions::default()) {
                Err(EngineError::Unsupported { capability, .. }) => {
                    assert!(capability.contains(what), "{capability}");
                }
                Err(error) => panic!("{error}"),
                Ok(_) => panic!("not refused: {what}"),
            }
        }
    });
}
