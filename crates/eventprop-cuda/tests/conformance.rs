//! The engine through the suite that every engine has to pass: on a GPU where there is one, and on the
//! emulator under every order of threads.

mod common;

use common::for_each_schedule;
use conformance::gradcheck::{Options, run_engines};
use conformance::{BoxedEngine, Candidate, Kind, suite};
use eventprop_cuda::{ByArrival, CudaEngine, CudaOptions};
use lif_core::Network;
use lif_core::engine::{EngineError, Training};

/// Kinds of network that the engine computes.
const KINDS: [Kind; 17] = [
    Kind::Skip,
    Kind::Dense,
    Kind::DenseInteger,
    Kind::DenseOdd,
    Kind::DenseEqual,
    Kind::DenseNearEqual,
    Kind::PerNeuron,
    Kind::Bias,
    Kind::Refractory,
    Kind::Adaptive,
    Kind::Conv,
    Kind::Recurrent,
    Kind::FeedForwardDelays,
    Kind::DelaysIntoRecurrent,
    Kind::RecurrentDelays,
    Kind::Delays,
    Kind::SkipForward,
];

fn engine(network: &Network, training: Training<f32>) -> Result<BoxedEngine<f32>, EngineError> {
    Ok(Box::new(CudaEngine::new(network, training, CudaOptions::default())?))
}

/// The adjoint of a batch in many parts, and a thread a neuron however few there are.
fn in_parts(network: &Network, training: Training<f32>) -> Result<BoxedEngine<f32>, EngineError> {
    let options = CudaOptions {
        adjoint_bytes: Some(1),
        by_arrival: ByArrival::Never,
        ..CudaOptions::default()
    };
    Ok(Box::new(CudaEngine::new(network, training, options)?))
}

/// An engine that is not asked for gradients by constants, for which it walks other ways; with a lane an arrival wherever
/// that can be.
fn plain(network: &Network, training: Training<f32>) -> Result<BoxedEngine<f32>, EngineError> {
    if training.needs_constant_gradients() {
        let capability = String::from("here, gradients by constants are");
        return Err(EngineError::Unsupported { engine: "cuda", capability });
    }
    let options = CudaOptions { by_arrival: ByArrival::Always, ..CudaOptions::default() };
    Ok(Box::new(CudaEngine::new(network, training, options)?))
}

#[test]
fn gradients_are_the_reference_s() {
    for_each_schedule(|_, schedule| {
        gradients_agree(&KINDS[1..], Options { seed: 11 + schedule, cases: 24 });
        // Where layers hear one another few draws leave a margin.
        gradients_agree(&KINDS[..1], Options { seed: 11 + schedule, cases: 96 });
    });
}

fn gradients_agree(kinds: &[Kind], options: Options) {
    let candidates =
        [("cuda", &engine as _), ("cuda in parts", &in_parts as _), ("cuda, plain", &plain as _)]
            .map(|(n, e)| Candidate::new::<f32>(n, e));
    let table = run_engines(options, kinds, &candidates).unwrap();
    println!("{table}");
    let broken: Vec<_> = table.broken().filter(|broken| broken.contains("cuda")).collect();
    assert_eq!(broken, Vec::<String>::new());
    for kind in kinds {
        let rows = table.rows.iter().filter(|row| row.kind == *kind);
        let compared = rows.map(|row| row.engines[0].compared).sum::<usize>();
        assert!(compared > 4, "{}: {compared} compared", kind.name());
    }
}

#[test]
fn passes_the_suite() {
    for_each_schedule(|_, schedule| {
        let report = suite::run::<f32>(&engine, 3 + schedule);
        assert_eq!(report.failures(), Vec::<String>::new());
        for refusal in report.refusals() {
            assert!(refusal.contains("backend cuda: "), "{refusal}");
            let computes =
                KINDS.iter().any(|kind| refusal.contains(&format!(", {}:", kind.name())));
            assert!(!computes, "{refusal}");
        }
    });
}

#[test]
fn results_are_deterministic() {
    for_each_schedule(|_, schedule| {
        let report = suite::same_bits::<f32>(&[&engine, &engine], 5 + schedule, 3);
        assert_eq!(report.failures(), Vec::<String>::new());
    });
}
