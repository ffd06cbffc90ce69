//! The fast clock-driven engine against the plain model in double precision.

use eventprop_cpu::GridEngine;
use lif_core::engine::{Batch, Engine, EngineError, Training};
use lif_core::grid::{GridGradient, GridModel, GridSpec, GridVariant};
use lif_core::loss::Loss;
use lif_core::network::{ConnectionSpec, LayerSpec};
use lif_core::optimiser::{Clip, LearningRates, Optimiser};
use lif_core::{Network, Parameters, SpikeBatch};
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;
use std::ops::ControlFlow;

const LOSS: Loss = Loss::TtfsCrossEntropy { tau: 2.0, alpha: 0.01, tau_early: 10.0 };

#[derive(Clone, Debug)]
struct Problem {
    variant: GridVariant,
    inputs: usize,
    neurons: usize,
    dt: f64,
    bump: f64,
    weights: Vec<f32>,
    samples: Vec<Vec<(f32, u32)>>,
    labels: Vec<u32>,
}

impl Problem {
    fn network(&self) -> Network {
        let layers = vec![
            LayerSpec::input("in", self.inputs),
            LayerSpec::lif("out", self.neurons, 20.0, 5.0),
        ];
        Network::new(20.0, layers, vec![ConnectionSpec::dense("in", "out")]).unwrap()
    }

    fn spec(&self) -> GridSpec {
        GridSpec { bump: self.bump, max_repeats: 3, ..GridSpec::new(self.dt, self.variant) }
    }

    fn parameters(&self) -> Parameters<f32> {
        let mut parameters = Parameters::initial(&self.network());
        parameters.connections[0].weights = self.weights.clone();
        parameters
    }

    fn engine(&self, training: Training<f32>, threads: usize) -> GridEngine {
        let mut engine = GridEngine::new(&self.network(), self.spec(), training, threads).unwrap();
        engine.load(&self.parameters()).unwrap();
        engine
    }

    fn spikes(&self) -> SpikeBatch<f32> {
        let mut batch = SpikeBatch::new();
        for sample in &self.samples {
            let mut sample = sample.clone();
            sample.sort_by(|a, b| a.0.total_cmp(&b.0));
            batch.push_sorted(sample).unwrap();
        }
        batch
    }
}

fn training(variant: GridVariant) -> Training<f32> {
    Training { input_gradients: variant == GridVariant::Head, ..Training::exact(LOSS) }
}

/// A sample: either every input once at one of two times, or that with some inputs missing and
/// others spiking again, or anything.
fn sample(inputs: usize) -> impl Strategy<Value = Vec<(f32, u32)>> {
    let time = (0..42_u32).prop_map(|half_steps| half_steps as f32 / 2.0);
    let two_times = (proptest::collection::vec(any::<bool>(), inputs), 0..8_u32, 8..16_u32)
        .prop_map(|(white, early, late)| {
            let time = |white| if white { early as f32 } else { late as f32 };
            white.iter().zip(0..).map(|(&white, i)| (time(white), i)).collect::<Vec<_>>()
        })
        .boxed();
    let anything = proptest::collection::vec((time, 0..inputs as u32), 0..2 * inputs);
    let mostly = (two_times.clone(), proptest::collection::vec(any::<prop::sample::Index>(), 3))
        .prop_map(|(mut spikes, places)| {
            let last = places.len() - 1;
            for place in &places[..last] {
                spikes.remove(place.index(spikes.len()));
            }
            let again = spikes[places[last].index(spikes.len())];
            spikes.push((again.0 + 1.0, again.1));
            spikes
        });
    prop_oneof![2 => two_times, 1 => mostly, 1 => anything]
}

fn problem() -> impl Strategy<Value = Problem> {
    let variant = prop_oneof![Just(GridVariant::Head), Just(GridVariant::First)];
    (variant, 4..40_usize, 1..=20_usize, 1..=20_usize, prop_oneof![Just(1.0), Just(0.5)])
        .prop_flat_map(|(variant, inputs, neurons, samples, dt)| {
            let scale = 8.0 / inputs as f32;
            (
                proptest::collection::vec(-0.3 * scale..scale, inputs * neurons),
                proptest::collection::vec(sample(inputs), samples),
                proptest::collection::vec(0..neurons as u32, samples),
            )
                .prop_map(move |(weights, samples, labels)| Problem {
                    variant,
                    inputs,
                    neurons,
                    dt,
                    bump: 0.1,
                    weights,
                    samples,
                    labels,
                })
        })
}

/// The plain model's result in double precision, and its weights after the bump; none where
/// rounding could change a spike, or a slope near 0 magnifies it.
fn expected(problem: &Problem) -> Option<(GridGradient<f64>, Parameters<f64>)> {
    let model = GridModel::new(&problem.network(), problem.spec()).unwrap();
    let mut spikes = SpikeBatch::new();
    for train in problem.spikes().iter() {
        spikes.push_sorted(train.iter().map(|(time, input)| (f64::from(time), input))).unwrap();
    }
    let mut parameters = problem.parameters().cast();
    let batch = Batch { spikes: &spikes, labels: &problem.labels };
    let result = model.differentiate(&mut parameters, batch, &LOSS).unwrap();
    let clear = result.pass.traces[0].iter().all(|trace| {
        let slopes = (0..model.steps()).flat_map(|step| {
            let from = match problem.variant {
                GridVariant::Head => step.saturating_sub(1),
                GridVariant::First => step,
            };
            let neurons = trace.spikes.at(step).iter();
            neurons.map(move |&j| trace.current[from * problem.neurons + j as usize] - 1.0)
        });
        trace.margin > 1e-5 && slopes.into_iter().all(|slope| slope.abs() > 0.02)
    });
    clear.then_some((result, parameters))
}

fn close(what: &str, actual: &[f32], expected: &[f64]) -> Result<(), TestCaseError> {
    prop_assert_eq!(actual.len(), expected.len(), "{}", what);
    let scale = expected.iter().fold(1e-3, |scale: f64, value| scale.max(value.abs()));
    for (&actual, expected) in actual.iter().zip(expected) {
        // A slope of 0.02 against rounding of the current by 1e-6 leaves 5e-5, spike by spike.
        prop_assert!(
            (f64::from(actual) - expected).abs() <= 5e-4 * scale,
            "{}: {} against {}, of {}",
            what,
            actual,
            expected,
            scale
        );
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, max_global_rejects: 300, failure_persistence: None, ..Default::default() })]

    #[test]
    fn equals_the_plain_model(problem in problem()) {
        let Some((expected, weights)) = expected(&problem) else {
            return Err(TestCaseError::reject("close to another outcome"));
        };
        let mut engine = problem.engine(training(problem.variant), 1);
        let spikes = problem.spikes();
        let batch = Batch { spikes: &spikes, labels: &problem.labels };
        let statistics = engine.differentiate(batch).unwrap();

        let bumps = &expected.bumps[0];
        prop_assert_eq!(statistics.bumps, u64::from(bumps.raised.iter().sum::<u32>()));
        prop_assert_eq!(statistics.bump_gave_up, bumps.gave_up.len() as u64);
        close("weights", &engine.parameters().connections[0].weights, &weights.connections[0].weights)?;

        let sent = engine.spikes(1);
        let mut counts = vec![0; problem.neurons];
        for (trace, sent) in expected.pass.traces[0].iter().zip(sent.iter()) {
            let mut spikes = Vec::new();
            for step in 0..(20.0 / problem.dt) as usize {
                for &neuron in trace.spikes.at(step) {
                    counts[neuron as usize] += 1;
                    spikes.push(((step as f64 * problem.dt) as f32, neuron));
                }
            }
            prop_assert_eq!(sent.iter().collect::<Vec<_>>(), spikes);
        }
        prop_assert_eq!(&engine.take_activity()[1], &counts);

        close("losses", engine.losses(), &expected.losses)?;
        let classes = expected.pass.first_steps.chunks(problem.neurons).map(GridModel::predict);
        let correct = classes.zip(&problem.labels).filter(|(class, label)| *class == **label as usize);
        prop_assert_eq!(statistics.correct, correct.count());
        let gradient = &engine.gradient().connections[0].weights;
        close("gradient", gradient, &expected.gradient.connections[0].weights)?;
        if problem.variant == GridVariant::Head {
            let mut by_spike = Vec::new();
            for (train, gradient) in spikes.iter().zip(&expected.input_gradient) {
                for (time, input) in train.iter() {
                    let step = problem.spec().step_of(f64::from(time));
                    let place = step * problem.inputs + input as usize;
                    by_spike.push(gradient.get(place).copied().unwrap_or(0.0));
                }
            }
            close("input gradient", engine.input_gradient(), &by_spike)?;
        }

        let prepared = engine.prepare(&spikes).unwrap();
        let samples: Vec<u32> = (0..problem.samples.len() as u32).collect();
        let mut other = problem.engine(training(problem.variant), 1);
        prop_assert_eq!(
            other.differentiate_prepared(&prepared, &samples, &problem.labels).unwrap(), statistics
        );
        prop_assert_eq!(other.gradient(), engine.gradient());
    }

    #[test]
    fn infers_first_steps(problem in problem()) {
        let weights = problem.weights.iter().map(|weight| weight * 0.5).collect();
        let quiet = Problem { weights, bump: 0.0, ..problem };
        let Some((expected, _)) = expected(&quiet) else {
            return Err(TestCaseError::reject("close to another outcome"));
        };
        let outputs = quiet.engine(training(quiet.variant), 1).infer(&quiet.spikes()).unwrap();
        let first_steps = &expected.pass.first_steps;
        prop_assert_eq!(outputs.values.iter().map(|&v| f64::from(v)).collect::<Vec<_>>(), first_steps.clone());
        let classes = first_steps.chunks(quiet.neurons).map(|row| Some(GridModel::predict(row) as u32));
        prop_assert_eq!(outputs.predictions, classes.collect::<Vec<_>>());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..Default::default() })]

    #[test]
    fn parts_of_a_batch_are_bumped_as_the_whole(problem in problem(), cut in 0..=20_usize) {
        let labels = &problem.labels;
        let cut = cut.min(labels.len());
        let (spikes, parts) = (problem.spikes(), [0..cut, cut..labels.len()]);
        let part = |range: &std::ops::Range<usize>| {
            let mut part = SpikeBatch::new();
            range.clone().for_each(|sample| part.push_train(spikes.get(sample)));
            part
        };
        let mut whole = problem.engine(training(problem.variant), 1);
        let statistics = whole.differentiate(Batch { spikes: &spikes, labels }).unwrap();

        let mut cut = problem.engine(training(problem.variant), 1);
        let bump = cut.bump().unwrap();
        let bumped = loop {
            let silent = parts.iter().map(|range| bump.silent(&part(range)).unwrap());
            let silent = silent.reduce(|a, b| a.iter().zip(&b).map(|(a, b)| a + b).collect());
            if let ControlFlow::Break(statistics) = bump.raise(&silent.unwrap()) {
                break statistics;
            }
        };
        prop_assert_eq!(bumped.bumps, statistics.bumps);
        prop_assert_eq!(bumped.bump_gave_up, statistics.bump_gave_up);
        let mut losses = Vec::new();
        for range in &parts {
            let batch = Batch { spikes: &part(range), labels: &labels[range.clone()] };
            let of_part = cut.differentiate(batch).unwrap();
            prop_assert_eq!((of_part.bumps, of_part.bump_gave_up), (0, 0));
            losses.extend_from_slice(cut.losses());
        }
        prop_assert_eq!(losses, whole.losses());
        cut.update(0.0).unwrap();
        whole.update(0.0).unwrap();
        prop_assert_eq!(cut.parameters(), whole.parameters());

        // The next batch may be a whole one again.
        let batch = Batch { spikes: &spikes, labels };
        prop_assert_eq!(cut.differentiate(batch).unwrap(), whole.differentiate(batch).unwrap());
        prop_assert_eq!(cut.parameters(), whole.parameters());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..Default::default() })]

    #[test]
    fn threads_change_no_bit(
        problem in problem(),
        more in proptest::collection::vec(sample(40), 60),
    ) {
        let mut problem = problem;
        let inputs = problem.inputs as u32;
        problem.labels.extend(more.iter().map(|more| more.len() as u32 % problem.neurons as u32));
        problem.samples.extend(
            more.into_iter().map(|more| more.into_iter().filter(|spike| spike.1 < inputs).collect())
        );
        let spikes = problem.spikes();
        let train = |threads| {
            let training = Training {
                optimiser: Optimiser::ADAM,
                clip: Some(Clip::Value(0.1)),
                ..training(problem.variant)
            };
            let mut engine = problem.engine(training, threads);
            let mut statistics = Vec::new();
            for _ in 0..3 {
                let batch = Batch { spikes: &spikes, labels: &problem.labels };
                statistics.push(engine.train_step(batch, 1e-2).unwrap());
            }
            (statistics, engine.parameters(), engine.losses().to_vec(), engine.optimiser_state())
        };
        let single = train(1);
        for threads in [2, 3, 7] {
            prop_assert!(train(threads) == single, "{} threads", threads);
        }
    }
}

fn small() -> Problem {
    Problem {
        variant: GridVariant::Head,
        inputs: 2,
        neurons: 2,
        dt: 1.0,
        bump: 0.1,
        weights: vec![3.0, 2.0, 1.0, 4.0],
        samples: vec![vec![(2.0, 0), (3.0, 1)], vec![(1.0, 1), (5.0, 0)]],
        labels: vec![0, 1],
    }
}

#[test]
fn updates_by_the_clipped_gradient() {
    let problem = small();
    for (clip, optimiser) in [
        (None, Optimiser::SGD),
        (Some(Clip::Value(1e-3)), Optimiser::ADAM),
        (Some(Clip::Norm(1e-3)), Optimiser::Sgd { momentum: 0.5 }),
    ] {
        let training = Training { clip, optimiser, ..Training::exact(LOSS) };
        let mut engine = problem.engine(training, 1);
        let spikes = problem.spikes();
        engine.differentiate(Batch { spikes: &spikes, labels: &problem.labels }).unwrap();
        let gradient = engine.gradient().connections[0].weights.clone();
        let before = engine.parameters().connections[0].weights.clone();
        let norm = gradient.iter().map(|g| g * g).sum::<f32>().sqrt();
        let (clipped, factor) = match clip {
            None => (0, 1.0),
            Some(Clip::Value(limit)) => {
                (gradient.iter().filter(|g| g.abs() > limit as f32).count(), 1.0)
            }
            Some(Clip::Norm(limit)) => (4, limit as f32 / norm),
        };
        assert!(clip.is_none() || clipped > 0);
        assert_eq!(engine.update(0.1).unwrap().clipped, clipped as u64);
        let rule = optimiser.rule(1, 0.1);
        let after = engine.parameters().connections[0].weights.clone();
        for ((mut weight, gradient), after) in before.into_iter().zip(gradient).zip(after) {
            let limit = if let Some(Clip::Value(limit)) = clip { limit as f32 } else { f32::MAX };
            rule.apply(&mut weight, (gradient * factor).clamp(-limit, limit), &mut 0.0, &mut 0.0);
            assert!((weight - after).abs() < 1e-6, "{weight} {after}");
        }
    }
}

#[test]
fn state_goes_out_and_in() {
    let problem = small();
    let training = Training { optimiser: Optimiser::ADAM, ..Training::exact(LOSS) };
    let spikes = problem.spikes();
    let batch = Batch { spikes: &spikes, labels: &problem.labels };
    let mut one = problem.engine(training.clone(), 1);
    one.train_step(batch, 0.1).unwrap();
    let mut other = problem.engine(training, 1);
    other.load(&one.parameters()).unwrap();
    other.load_optimiser_state(&one.optimiser_state()).unwrap();
    one.train_step(batch, 0.1).unwrap();
    other.train_step(batch, 0.1).unwrap();
    assert_eq!(one.parameters(), other.parameters());
    assert_eq!(one.optimiser_state(), other.optimiser_state());
}

#[test]
fn refuses_by_name() {
    let problem = small();
    let refusal = |training: Training<f32>, variant| {
        let spec = GridSpec::new(1.0, variant);
        match GridEngine::new(&problem.network(), spec, training, 1) {
            Err(error) => error.to_string(),
            Ok(_) => String::new(),
        }
    };
    let plain = || Training::exact(LOSS);
    let (head, first) = (GridVariant::Head, GridVariant::First);
    let all = LearningRates { tau_mem: 1.0, ..LearningRates::default() };
    assert_eq!(refusal(plain(), head), "");
    for (training, variant, word) in [
        (Training::exact(Loss::VmaxCrossEntropy {}), head, "first spikes"),
        (Training { learning_rates: all, ..plain() }, head, "anything but weights"),
        (Training { slope_floor: 0.1, ..plain() }, head, "slope floor"),
        (plain(), first, "input gradients"),
    ] {
        let refusal = refusal(training, variant);
        assert!(refusal.contains(word) && refusal.ends_with("not supported"), "{refusal}");
    }
}

#[test]
fn refuses_batches_that_do_not_fit() {
    let problem = small();
    let mut engine = problem.engine(Training::exact(LOSS), 1);
    let spikes = problem.spikes();
    for (samples, labels) in [(vec![(1.0, 2)], vec![0]), (vec![(30.0, 7)], vec![0])] {
        let mut spikes = SpikeBatch::new();
        spikes.push_sorted(samples).unwrap();
        let error = engine.differentiate(Batch { spikes: &spikes, labels: &labels }).unwrap_err();
        assert!(matches!(error, EngineError::Batch(_)), "{error}");
    }
    for labels in [vec![0], vec![0, 2]] {
        let error = engine.differentiate(Batch { spikes: &spikes, labels: &labels }).unwrap_err();
        assert!(matches!(error, EngineError::Batch(_)), "{error}");
    }
    let prepared = engine.prepare(&spikes).unwrap();
    let other = Problem { dt: 0.5, ..small() };
    for (mut engine, samples) in
        [(engine, [0, 2]), (other.engine(Training::exact(LOSS), 1), [0, 1])]
    {
        let error = engine.differentiate_prepared(&prepared, &samples, &[0, 1]).unwrap_err();
        assert!(matches!(error, EngineError::Batch(_)), "{error}");
    }
}
