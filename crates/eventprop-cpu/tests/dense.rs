//! The engine for chains of dense layers: against the reference on random ones, and through the
//! conformance suite.

use conformance::{BoxedEngine, suite};
use eventprop_cpu::{CpuOptions, Precision};
use lif_core::engine::{Batch, Engine, EngineError, Training};
use lif_core::loss::Loss;
use lif_core::network::{ConnectionSpec, LayerSpec};
use lif_core::reference::Reference;
use lif_core::{Network, Parameters, SpikeBatch};
use proptest::prelude::*;

#[derive(Clone, Debug)]
struct Draw {
    network: Network,
    parameters: Parameters<f64>,
    spikes: SpikeBatch<f64>,
    labels: Vec<u32>,
    loss: Loss,
}

fn draw() -> impl Strategy<Value = Draw> {
    let taus = prop_oneof![
        Just((20.0, 5.0)),
        Just((10.0, 5.0)),
        Just((12.0, 5.0)),
        Just((5.0, 5.0)),
        Just((8.0, 7.999)),
        Just((5.0, 9.0)),
    ];
    let loss = prop_oneof![
        Just(Loss::VmaxCrossEntropy {}),
        Just(Loss::MeanCrossEntropy {}),
        Just(Loss::ExpMeanCrossEntropy {}),
        Just(Loss::SpikeTimeSum {}),
        Just(Loss::TtfsCrossEntropy { tau: 2.0, alpha: 0.01, tau_early: 10.0 }),
    ];
    // The range of biases, and how far down weights reach: neurons that spike by their bias alone need inhibition to show
    // all they can do.
    let drive = prop_oneof![Just((0.0, 0.0, 0.6)), Just((-0.2, 0.2, 0.6)), Just((-0.5, 2.5, 1.4))];
    (taus, loss, 1..3_usize, 1..40_usize, drive, any::<u64>()).prop_map(
        |((tau_mem, tau_syn), loss, hidden, size, (low, high, inhibition), seed)| {
            let mut state = seed;
            let mut uniform = move || {
                state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                (state >> 11) as f64 / (1_u64 << 53) as f64
            };
            let spiking = matches!(loss, Loss::SpikeTimeSum {} | Loss::TtfsCrossEntropy { .. });
            let mut layers = vec![LayerSpec::input("0", 12)];
            for layer in 1..=hidden {
                layers.push(LayerSpec::lif(layer.to_string(), size, tau_mem, tau_syn));
            }
            let last = (hidden + 1).to_string();
            layers.push(if spiking {
                LayerSpec::lif(last, 3, tau_mem, tau_syn)
            } else {
                LayerSpec::li(last, 3, tau_mem, tau_syn)
            });
            let connections = (0..=hidden)
                .map(|layer| ConnectionSpec::dense(layer.to_string(), (layer + 1).to_string()))
                .collect();
            let network = Network::new(40.0, layers, connections).unwrap();
            let mut parameters = Parameters::initial(&network);
            let mut fan_in = 12.0;
            for connection in &mut parameters.connections {
                for weight in &mut connection.weights {
                    *weight = (uniform() * 2.0 - inhibition) * 6.0 / fan_in;
                }
                fan_in = size as f64;
            }
            for layer in &mut parameters.layers {
                layer.bias.iter_mut().for_each(|bias| *bias = low + uniform() * (high - low));
            }
            let mut spikes = SpikeBatch::new();
            for _ in 0..3 {
                let mut train: Vec<(f64, u32)> =
                    (0..30).map(|_| (uniform() * 30.0, (uniform() * 12.0) as u32)).collect();
                train.sort_by(|a, b| a.0.total_cmp(&b.0));
                spikes.push_sorted(train).unwrap();
            }
            Draw { network, parameters, spikes, labels: vec![0, 1, 2], loss }
        },
    )
}

fn worst(a: &Parameters<f64>, b: &Parameters<f64>) -> f64 {
    let weights = b.connections.iter().flat_map(|connection| &connection.weights);
    let scale = weights.fold(1e-9_f64, |m, x| m.max(x.abs()));
    let mut worst: f64 = 0.0;
    for (a, b) in a.connections.iter().zip(&b.connections) {
        for (a, b) in a.weights.iter().zip(&b.weights) {
            worst = worst.max((a - b).abs() / scale);
        }
    }
    worst
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn gradients_agree(draw in draw()) {
        agree(&draw)?;
    }
}

/// A layer whose weights are too many to be walked together is walked tile by tile.
#[test]
fn a_wide_layer_agrees() {
    let (inputs, hidden) = (700, 270);
    let layers = vec![
        LayerSpec::input("0", inputs),
        LayerSpec::lif("1", hidden, 20.0, 5.0),
        LayerSpec::li("2", 3, 20.0, 5.0),
    ];
    let connections = vec![ConnectionSpec::dense("0", "1"), ConnectionSpec::dense("1", "2")];
    let network = Network::new(40.0, layers, connections).unwrap();
    let mut state = 7_u64;
    let mut uniform = move || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 11) as f64 / (1_u64 << 53) as f64
    };
    let mut parameters = Parameters::initial(&network);
    for (connection, scale) in parameters.connections.iter_mut().zip([0.4, 0.1]) {
        connection.weights.iter_mut().for_each(|weight| *weight = (uniform() - 0.2) * scale);
    }
    let mut spikes = SpikeBatch::new();
    for _ in 0..2 {
        let mut train: Vec<(f64, u32)> =
            (0..50).map(|_| (uniform() * 30.0, (uniform() * inputs as f64) as u32)).collect();
        train.sort_by(|a, b| a.0.total_cmp(&b.0));
        spikes.push_sorted(train).unwrap();
    }
    let loss = Loss::VmaxCrossEntropy {};
    agree(&Draw { network, parameters, spikes, labels: vec![0, 1], loss }).unwrap();
}

fn agree(draw: &Draw) -> Result<(), TestCaseError> {
    let batch = Batch { spikes: &draw.spikes, labels: &draw.labels };
    let mut reference = Reference::new(&draw.network, Training::exact(draw.loss)).unwrap();
    reference.load(&draw.parameters).unwrap();
    let expected = reference.differentiate(batch).unwrap();
    let options = CpuOptions { threads: Some(2) };
    let training = Training { constant_gradients: false, ..Training::exact(draw.loss) };
    let mut engine = f64::dense_engine(&draw.network, training, options).unwrap();
    engine.load(&draw.parameters).unwrap();
    let statistics = engine.differentiate(batch).unwrap();
    prop_assert!(
        (statistics.loss - expected.loss).abs() < 1e-9 * (1.0 + expected.loss.abs()),
        "{} {}",
        statistics.loss,
        expected.loss
    );
    for layer in 1..draw.network.layers().len() {
        prop_assert_eq!(engine.spikes(layer).spike_count(), reference.spikes(layer).spike_count());
    }
    let error = worst(&engine.gradient(), &reference.gradient());
    prop_assert!(error < 1e-7, "{}", error);
    let scale = reference.input_gradient().iter().fold(1e-9_f64, |m, x| m.max(x.abs()));
    for (a, b) in engine.input_gradient().iter().zip(reference.input_gradient()) {
        prop_assert!((a - b).abs() / scale < 1e-7, "{} {}", a, b);
    }
    Ok(())
}

fn with_threads<T: Precision>(
    threads: usize,
) -> impl Fn(&Network, Training<T>) -> Result<BoxedEngine<T>, EngineError> {
    move |network, training| {
        let options = CpuOptions { threads: Some(threads) };
        T::dense_engine(network, training, options)
    }
}

#[test]
fn passes_the_suite() {
    for report in [suite::run::<f64>(&with_threads(2), 5), suite::run::<f32>(&with_threads(2), 5)] {
        assert_eq!(report.failures(), Vec::<String>::new());
    }
}

#[test]
fn threads_change_no_bit() {
    let (one, two, three) = (with_threads::<f32>(1), with_threads(2), with_threads(3));
    let seven = with_threads(7);
    let report = suite::same_bits::<f32>(&[&one, &two, &three, &seven], 9, 3);
    assert_eq!(report.failures(), Vec::<String>::new());
}
