//! The fast clock-driven engine through the suite of all of them, and what it alone has: threads and
//! prepared samples.

use conformance::BoxedEngine;
use conformance::grid::{self, Problem, problem, sample};
use eventprop_cpu::GridEngine;
use lif_core::Network;
use lif_core::engine::{Engine, EngineError, Training};
use lif_core::grid::GridSpec;
use lif_core::optimiser::{Clip, Optimiser};
use proptest::prelude::*;

/// The most layers after the input that are drawn.
const LAYERS: usize = 3;

fn build(
    network: &Network,
    spec: GridSpec,
    training: Training<f32>,
) -> Result<BoxedEngine<f32>, EngineError> {
    Ok(Box::new(GridEngine::new(network, spec, training, 1)?))
}

fn engine(problem: &Problem, training: Training<f32>, threads: usize) -> GridEngine {
    let mut engine =
        GridEngine::new(&problem.network(), problem.spec(), training, threads).unwrap();
    engine.load(&problem.parameters()).unwrap();
    engine
}

#[test]
fn equals_the_plain_model() {
    grid::equals_the_plain_model(&build, LAYERS, 1000);
}

#[test]
fn infers_first_steps() {
    grid::infers_first_steps(&build, LAYERS, 1000);
}

#[test]
fn parts_of_a_batch_are_bumped_as_the_whole() {
    grid::parts_of_a_batch_are_bumped_as_the_whole(&build, LAYERS, 200);
}

#[test]
fn kept_samples_train_as_given_ones() {
    grid::kept_samples_train_as_given_ones(&build, LAYERS, 200);
}

#[test]
fn own_losses_are_evaluated() {
    grid::own_losses_are_evaluated(&build, LAYERS, 1000);
}

#[test]
fn updates_by_the_clipped_gradient() {
    grid::updates_by_the_clipped_gradient(&build, LAYERS);
}

#[test]
fn state_goes_out_and_in() {
    grid::state_goes_out_and_in(&build, LAYERS);
}

#[test]
fn weights_stay_finite() {
    grid::weights_stay_finite(&build, LAYERS);
}

#[test]
fn refuses_by_name() {
    grid::refuses_by_name(&build);
}

#[test]
fn refuses_batches_that_do_not_fit() {
    grid::refuses_batches_that_do_not_fit(&build);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..Default::default() })]

    #[test]
    fn prepared_samples_are_as_given_ones(problem in problem(LAYERS)) {
        let mut given = engine(&problem, problem.training(), 1);
        let spikes = problem.spikes();
        let statistics = given.differentiate(problem.batch(&spikes)).unwrap();
        let prepared = given.prepare(&spikes).unwrap();
        let samples: Vec<u32> = (0..problem.samples.len() as u32).collect();
        let mut other = engine(&problem, problem.training(), 1);
        prop_assert_eq!(
            other.differentiate_prepared(&prepared, &samples, &problem.labels).unwrap(), statistics
        );
        prop_assert_eq!(other.gradient(), given.gradient());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..Default::default() })]

    #[test]
    fn threads_change_no_bit(
        problem in problem(LAYERS),
        more in proptest::collection::vec(sample(40), 60),
    ) {
        let mut problem = problem;
        let (inputs, outputs) = (problem.inputs as u32, problem.outputs() as u32);
        problem.labels.extend(more.iter().map(|more| more.len() as u32 % outputs));
        problem.samples.extend(
            more.into_iter().map(|more| more.into_iter().filter(|spike| spike.1 < inputs).collect())
        );
        let spikes = problem.spikes();
        let train = |threads| {
            let training = Training {
                optimiser: Optimiser::ADAM,
                clip: Some(Clip::Value(0.1)),
                ..problem.training()
            };
            let mut engine = engine(&problem, training, threads);
            let mut statistics = Vec::new();
            for _ in 0..3 {
                statistics.push(engine.train_step(problem.batch(&spikes), 1e-2).unwrap());
            }
            (statistics, engine.parameters(), engine.losses().to_vec(), engine.optimiser_state())
        };
        let single = train(1);
        for threads in [2, 3, 7] {
            prop_assert!(train(threads) == single, "{} threads", threads);
        }
    }
}

#[test]
fn refuses_samples_that_were_not_prepared_for_it() {
    let problem = Problem::small(1);
    let fine = engine(&problem, problem.training(), 1);
    let prepared = fine.prepare(&problem.spikes()).unwrap();
    let other = Problem { dt: 0.5, ..Problem::small(1) };
    let finer = engine(&other, other.training(), 1);
    for (mut engine, samples) in [(fine, [0, 2]), (finer, [0, 1])] {
        let error = engine.differentiate_prepared(&prepared, &samples, &[0, 1]).unwrap_err();
        assert!(matches!(error, EngineError::Batch(_)), "{error}");
    }
}
