//! Constants of neurons: time constants of each neuron's own, gradients by all of them, and learning them. The engine
//! against the CPU engine and the reference, and against itself.

#[path = "common/agree.rs"]
mod agree;
mod common;
#[path = "common/draw.rs"]
mod draw;
#[path = "common/lively.rs"]
mod lively;

use agree::{CONSTANTS, engines_agree, engines_agree_with, error};
use common::for_each_schedule;
use draw::{Draw, INPUTS, uniform};
use eventprop_cuda::CudaOptions;
use lif_core::engine::{Batch, Engine, RateTarget, Training};
use lif_core::loss::Loss;
use lif_core::network::{Adaptation, ConnectionKindSpec, ConnectionSpec, LayerSpec, OneOrMany};
use lif_core::optimiser::{Clip, LearningRates, Optimiser};
use lif_core::update::{MIN_TAU, MIN_THRESHOLD};
use lif_core::{Network, Parameters, SpikeBatch};
use lively::{draw, is_spiking, layer, losses};
use proptest::prelude::*;

/// A layer whose constants are each one for all or one a neuron; ratios of time constants are integers here and there.
fn drawn_layer(
    name: &str,
    size: usize,
    spiking: bool,
    uniform: &mut impl FnMut() -> f64,
) -> LayerSpec {
    let mut spec = layer(name, size, spiking);
    let mut list = |value: &mut dyn FnMut(f64) -> f64| {
        let count = if uniform() < 0.7 { size } else { 1 };
        let values: Vec<f64> = (0..count).map(|_| value(uniform())).collect();
        Some(if count == 1 { OneOrMany::One(values[0]) } else { OneOrMany::Many(values) })
    };
    spec.tau_mem = list(&mut |u| [12.0, 20.0, 15.0, 8.0 + 17.0 * u][(4.0 * u) as usize]);
    spec.tau_syn = list(&mut |u| [5.0, 4.0, 3.0 + 9.0 * u][(3.0 * u) as usize]);
    spec.bias = list(&mut |u| 0.5 * u - 0.2);
    if spiking || name != "out" {
        spec.threshold = list(&mut |u| 0.8 + 0.4 * u);
    }
    spec
}

/// A chain of two hidden layers, and what leads around them or back; each connection has delays with probability
/// `delayed`.
fn dense(
    uniform: &mut impl FnMut() -> f64,
    size: usize,
    spiking: bool,
    others: &[(usize, usize)],
    delayed: f64,
) -> Network {
    let names = ["0", "1", "2", "out"];
    let sizes = [INPUTS, size, 1 + size / 2, 7];
    let mut layers = vec![LayerSpec::input("0", INPUTS)];
    for (name, size) in names.into_iter().zip(sizes).skip(1) {
        layers.push(drawn_layer(name, size, spiking, uniform));
    }
    connected(layers, uniform, others, delayed)
}

/// Those layers in a chain, and what leads around them or back.
fn connected(
    layers: Vec<LayerSpec>,
    uniform: &mut impl FnMut() -> f64,
    others: &[(usize, usize)],
    delayed: f64,
) -> Network {
    let names = ["0", "1", "2", "out"];
    let pairs = [(0, 1), (1, 2), (2, 3)].iter().chain(others);
    let connections = pairs.map(|&(from, to)| ConnectionSpec {
        delays: uniform() < delayed,
        ..ConnectionSpec::dense(names[from], names[to])
    });
    let connections = connections.collect();
    Network::new(30.0, layers, connections).unwrap()
}

/// The same, but that the hidden neurons need time to recover from a spike.
fn recovering(
    uniform: &mut impl FnMut() -> f64,
    size: usize,
    spiking: bool,
    others: &[(usize, usize)],
    delayed: f64,
) -> Network {
    let mut layers = vec![LayerSpec::input("0", INPUTS)];
    for name in ["1", "2"] {
        layers.push(LayerSpec {
            refractory: Some(0.7),
            adaptation: Some(Adaptation { beta: 0.2, tau: 15.0 }),
            ..drawn_layer(name, size, spiking, uniform)
        });
    }
    layers.push(drawn_layer("out", 7, spiking, uniform));
    connected(layers, uniform, others, delayed)
}

/// Around layers, from a layer to itself, from a layer back to one before.
const AROUND: [(usize, usize); 3] = [(0, 2), (1, 3), (0, 3)];
const WITHIN: [(usize, usize); 2] = [(1, 1), (2, 2)];
const BACK: [(usize, usize); 2] = [(2, 1), (1, 1)];

/// A convolution, a pooling and a readout.
fn convolved(uniform: &mut impl FnMut() -> f64, spiking: bool, delayed: f64) -> Network {
    let mut shaped = |name, shape: [usize; 3]| {
        drawn_layer(name, shape.iter().product(), spiking, uniform).with_shape(shape)
    };
    let mut layers = vec![
        LayerSpec::input("in", INPUTS).with_shape([1, 5, 10]),
        shaped("first", [2, 4, 8]),
        shaped("second", [2, 2, 4]),
    ];
    layers.push(drawn_layer("out", 7, spiking, uniform));
    let convolution = ConnectionSpec {
        kind: ConnectionKindSpec::Conv2d,
        kernel: Some([2, 3]),
        delays: uniform() < delayed,
        ..ConnectionSpec::dense("in", "first")
    };
    let pooling = ConnectionSpec {
        kind: ConnectionKindSpec::SumPool2d,
        kernel: Some([2, 2]),
        weight: Some(3.0),
        ..ConnectionSpec::dense("first", "second")
    };
    let dense =
        ConnectionSpec { delays: uniform() < delayed, ..ConnectionSpec::dense("second", "out") };
    Network::new(30.0, layers, vec![convolution, pooling, dense]).unwrap()
}

fn dense_draws(
    size: usize,
    others: &'static [(usize, usize)],
    delayed: f64,
) -> impl Strategy<Value = Draw> {
    (losses(), 2..=size, 1..6_usize, any::<u64>()).prop_map(move |(loss, size, samples, seed)| {
        let mut uniform = uniform(seed);
        let network = dense(&mut uniform, size, is_spiking(loss), others, delayed);
        draw(network, loss, samples, &mut uniform)
    })
}

fn agree<S: Strategy<Value = Draw>>(draws: impl Fn() -> S) {
    engines_agree_with(CudaOptions::default(), &CONSTANTS, draws);
}

#[test]
fn engines_agree_on_neurons_of_all_kinds() {
    agree(|| dense_draws(110, &[], 0.0));
    // Without gradients by constants.
    engines_agree(|| dense_draws(50, &AROUND, 0.4));
}

#[test]
fn engines_agree_on_neurons_of_all_kinds_with_delays() {
    agree(|| dense_draws(100, &[], 1.0));
}

#[test]
fn engines_agree_on_neurons_of_all_kinds_around_layers() {
    agree(|| dense_draws(45, &AROUND, 0.4));
}

#[test]
fn engines_agree_on_recurrent_neurons_of_all_kinds() {
    agree(|| dense_draws(60, &WITHIN, 0.0));
    engines_agree(|| dense_draws(40, &WITHIN, 0.4));
}

#[test]
fn engines_agree_on_recurrent_neurons_of_all_kinds_with_delays() {
    agree(|| dense_draws(50, &WITHIN, 0.7));
}

#[test]
fn engines_agree_on_neurons_of_all_kinds_that_hear_one_another() {
    agree(|| dense_draws(30, &BACK, 0.0));
    agree(|| dense_draws(20, &BACK, 0.4));
}

#[test]
fn engines_agree_on_convolved_neurons_of_all_kinds() {
    agree(|| {
        (losses(), 1..5_usize, any::<u64>()).prop_map(|(loss, samples, seed)| {
            let mut uniform = uniform(seed);
            let network = convolved(&mut uniform, is_spiking(loss), 0.4);
            draw(network, loss, samples, &mut uniform)
        })
    });
}

/// A training in which everything learns that can.
fn learning(draw: &Draw, optimiser: Optimiser, clip: Option<Clip>) -> Training<f32> {
    Training {
        learning_rates: LearningRates {
            delays: 3.0,
            tau_mem: 30.0,
            tau_syn: 20.0,
            threshold: 1.0,
            bias: 2.0,
            adaptation: 10.0,
            ..LearningRates::default()
        },
        optimiser,
        clip,
        rate_targets: vec![RateTarget { layer: 1, target: 1.5, strength: 0.01 }],
        ..draw.training()
    }
}

/// Asserts that of each list of constants that there is something changed.
fn assert_all_learned(found: &Parameters<f32>, start: &Parameters<f32>) {
    for (what, of) in CONSTANTS {
        assert!(of(start).is_empty() || of(found) != of(start), "{what}");
    }
}

/// What is learned of the constants is what the CPU engine learns.
#[test]
fn training_learns_what_the_cpu_engine_learns() {
    let momentum = Optimiser::Sgd { momentum: 0.5 };
    let decaying = Optimiser::Adam { beta1: 0.9, beta2: 0.99, epsilon: 1e-8, weight_decay: 0.1 };
    let cases: [(_, _, _, &[(usize, usize)], _); 8] = [
        (momentum, None, Loss::VmaxCrossEntropy {}, &[], 0.0),
        (decaying, None, Loss::ExpMeanCrossEntropy {}, &AROUND, 1.0),
        (decaying, Some(Clip::Norm(0.02)), Loss::SpikeTimeSum {}, &[], 0.0),
        (momentum, Some(Clip::Value(0.01)), Loss::VmaxCrossEntropy {}, &[], 1.0),
        (momentum, None, Loss::ExpMeanCrossEntropy {}, &WITHIN, 0.0),
        (decaying, Some(Clip::Norm(0.02)), Loss::VmaxCrossEntropy {}, &BACK, 0.4),
        // Neurons of these recover.
        (momentum, None, Loss::VmaxCrossEntropy {}, &[], 0.0),
        (decaying, None, Loss::ExpMeanCrossEntropy {}, &WITHIN, 0.4),
    ];
    for_each_schedule(|_, schedule| {
        for (number, (optimiser, clip, loss, others, delayed)) in cases.into_iter().enumerate() {
            let mut uniform = uniform(17 + 10 * schedule + number as u64);
            let make = if number < 6 { dense } else { recovering };
            let network = make(&mut uniform, 30, is_spiking(loss), others, delayed);
            let draw = draw(network, loss, 4, &mut uniform);
            let training = learning(&draw, optimiser, clip);
            let mut cpu = draw.cpu_with(training.clone());
            let mut cuda = draw.cuda(training);
            assert_eq!(cuda.parameters(), draw.parameters);
            for step in 0..5 {
                let (expected, clipped) = cpu.train_step(draw.batch(), 0.002).unwrap();
                let (found, by_cuda) = cuda.train_step(draw.batch(), 0.002).unwrap();
                let off = (found.loss - expected.loss).abs() / (1.0 + expected.loss.abs());
                assert!(off < 1e-4, "case {number}, step {step}: {off}");
                // A component at the limit may be on either side of it.
                let off = clipped.clipped.abs_diff(by_cuda.clipped);
                assert!(off <= clipped.clipped / 50, "{clipped:?} {by_cuda:?}");
            }
            let (expected, found) = (cpu.parameters(), cuda.parameters());
            for (what, of) in CONSTANTS {
                let (start, expected, found) = (of(&draw.parameters), of(&expected), of(&found));
                let change = |end: &[f32]| -> Vec<f32> {
                    end.iter().zip(&start).map(|(end, start)| end - start).collect()
                };
                let off = error(&change(&found), &change(&expected));
                println!("case {number}: {what} off by {off}");
                let learns = change(&expected).iter().any(|&change| change != 0.0);
                assert!(learns || start.is_empty(), "{what}");
                assert!(off < 1e-3, "case {number}: {what} off by {off}");
            }
            // What was learned is what it computes with.
            let learned = Draw { parameters: found, ..draw };
            let mut plain = learned.cuda(learned.training());
            let statistics = plain.differentiate(learned.batch()).unwrap();
            learned.assert_same_in_parts(&plain, statistics);
            let values =
                |engine: &mut dyn Engine<f32>| engine.infer(&learned.spikes).unwrap().values;
            let found = values(&mut cuda);
            let others = [values(&mut plain), values(&mut *learned.cpu())];
            assert!(others.iter().all(|expected| error(&found, expected) < 1e-4));
        }
    });
}

/// Time constants and thresholds stop where a network ends.
#[test]
fn learned_constants_stay_above_their_bounds() {
    for_each_schedule(|_, schedule| {
        let mut uniform = uniform(31 + schedule);
        let network = dense(&mut uniform, 20, false, &[], 0.0);
        let draw = draw(network, Loss::VmaxCrossEntropy {}, 3, &mut uniform);
        let mut training = learning(&draw, Optimiser::SGD, None);
        training.learning_rates.tau_mem = 1e6;
        training.learning_rates.tau_syn = 1e6;
        training.learning_rates.threshold = 1e6;
        // Down and up the gradient: each list has a value that falls.
        let trained = [1.0, -1.0].map(|rate| {
            let mut engine = draw.cuda(training.clone());
            engine.train_step(draw.batch(), rate).unwrap();
            engine.parameters()
        });
        let bounds = [MIN_TAU as f32, MIN_TAU as f32, MIN_THRESHOLD as f32];
        for ((what, of), bound) in CONSTANTS.into_iter().zip(bounds) {
            let least = trained.iter().flat_map(of).fold(f32::INFINITY, f32::min);
            assert_eq!(least, bound, "{what}");
        }
    });
}

/// Kept samples train as given ones, to the bit, and so does an engine that goes on from what another left.
#[test]
fn kept_samples_train_constants_as_given_ones() {
    kept_samples_train_as_given_ones(false, &[AROUND[0], WITHIN[0], AROUND[2]]);
    kept_samples_train_as_given_ones(true, &[AROUND[0]]);
    kept_samples_train_as_given_ones(true, &WITHIN);
}

/// Of networks whose hidden neurons recover, or not.
fn kept_samples_train_as_given_ones(recovers: bool, others: &[(usize, usize)]) {
    for_each_schedule(|_, schedule| {
        let mut uniform = uniform(47 + schedule);
        let make = if recovers { recovering } else { dense };
        let network = make(&mut uniform, 30, false, others, 0.4);
        let mut draw = draw(network, Loss::VmaxCrossEntropy {}, 9, &mut uniform);
        draw.labels = (0..9).map(|sample| sample % 7).collect();
        let training = Training {
            input_gradients: false,
            ..learning(&draw, Optimiser::ADAM, Some(Clip::Norm(0.05)))
        };
        let (order, rates) = ([3, 1, 4, 0, 5, 8, 2, 6, 7], [0.002, 0.001, 0.002]);
        let mut kept = draw.cuda(training.clone());
        let resident = kept.resident().unwrap();
        resident.keep(draw.batch()).unwrap();
        resident.train(&order, 4, &rates, &mut |_, _| {}).unwrap();
        let mut given = draw.cuda(training.clone());
        for (number, (samples, rate)) in order.chunks(4).zip(rates).enumerate() {
            if number == 2 {
                let (parameters, state) = (given.parameters(), given.optimiser_state());
                given = draw.cuda(training.clone());
                given.load(&parameters).unwrap();
                given.load_optimiser_state(&state).unwrap();
            }
            let mut spikes = SpikeBatch::new();
            samples.iter().for_each(|&sample| spikes.push_train(draw.spikes.get(sample as usize)));
            let labels: Vec<u32> =
                samples.iter().map(|&sample| draw.labels[sample as usize]).collect();
            given.train_step(Batch { spikes: &spikes, labels: &labels }, rate).unwrap();
        }
        assert_eq!(kept.parameters(), given.parameters());
        assert_eq!(kept.optimiser_state(), given.optimiser_state());
        assert_all_learned(&kept.parameters(), &draw.parameters);
    });
}

/// A step that lacked room for its spikes has learned nothing; what runs again learns what an engine with room does.
#[test]
fn room_is_made_before_constants_change() {
    for_each_schedule(|_, schedule| {
        for others in [&AROUND[..], &WITHIN, &BACK] {
            let mut uniform = uniform(61 + schedule);
            let network = dense(&mut uniform, 40, false, others, 0.0);
            let mut draw = draw(network, Loss::VmaxCrossEntropy {}, 3, &mut uniform);
            draw.parameters.connections[0].weights.iter_mut().for_each(|weight| *weight *= 15.0);
            let training = learning(&draw, Optimiser::ADAM, Some(Clip::Norm(0.05)));
            let mut with_room = draw.cuda(training.clone());
            with_room.differentiate(draw.batch()).unwrap();
            // More of a sample than there is room for at first.
            let spikes = with_room.spikes(1).spike_count();
            assert!(spikes > 3 * (2 * 40 + 62), "{spikes} spikes");
            let mut without = draw.cuda(training);
            let trained = [&mut with_room, &mut without].map(|engine| {
                engine.train_step(draw.batch(), 0.001).unwrap();
                (engine.parameters(), engine.optimiser_state())
            });
            assert!(trained[0] == trained[1]);
            assert_all_learned(&trained[0].0, &draw.parameters);
        }
    });
}
