//! The general engine through the conformance checks.

use conformance::gradcheck::{Options, run_engines};
use conformance::{BoxedEngine, Candidate, Case, Kind, LOSSES, suite};
use eventprop_cpu::{CpuOptions, Precision};
use lif_core::engine::{Batch, Engine, EngineError, Training};
use lif_core::loss::Loss;
use lif_core::network::{Adaptation, ConnectionKindSpec, ConnectionSpec, LayerSpec};
use lif_core::reference::Reference;
use lif_core::{Network, Parameters, SpikeBatch};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

fn with_threads<T: Precision>(
    threads: usize,
) -> impl Fn(&Network, Training<T>) -> Result<BoxedEngine<T>, EngineError> {
    move |network, training| {
        let options = CpuOptions { threads: Some(threads) };
        T::general_engine(network, training, options)
    }
}

#[test]
fn gradients_are_those_of_the_reference() {
    let (double, single) = (with_threads::<f64>(1), with_threads::<f32>(1));
    let double = Candidate::new::<f64>("f64", &double);
    let mut single = Candidate::new::<f32>("f32", &single);
    // Few draws of the larger networks keep the suite's margin in every neuron; the bounds hold with
    // a narrower one, too.
    single.tolerance.margin = 3e-3;
    let candidates = [double, single];
    let table = run_engines(Options { seed: 11, cases: 40 }, &Kind::ALL, &candidates).unwrap();
    println!("{table}");
    assert_eq!(table.broken().collect::<Vec<_>>(), Vec::<String>::new());
    let rows = || table.rows.iter();
    assert_eq!(rows().flat_map(|row| &row.engines).map(|engine| engine.refusals).sum::<usize>(), 0);
    for kind in Kind::ALL {
        let compared = |engine: usize| {
            rows().filter(|row| row.kind == kind).map(|row| row.engines[engine].compared).sum()
        };
        let (double, single): (usize, usize) = (compared(0), compared(1));
        assert!(double >= 80 && single >= 8, "{}: {double}, {single} compared", kind.name());
    }
}

/// Without gradients by constants plain layers take a shorter way.
#[test]
fn gradients_without_those_of_constants_are_the_same() {
    let options = CpuOptions { threads: Some(1) };
    let (mut drawn, mut compared) = (0, 0);
    for kind in Kind::ALL {
        for loss in LOSSES.into_iter().filter(|loss| kind.goes_with(*loss)) {
            for number in 0..20 {
                let case = Case::draw(kind, loss, 23, number);
                let margins = case.reference().and_then(|r| r.margins(&case.spikes));
                drawn += 1;
                if !margins.is_ok_and(|margins| margins.at_least(1e-4)) {
                    continue;
                }
                compared += 1;
                let gradient = |constant_gradients| {
                    let training = Training { constant_gradients, ..Training::exact(loss) };
                    let mut engine = f64::general_engine(&case.network, training, options).unwrap();
                    engine.load(&case.parameters).unwrap();
                    engine.differentiate(case.batch()).unwrap();
                    let gradient = engine.gradient();
                    let lists = gradient.connections.into_iter();
                    let mut lists: Vec<_> = lists.flat_map(|c| [c.weights, c.delays]).collect();
                    lists.push(engine.input_gradient().to_vec());
                    lists
                };
                for (found, expected) in gradient(false).iter().zip(gradient(true)) {
                    let scale = expected.iter().fold(1e-9, |scale: f64, g| scale.max(g.abs()));
                    for (a, b) in found.iter().zip(expected) {
                        let error = (a - b).abs() / scale;
                        assert!(error < 1e-7, "{} {}: {error:e}", kind.name(), loss.name());
                    }
                }
            }
        }
    }
    assert!(4 * compared > 3 * drawn, "{compared} of {drawn}");
}

#[test]
fn passes_the_suite() {
    for report in [suite::run::<f64>(&with_threads(2), 5), suite::run::<f32>(&with_threads(2), 5)] {
        assert_eq!(report.failures(), Vec::<String>::new());
        assert_eq!(report.refusals(), Vec::<String>::new());
    }
}

#[test]
fn threads_change_no_bit() {
    let (one, two, three) = (with_threads::<f32>(1), with_threads(2), with_threads(3));
    let report = suite::same_bits::<f32>(&[&one, &two, &three], 9, 3);
    assert_eq!(report.failures(), Vec::<String>::new());
    assert_eq!(report.refusals(), Vec::<String>::new());
}

/// More channels than lanes, strides, padding, pooling and a dense layer above: the networks drawn
/// for the checks above have few channels.
#[test]
fn wide_convolutions_agree_with_the_reference() {
    let image = |name: &str, shape: [usize; 3]| {
        LayerSpec::lif(name, shape.iter().product(), 20.0, 5.0).with_shape(shape)
    };
    let layers = vec![
        LayerSpec::input("in", 2 * 6 * 7).with_shape([2, 6, 7]),
        image("conv1", [19, 2, 3]),
        image("pool", [19, 1, 2]),
        image("conv2", [33, 1, 3]),
        LayerSpec::li("out", 3, 20.0, 5.0),
    ];
    let windowed = |from: &str, to: &str, kernel, stride, padding, weight| ConnectionSpec {
        kind: match weight {
            None => ConnectionKindSpec::Conv2d,
            Some(_) => ConnectionKindSpec::SumPool2d,
        },
        kernel: Some(kernel),
        stride: Some(stride),
        padding: Some(padding),
        weight,
        ..ConnectionSpec::dense(from, to)
    };
    let connections = vec![
        windowed("in", "conv1", [3, 3], [2, 2], [0, 0], None),
        windowed("conv1", "pool", [2, 2], [1, 1], [0, 0], Some(8.0)),
        windowed("pool", "conv2", [1, 2], [1, 1], [0, 1], None),
        ConnectionSpec::dense("conv2", "out"),
    ];
    let network = Network::new(40.0, layers, connections).unwrap();
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let mut parameters = Parameters::<f64>::initial(&network);
    for (connection, spread) in parameters.connections.iter_mut().zip([3.0, 0.0, 4.0, 0.5]) {
        let draw = |weight: &mut f64| *weight = rng.random_range(-0.5..1.0) * spread;
        connection.weights.iter_mut().for_each(draw);
    }
    let mut spikes = SpikeBatch::new();
    for _ in 0..3 {
        let mut train: Vec<(f64, u32)> =
            (0..84).map(|input| (rng.random_range(0.0..15.0), input)).collect();
        train.sort_by(|a, b| a.0.total_cmp(&b.0));
        spikes.push_sorted(train).unwrap();
    }
    let labels = [0, 1, 2];
    let batch = Batch { spikes: &spikes, labels: &labels };
    let training = || Training::exact(Loss::MeanCrossEntropy {});
    let mut reference = Reference::new(&network, training()).unwrap();
    let options = CpuOptions { threads: Some(2) };
    let mut engine = f64::general_engine(&network, training(), options).unwrap();
    let engines: [&mut dyn Engine<f64>; 2] = [&mut reference, &mut *engine];
    let [expected, found] = engines.map(|engine| {
        engine.load(&parameters).unwrap();
        engine.differentiate(batch).unwrap();
        let counts: Vec<usize> = (1..4).map(|layer| engine.spikes(layer).spike_count()).collect();
        assert!(counts.iter().all(|&count| count > 20), "{counts:?}");
        let gradient = engine.gradient().connections.into_iter().map(|c| c.weights);
        let mut lists: Vec<_> = gradient.collect();
        lists.push(engine.input_gradient().to_vec());
        (counts, lists)
    });
    assert_eq!(found.0, expected.0);
    for (found, expected) in found.1.iter().zip(&expected.1) {
        let scale = expected.iter().fold(1e-9, |scale: f64, g| scale.max(g.abs()));
        for (a, b) in found.iter().zip(expected) {
            assert!((a - b).abs() / scale < 1e-7, "{a} {b} {scale}");
        }
    }
}

/// Where outputs hear one another without delays, the highest voltage of a silent one turns at a spike of its own layer, and
/// moves with it.
#[test]
fn highest_voltages_move_with_spikes_of_their_layer() {
    let layers = vec![LayerSpec::input("in", 6), LayerSpec::lif("out", 20, 20.0, 5.0)];
    let connections = vec![ConnectionSpec::dense("in", "out"), ConnectionSpec::dense("out", "out")];
    let network = Network::new(40.0, layers, connections).unwrap();
    let mut rng = ChaCha8Rng::seed_from_u64(4);
    let mut parameters = Parameters::<f64>::initial(&network);
    let [below, within] = &mut parameters.connections[..] else { panic!("two connections") };
    // The first half spikes and inhibits the others.
    for (place, weight) in below.weights.iter_mut().enumerate() {
        *weight = rng.random_range(0.5..1.0) * if place % 20 < 10 { 3.0 } else { 0.8 };
    }
    within.weights.fill_with(|| rng.random_range(-1.0..0.0));
    let mut spikes = SpikeBatch::new();
    for _ in 0..3 {
        let mut train: Vec<(f64, u32)> =
            (0..6).map(|input| (rng.random_range(0.0..15.0), input)).collect();
        train.sort_by(|a, b| a.0.total_cmp(&b.0));
        spikes.push_sorted(train).unwrap();
    }
    let batch = Batch { spikes: &spikes, labels: &[0, 11, 12] };
    let training = || Training::exact(Loss::VmaxCrossEntropy {});
    let mut reference = Reference::new(&network, training()).unwrap();
    let options = CpuOptions { threads: Some(1) };
    let mut engine = f64::general_engine(&network, training(), options).unwrap();
    let engines: [&mut dyn Engine<f64>; 2] = [&mut reference, &mut *engine];
    let [expected, found] = engines.map(|engine| {
        engine.load(&parameters).unwrap();
        engine.differentiate(batch).unwrap();
        let spiking =
            engine.spikes(1).iter().map(|train| train.indices().to_vec()).collect::<Vec<_>>();
        assert!(
            spiking
                .iter()
                .all(|train| train.iter().any(|&n| n < 10) && train.iter().all(|&n| n < 10))
        );
        let gradient = engine.gradient().connections.into_iter().map(|c| c.weights);
        gradient.chain([engine.input_gradient().to_vec()]).collect::<Vec<_>>()
    });
    for (found, expected) in found.iter().zip(&expected) {
        let scale = expected.iter().fold(1e-9, |scale: f64, g| scale.max(g.abs()));
        for (a, b) in found.iter().zip(expected) {
            assert!((a - b).abs() / scale < 1e-7, "{a} {b} {scale}");
        }
    }
}

/// A voltage that falls crosses a threshold that falls faster.
#[test]
fn falling_thresholds_are_crossed() {
    let adaptation = Some(Adaptation { beta: 2.0, tau: 2.0 });
    let layers = vec![
        LayerSpec::input("in", 2),
        LayerSpec { adaptation, ..LayerSpec::lif("hidden", 1, 20.0, 0.2) },
        LayerSpec::li("out", 1, 20.0, 5.0),
    ];
    let connections =
        vec![ConnectionSpec::dense("in", "hidden"), ConnectionSpec::dense("hidden", "out")];
    let network = Network::new(30.0, layers, connections).unwrap();
    let mut parameters = Parameters::<f64>::initial(&network);
    parameters.connections[0].weights = vec![300.0, 0.01];
    let mut spikes = SpikeBatch::new();
    // The second comes while the voltage falls already, and looks ahead anew.
    spikes.push_sorted([(1.0, 0), (2.4, 1)]).unwrap();
    let training = Training::exact(Loss::VmaxCrossEntropy {});
    let mut reference = Reference::new(&network, training.clone()).unwrap();
    let mut engine =
        f64::general_engine(&network, training, CpuOptions { threads: Some(1) }).unwrap();
    reference.load(&parameters).unwrap();
    engine.load(&parameters).unwrap();
    reference.infer(&spikes).unwrap();
    engine.infer(&spikes).unwrap();
    let (found, expected) = (engine.spikes(1), reference.spikes(1));
    assert_eq!((found.spike_count(), expected.spike_count()), (2, 2));
    let pairs = found.get(0).times().iter().zip(expected.get(0).times());
    assert!(pairs.map(|(a, b)| (a - b).abs()).all(|off| off < 1e-9), "{found:?} {expected:?}");
}
