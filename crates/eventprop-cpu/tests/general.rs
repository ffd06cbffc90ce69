//! The general engine through the conformance checks.

use conformance::gradcheck::{Options, run_engines};
use conformance::{BoxedEngine, Candidate, Kind, suite};
use eventprop_cpu::{CpuOptions, GeneralEngine, LaneReal};
use lif_core::Network;
use lif_core::engine::{EngineError, Training};

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
    let candidates = [Candidate::new::<f64>("f64", &double), Candidate::new::<f32>("f32", &single)];
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
