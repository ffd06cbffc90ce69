use crate::build::build_for;
use crate::{Build, Case};
use lif_core::engine::{Batch, Engine, EngineError, Training};
use lif_core::reference::finite_difference::FiniteDifference;
use lif_core::{ParameterId, Parameters, Real};

/// The worst relative errors of a gradient: the largest difference in a list over the largest
/// number of the list (or over a share of the whole gradient's largest, for lists that are nearly 0).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Errors {
    /// By weights.
    pub weights: f64,
    /// By delays.
    pub delays: f64,
    /// By input spike times.
    pub inputs: f64,
    /// By everything else: time constants, thresholds, bias currents, adaptation.
    pub constants: f64,
}

/// What an engine has to keep to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tolerance {
    /// The bound of each of [`Errors`].
    pub gradient: f64,
    /// The bound of the relative error of the loss.
    pub loss: f64,
    /// Draws of smaller margins (see [`lif_core::reference::Margins`]) are not compared.
    pub margin: f64,
    /// Lists smaller than this share of the gradient's largest number are compared with that.
    pub floor: f64,
}

impl Tolerance {
    /// What a precision allows.
    ///
    /// f64: the accuracy that is promised for the reference itself.
    ///
    /// f32: a voltage is a sum of some 30 terms of the size of the threshold, each rounded to 6e-8:
    /// known to 1e-6 or so. A spike time is off by that over the slope, in units of tau_mem, and the
    /// slope itself, by which the adjoint divides, by as much: a relative error of 1e-6 over the
    /// slope's square where the slope is the margin, 0.02, that is 2.5e-3, and several such spikes in
    /// a row. Most draws stay far below.
    pub fn of<T: Real>() -> Self {
        if T::NAME == "f32" {
            Self { gradient: 1e-2, loss: 1e-4, margin: 2e-2, floor: 1e-3 }
        } else {
            Self { gradient: 1e-7, loss: 1e-9, margin: 1e-4, floor: 1e-4 }
        }
    }
}

/// How an engine did on a case.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Comparison {
    /// Of its gradient against the reference's.
    pub(crate) errors: Errors,
    /// The largest relative error of a sample's loss.
    pub(crate) loss: f64,
    /// Layers and samples with another number of spikes.
    pub(crate) miscounted: usize,
}

/// Runs an engine on a case and compares it with the reference.
pub(crate) fn compare<T: Real>(
    case: &Case,
    build: &Build<'_, T>,
) -> Result<Comparison, EngineError> {
    compare_above(0.0, case, build)
}

/// The same with a floor for the slopes of spikes.
pub(crate) fn compare_above<T: Real>(
    slope_floor: f64,
    case: &Case,
    build: &Build<'_, T>,
) -> Result<Comparison, EngineError> {
    let exact = Training::exact(case.loss);
    let mut reference = case.reference_with(Training { slope_floor, ..exact })?;
    reference.differentiate(case.batch())?;
    let training = Training { slope_floor, ..Training::exact(case.loss) };
    let (mut engine, has_constants) = build_for(build, &case.network, training)?;
    engine.load(&case.parameters.cast())?;
    let spikes = case.spikes_in::<T>();
    engine.differentiate(Batch { spikes: &spikes, labels: &case.labels })?;
    let inputs: Vec<f64> = engine.input_gradient().iter().map(|g| g.as_f64()).collect();
    let miscounted = (1..case.network.layers().len())
        .map(|layer| {
            let (own, expected) = (engine.spikes(layer), reference.spikes(layer));
            let count = |sample: &usize| own.range(*sample).len() != expected.range(*sample).len();
            (0..spikes.len()).filter(count).count()
        })
        .sum();
    let losses = engine.losses().iter().zip(reference.losses());
    let loss = losses.map(|(a, b)| (a.as_f64() - b).abs() / b.abs().max(1.0));
    let mut errors = errors(
        &engine.gradient().cast(),
        &inputs,
        &reference.gradient(),
        reference.input_gradient(),
        Tolerance::of::<T>().floor,
    );
    if !has_constants {
        errors.constants = 0.0;
    }
    Ok(Comparison {
        errors,
        loss: if engine.losses().len() == spikes.len() {
            loss.fold(0.0, worse)
        } else {
            f64::INFINITY
        },
        miscounted,
    })
}

/// The errors of a gradient against an expected one.
pub(crate) fn errors(
    gradient: &Parameters<f64>,
    inputs: &[f64],
    expected: &Parameters<f64>,
    expected_inputs: &[f64],
    floor: f64,
) -> Errors {
    let lists = lists(expected);
    let largest =
        lists.iter().map(|(_, values)| norm(values)).fold(norm(expected_inputs), f64::max);
    let error = |found: &[f64], expected: &[f64]| {
        if found.len() != expected.len() {
            return f64::INFINITY;
        }
        let scale = norm(expected).max(floor * largest);
        let difference = found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, worse);
        if difference == 0.0 { 0.0 } else { difference / scale }
    };
    let mut errors = Errors { inputs: error(inputs, expected_inputs), ..Errors::default() };
    let mut position = 0;
    gradient.for_each(|id, found| {
        let error = error(found, lists[position].1);
        let worst = match id {
            ParameterId::Weights(_) => &mut errors.weights,
            ParameterId::Delays(_) => &mut errors.delays,
            _ => &mut errors.constants,
        };
        *worst = worse(*worst, error);
        position += 1;
    });
    errors
}

/// The finite differences' own estimate of their error, in the same measure.
pub(crate) fn estimated_error(found: &FiniteDifference, floor: f64) -> f64 {
    let mut norms: Vec<f64> = lists(&found.gradient).iter().map(|(_, list)| norm(list)).collect();
    norms.push(norm(&found.input_gradient));
    let largest = norms.iter().copied().fold(0.0, f64::max);
    let relative = norms
        .iter()
        .zip(&found.errors)
        .map(|(norm, error)| if *error == 0.0 { 0.0 } else { error / norm.max(floor * largest) });
    relative.fold(0.0, worse)
}

fn lists(parameters: &Parameters<f64>) -> Vec<(ParameterId, &[f64])> {
    let mut lists = Vec::new();
    parameters.for_each(|id, values| lists.push((id, values)));
    lists
}

/// The larger of two errors, where a NaN is the largest of all.
pub(crate) fn worse(a: f64, b: f64) -> f64 {
    if a.is_nan() || b.is_nan() { f64::INFINITY } else { a.max(b) }
}

fn norm(values: &[f64]) -> f64 {
    values.iter().fold(0.0, |norm: f64, value| norm.max(value.abs()))
}
