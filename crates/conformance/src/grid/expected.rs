use super::Problem;
use lif_core::engine::Batch;
use lif_core::grid::{GridGradient, GridModel, GridVariant};
use lif_core::loss::Objective;
use lif_core::{Parameters, SpikeBatch};
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

/// The plain model's result in double precision, and its weights after the bump.
///
/// # Errors
/// Rejects a problem where rounding could change a spike, or a slope near 0 magnifies it.
pub fn expected(
    problem: &Problem,
    objective: &dyn Objective<f64>,
) -> Result<(GridGradient<f64>, Parameters<f64>), TestCaseError> {
    let model = GridModel::new(&problem.network(), problem.spec())?;
    let mut spikes = SpikeBatch::new();
    for train in problem.spikes().iter() {
        spikes.push_sorted(train.iter().map(|(time, input)| (f64::from(time), input)))?;
    }
    let mut parameters = problem.parameters().cast();
    let batch = Batch { spikes: &spikes, labels: &problem.labels };
    let result = model.differentiate(&mut parameters, batch, objective)?;
    let mut traces = result
        .pass
        .traces
        .iter()
        .zip(&problem.layers)
        .flat_map(|(of_layer, &neurons)| of_layer.iter().map(move |trace| (trace, neurons)));
    let clear = traces.all(|(trace, neurons)| {
        let slopes = (0..model.steps()).flat_map(|step| {
            let from = match problem.variant {
                GridVariant::Head => step.saturating_sub(1),
                GridVariant::First => step,
            };
            let spikes = trace.spikes.at(step).iter();
            spikes.map(move |&j| trace.current[from * neurons + j as usize] - 1.0)
        });
        trace.margin > 1e-5 && slopes.into_iter().all(|slope| slope.abs() > 0.02)
    });
    if clear {
        Ok((result, parameters))
    } else {
        Err(TestCaseError::reject("close to another outcome"))
    }
}

/// Compares numbers of an engine with the plain model's.
///
/// # Errors
/// Fails where one is off by more than 5e-4 of the largest: a slope of 0.02 against rounding of the
/// current by 1e-6 leaves 5e-5, spike by spike.
pub fn close(what: &str, actual: &[f32], expected: &[f64]) -> Result<(), TestCaseError> {
    prop_assert_eq!(actual.len(), expected.len(), "{}", what);
    let scale = expected.iter().fold(1e-3, |scale: f64, value| scale.max(value.abs()));
    for (&actual, expected) in actual.iter().zip(expected) {
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
