//! Long inputs stay accurate in single precision: 1,000 ms, 10,000 input spikes, about 50 spikes of
//! each neuron.

use eventprop_cpu::{CpuOptions, Precision};
use lif_core::engine::{Batch, Engine, Training};
use lif_core::loss::Loss;
use lif_core::network::{Adaptation, ConnectionSpec, LayerSpec};
use lif_core::reference::Reference;
use lif_core::{Network, Parameters, SpikeBatch};

const DURATION: f64 = 1000.0;
const INPUTS: u32 = 50;
const SPIKES: usize = 10_000;
const HIDDEN: usize = 20;

/// A time near 1,000 ms is known to 3e-5 ms in f32 at best, 6e-6 of tau_syn; a spike time comes from
/// the time before it, an input's and a rounded voltage, a few times that.
const TIME: f64 = 2e-3;

/// A spike late by dt meets the threshold with a slope off by dt I/tau_syn, and its adjoint divides
/// by the slope: with spikes off by some 5e-4 ms (below), currents of 1.2 and slopes of 0.2 (both in
/// units of the threshold), 6e-4 a spike. A weight's gradient is a sum over all times, of which few
/// see many such spikes.
const PARAMETERS: f64 = 5e-3;

/// The gradient by the time of one early input passes through all 50 to 70 spikes after it: some 8
/// times that at random signs, four times more at the worst.
const INPUT_TIMES: f64 = 2e-2;

#[test]
fn feed_forward() {
    check(false, None, false);
    check(false, None, true);
}

#[test]
fn recurrent() {
    check(true, None, false);
}

#[test]
fn recurrent_adaptive() {
    check(true, Some(Adaptation { beta: 0.1, tau: 30.0 }), true);
}

fn check(recurrent: bool, adaptation: Option<Adaptation>, constant_gradients: bool) {
    let (network, parameters, spikes) = draw(recurrent, adaptation);
    let labels = [1];
    let batch = Batch { spikes: &spikes, labels: &labels };
    let loss = Loss::MeanCrossEntropy {};
    let mut reference = Reference::new(&network, Training::exact(loss)).unwrap();
    reference.load(&parameters).unwrap();
    reference.differentiate(batch).unwrap();
    let counts = reference.take_activity().swap_remove(1);
    let mean = counts.iter().sum::<u64>() as f64 / HIDDEN as f64;
    assert!((30.0..80.0).contains(&mean), "{mean} spikes a neuron");

    let double = run::<f64>(&network, &parameters, &spikes, loss, constant_gradients);
    compare("f64", &double, &reference, constant_gradients, 1e-9, [1e-7; 2]);
    let single = run::<f32>(&network, &parameters, &spikes, loss, constant_gradients);
    compare("f32", &single, &reference, constant_gradients, TIME, [PARAMETERS, INPUT_TIMES]);
}

/// Spikes of the hidden layer, gradient, gradient by input times.
type Result = (SpikeBatch<f64>, Parameters<f64>, Vec<f64>);

fn run<T: Precision>(
    network: &Network,
    parameters: &Parameters<f64>,
    spikes: &SpikeBatch<f64>,
    loss: Loss,
    constant_gradients: bool,
) -> Result {
    let training = Training::<T> { constant_gradients, ..Training::exact(loss) };
    let mut engine = T::engine(network, training, CpuOptions { threads: Some(1) }).unwrap();
    engine.load(&parameters.cast()).unwrap();
    let mut cast = SpikeBatch::new();
    cast.push_sorted(spikes.get(0).iter().map(|(time, index)| (T::of(time), index))).unwrap();
    engine.differentiate(Batch { spikes: &cast, labels: &[1] }).unwrap();
    let (own, mut hidden) = (engine.spikes(1), SpikeBatch::new());
    hidden.push_sorted(own.get(0).iter().map(|(time, index)| (time.as_f64(), index))).unwrap();
    let inputs = engine.input_gradient().iter().map(|g| g.as_f64()).collect();
    (hidden, engine.gradient().cast(), inputs)
}

fn compare(
    name: &str,
    (spikes, gradient, inputs): &Result,
    reference: &Reference,
    constants: bool,
    time_bound: f64,
    [parameters, input_times]: [f64; 2],
) {
    let sorted = |batch: &SpikeBatch<f64>| {
        let mut spikes: Vec<(u32, f64)> = batch.get(0).iter().map(|(t, n)| (n, t)).collect();
        spikes.sort_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)));
        spikes
    };
    let (found, expected) = (sorted(spikes), sorted(&reference.spikes(1)));
    assert_eq!(found.len(), expected.len(), "{name}: spikes");
    let mut worst = 0.0_f64;
    for (found, expected) in found.iter().zip(&expected) {
        assert_eq!(found.0, expected.0, "{name}: spikes of a neuron");
        worst = worst.max((found.1 - expected.1).abs());
    }
    println!("{name}: {} spikes, times off by {worst:.1e} ms", found.len());
    assert!(worst <= time_bound, "{name}: a spike time is off by {worst:e} ms");
    let mut lists =
        vec![(String::from("input times"), inputs.clone(), reference.input_gradient().to_vec())];
    let expected = reference.gradient();
    let mut found = Vec::new();
    gradient.for_each(|_, values| found.push(values.to_vec()));
    let mut position = 0;
    expected.for_each(|id, values| {
        let learned = constants || position < 2 * gradient.connections.len();
        if learned && !values.is_empty() {
            lists.push((format!("{id:?}"), found[position].clone(), values.to_vec()));
        }
        position += 1;
    });
    let mut broken = Vec::new();
    for (list, found, expected) in lists {
        let scale = expected.iter().fold(0.0_f64, |scale, g| scale.max(g.abs()));
        let pairs = found.iter().zip(&expected);
        let error = pairs.fold(0.0_f64, |worst, (a, b)| worst.max((a - b).abs()));
        println!("{name}, {list}: {:.1e}", error / scale);
        let bound = if list == "input times" { input_times } else { parameters };
        if error > bound * scale {
            broken.push(format!("{name}: {list} off by {error:e} of {scale:e}"));
        }
    }
    assert!(broken.is_empty(), "{broken:?}");
}

/// Input trains without order, rounded to f32 so that both precisions see the same.
fn draw(
    recurrent: bool,
    adaptation: Option<Adaptation>,
) -> (Network, Parameters<f64>, SpikeBatch<f64>) {
    let mut state = 5_u64;
    let mut uniform = move || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1_u64 << 53) as f64
    };
    let layers = vec![
        LayerSpec::input("input", INPUTS as usize),
        LayerSpec { adaptation, ..LayerSpec::lif("hidden", HIDDEN, 20.0, 5.0) },
        LayerSpec::li("out", 3, 20.0, 5.0),
    ];
    let mut connections =
        vec![ConnectionSpec::dense("input", "hidden"), ConnectionSpec::dense("hidden", "out")];
    if recurrent {
        connections.push(ConnectionSpec::dense("hidden", "hidden"));
    }
    let network = Network::new(DURATION, layers, connections).unwrap();
    let mut parameters = Parameters::initial(&network);
    let single = |x: f64| f64::from(x as f32);
    let drive = if adaptation.is_some() { 0.05 } else { 0.026 };
    let spread = [(drive, 0.12), (0.2, 0.4), (-0.02, 0.08)];
    for (own, (mean, half)) in parameters.connections.iter_mut().zip(spread) {
        own.weights.iter_mut().for_each(|w| *w = single(mean + half * (2.0 * uniform() - 1.0)));
    }
    let mut train: Vec<(f64, u32)> = (0..SPIKES)
        .map(|_| (single(0.99 * DURATION * uniform()), (uniform() * f64::from(INPUTS)) as u32))
        .collect();
    train.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut spikes = SpikeBatch::new();
    spikes.push_sorted(train).unwrap();
    (network, parameters, spikes)
}
