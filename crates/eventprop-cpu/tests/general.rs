//! The general engine through the conformance checks.

use conformance::gradcheck::{Options, run_kinds};
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
    let table = run_kinds(Options { seed: 11, cases: 2 }, &Kind::ALL, &candidates).unwrap();
    println!("{table}");
    assert_eq!(table.broken().collect::<Vec<_>>(), Vec::<String>::new());
    for engine in table.rows.iter().flat_map(|row| &row.engines) {
        assert_eq!(engine.refusals, 0);
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
