use super::cases::on_draws;
use super::{Build, LOSS, Problem, close, expected, problem};
use lif_core::SpikeBatch;
use lif_core::grid::{GridModel, GridTrace, GridVariant};
use lif_core::loss::Objective;
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

/// A batch differentiated is the plain model's: bumps, weights, spikes, losses, gradients.
///
/// # Panics
/// If the engine does something else.
#[track_caller]
pub fn equals_the_plain_model(build: &Build<'_>, layers: usize, cases: u32) {
    on_draws(cases, &problem(layers), |problem| differentiates(build, &problem, LOSS));
}

/// Outputs inferred are the plain model's first steps, to the step.
///
/// # Panics
/// If the engine infers others.
#[track_caller]
pub fn infers_first_steps(build: &Build<'_>, layers: usize, cases: u32) {
    on_draws(cases, &problem(layers), |problem| {
        let quiet = Problem { bump: 0.0, ..problem };
        let (expected, _) = expected(&quiet, &LOSS)?;
        let outputs = quiet.engine(build, quiet.training())?.infer(&quiet.spikes())?;
        let first_steps = &expected.pass.first_steps;
        let values: Vec<_> = outputs.values.iter().map(|&value| f64::from(value)).collect();
        prop_assert_eq!(&values, first_steps);
        let rows = first_steps.chunks(quiet.outputs());
        let classes: Vec<_> = rows.map(|row| Some(GridModel::predict(row) as u32)).collect();
        prop_assert_eq!(outputs.predictions, classes);
        Ok(())
    });
}

/// Whether an engine differentiates a problem by `objective` as the plain model does.
pub(super) fn differentiates<O>(
    build: &Build<'_>,
    problem: &Problem,
    objective: O,
) -> Result<(), TestCaseError>
where
    O: Objective<f32> + Objective<f64> + Copy + 'static,
{
    let (expected, weights) = expected(problem, &objective)?;
    let mut engine = problem.engine(build, problem.training_by(objective))?;
    let spikes = problem.spikes();
    let statistics = engine.differentiate(problem.batch(&spikes))?;

    let bumps = || expected.bumps.iter();
    let raised = bumps().flat_map(|bumps| &bumps.raised).sum::<u32>();
    prop_assert_eq!(statistics.bumps, u64::from(raised));
    let gave_up = bumps().map(|bumps| bumps.gave_up.len()).sum::<usize>();
    prop_assert_eq!(statistics.bump_gave_up, gave_up as u64);
    let raised = engine.parameters();
    for (raised, expected) in raised.connections.iter().zip(&weights.connections) {
        close("weights", &raised.weights, &expected.weights)?;
    }
    let activity = engine.take_activity();
    for (below, traces) in expected.pass.traces.iter().enumerate() {
        let counts = sends(problem, traces, &engine.spikes(below + 1), problem.layers[below])?;
        prop_assert_eq!(&activity[below + 1], &counts);
        prop_assert_eq!(&engine.spike_counts(below + 1), &counts);
    }

    close("losses", engine.losses(), &expected.losses)?;
    close("the loss", &[statistics.loss as f32], &[expected.losses.iter().sum()])?;
    prop_assert_eq!(statistics.samples, problem.samples.len());
    let classes = expected.pass.first_steps.chunks(problem.outputs()).map(GridModel::predict);
    let correct = classes.zip(&problem.labels).filter(|(class, label)| *class == **label as usize);
    prop_assert_eq!(statistics.correct, correct.count());
    let gradient = engine.gradient();
    for (gradient, expected) in gradient.connections.iter().zip(&expected.gradient.connections) {
        close("gradient", &gradient.weights, &expected.weights)?;
    }
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
    Ok(())
}

/// How many spikes each neuron of a layer sends, if `sent` are those of `traces`.
fn sends(
    problem: &Problem,
    traces: &[GridTrace<f64>],
    sent: &SpikeBatch<f32>,
    neurons: usize,
) -> Result<Vec<u64>, TestCaseError> {
    prop_assert_eq!(sent.len(), problem.samples.len());
    let mut counts = vec![0; neurons];
    for (trace, sent) in traces.iter().zip(sent.iter()) {
        let mut spikes = Vec::new();
        for step in 0..problem.steps() {
            for &neuron in trace.spikes.at(step) {
                counts[neuron as usize] += 1;
                spikes.push(((step as f64 * problem.dt) as f32, neuron));
            }
        }
        prop_assert_eq!(sent.iter().collect::<Vec<_>>(), spikes);
    }
    Ok(counts)
}
