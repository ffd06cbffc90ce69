//! The reference engine against finite differences and through the suite; and the checks themselves:
//! an engine with a fault has to be caught.

use conformance::gradcheck::{Options, run_kinds};
use conformance::{BoxedEngine, Candidate, Kind, suite};
use lif_core::Network;
use lif_core::engine::{EngineError, Training};
use lif_core::reference::Reference;

fn reference(network: &Network, training: Training<f64>) -> Result<BoxedEngine<f64>, EngineError> {
    Ok(Box::new(Reference::new(network, training)?))
}

#[test]
fn gradients_are_finite_differences() {
    let table = run_kinds(Options { seed: 7, cases: 1 }, &Kind::ALL, &[]).unwrap();
    println!("{table}");
    assert_eq!(table.broken().collect::<Vec<_>>(), Vec::<String>::new());
    // Each kind was really compared under some loss.
    for kind in Kind::ALL {
        let mut rows = table.rows.iter().filter(|row| row.kind == kind);
        assert!(rows.any(|row| row.discarded < row.drawn && row.reference.weights > 0.0));
    }
}

#[test]
fn reference_passes_the_suite() {
    let report = suite::run::<f64>(&reference, 3);
    assert_eq!(report.failures(), Vec::<String>::new());
    assert_eq!(report.refusals(), Vec::<String>::new());
    assert!(report.checks.len() > 6 * (Kind::ALL.len() - 2));
    let same = suite::same_bits::<f64>(&[&reference, &reference], 3, 3);
    assert_eq!(same.failures(), Vec::<String>::new());
}

#[test]
fn faults_are_caught_and_refusals_counted() {
    // Its slope floor acts where it should not: some gradients are too small.
    let faulty = |network: &Network, training: Training<f64>| {
        reference(network, Training { slope_floor: 0.3, ..training })
    };
    let refusing = |network: &Network, training| match network.connections() {
        [first, ..] if first.delays => {
            let capability = String::from("delays are");
            Err(EngineError::Unsupported { engine: "refusing", capability })
        }
        _ => reference(network, training),
    };
    let candidates =
        [Candidate::new::<f64>("faulty", &faulty), Candidate::new::<f64>("refusing", &refusing)];
    let kinds = [Kind::DenseOdd, Kind::Delays];
    let table = run_kinds(Options { seed: 1, cases: 4 }, &kinds, &candidates).unwrap();
    assert!(table.broken().any(|broken| broken.contains("faulty")));
    assert!(!table.broken().any(|broken| broken.contains("refusing")));
    for row in &table.rows {
        let refusing = &row.engines[1];
        assert_eq!(refusing.refusals > 0, row.kind == Kind::Delays);
        assert_eq!(refusing.compared > 0, row.kind == Kind::DenseOdd);
    }
}
