use super::cases::on_draws;
use super::{Build, LOSS, Problem, close, expected, problem};
use lif_core::grid::{GridModel, GridVariant};
use lif_core::loss::Objective;
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

/// A batch differentiated is the plain model's: bumps, weights, spikes, losses, gradients.
///
/// # Panics
/// If the engine does something else.
#[track_caller]
pub fn equals_the_plain_model(build: &Build<'_>, cases: u32) {
    on_draws(cases, &problem(), |problem| differentiates(build, &problem, LOSS));
}

/// Outputs inferred are the plain model's first steps, to the step.
///
/// # Panics
/// If the engine infers others.
#[track_caller]
pub fn infers_first_steps(build: &Build<'_>, cases: u32) {
    on_draws(cases, &problem(), |problem| {
        let quiet = Problem { bump: 0.0, ..problem };
        let (expected, _) = expected(&quiet, &LOSS)?;
        let outputs = quiet.engine(build, quiet.training())?.infer(&quiet.spikes())?;
        let first_steps = &expected.pass.first_steps;
        let values: Vec<_> = outputs.values.iter().map(|&value| f64::from(value)).collect();
        prop_assert_eq!(&values, first_steps);
        let rows = first_steps.chunks(quiet.neurons);
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

    let bumps = &expected.bumps[0];
    prop_assert_eq!(statistics.bumps, u64::from(bumps.raised.iter().sum::<u32>()));
    prop_assert_eq!(statistics.bump_gave_up, bumps.gave_up.len() as u64);
    let raised = engine.parameters();
    close("weights", &raised.connections[0].weights, &weights.connections[0].weights)?;

    let sent = engine.spikes(1);
    prop_assert_eq!(sent.len(), problem.samples.len());
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
    close("the loss", &[statistics.loss as f32], &[expected.losses.iter().sum()])?;
    prop_assert_eq!(statistics.samples, problem.samples.len());
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
    Ok(())
}
