//! The general engine through the conformance checks.

use conformance::gradcheck::{Options, run_engines};
use conformance::{BoxedEngine, Candidate, Case, Kind, LOSSES, suite};
use eventprop_cpu::{CpuOptions, GeneralEngine, LaneReal};
use lif_core::Network;
use lif_core::engine::{Engine, EngineError, Training};

fn with_threads<T: LaneReal>(
    threads: usize,
) -> impl Fn(&Network, Training<T>) -> Result<BoxedEngine<T>, EngineError> {
    move |network, training| {
        let options = CpuOptions { threads: Some(threads) };
        Ok(Box::new(GeneralEngine::new(network, training, options)?))
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
    let rows = || table.rows.iter();
    let broken = rows().flat_map(|row| &row.broken);
    let broken: Vec<_> = broken.filter(|what| !what.contains("draws discarded")).collect();
    assert!(broken.is_empty(), "{broken:?}");
    assert_eq!(rows().flat_map(|row| &row.engines).map(|engine| engine.refusals).sum::<usize>(), 0);
    // Some kinds often draw networks without a gradient; over all of them there are few.
    let (drawn, discarded) = (rows().map(|row| row.drawn), rows().map(|row| row.discarded));
    assert!(4 * discarded.sum::<usize>() < drawn.sum::<usize>());
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
                    let mut engine =
                        GeneralEngine::<f64>::new(&case.network, training, options).unwrap();
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
