//! Gradients by differences of the loss alone: slow, and independent of every line of the backward
//! pass.

use super::Reference;
use crate::engine::{Batch, Engine, EngineError};
use crate::parameters::{ParameterId, Parameters};
use crate::spikes::SpikeBatch;

/// A gradient by finite differences.
#[derive(Clone, Debug)]
pub struct FiniteDifference {
    /// By every parameter.
    pub gradient: Parameters<f64>,
    /// By the time of each input spike, in the batch's order.
    pub input_gradient: Vec<f64>,
    /// The estimated error of each list of the gradient, then that of the input spike times.
    pub errors: Vec<f64>,
    /// The components at which a spike appears or vanishes (or the loss has another kink) however
    /// small the perturbation: they are 0 in the gradient, and a comparison means nothing.
    pub unresolved: Vec<Component>,
}

/// One number that the loss was differentiated by.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Component {
    /// A parameter, by its list and position there.
    Parameter(ParameterId, usize),
    /// The time of an input spike, by its position in the batch.
    InputTime(usize),
}

/// The first step, relative to the size of what is perturbed (at least 0.05, a small weight): large,
/// as extrapolation makes it exact and a small one leaves rounding.
const FIRST_STEP: f64 = 0.02;

/// The first step of a time in ms.
const FIRST_TIME_STEP: f64 = 0.1;

/// How often the first step is halved in search of one under which no spike appears or vanishes.
const HALVINGS: usize = 14;

/// A relative error estimate at which no further step is tried: rounding is near.
const CONVERGED: f64 = 1e-10;

/// How many rounding errors a loss carries, each of its own size: it hangs on many spike times.
const LOSS_ROUNDING: f64 = 4.0;

/// How many steps, each half the one before, are extrapolated from at most.
const LEVELS: usize = 7;

/// The gradient of a batch's mean loss at the engine's parameters, by differences extrapolated to
/// step 0 (Ridders 1982): central, or one-sided at the bound of a time that cannot be negative. The
/// engine's parameters are the same afterwards.
///
/// # Errors
/// Those of [`Reference::loss`].
pub fn differentiate(
    engine: &mut Reference,
    batch: Batch<'_, f64>,
) -> Result<FiniteDifference, EngineError> {
    let base = engine.loss(batch)?;
    let original = engine.parameters();
    let mut gradient = Parameters::zeros(engine.network());
    let (mut errors, mut unresolved) = (Vec::new(), Vec::new());
    let mut lists = Vec::new();
    original.for_each(|id, values| lists.push((id, values)));
    for (list, &(id, values)) in lists.iter().enumerate() {
        let (mut derivatives, mut worst) = (Vec::with_capacity(values.len()), 0.0);
        for (position, &value) in values.iter().enumerate() {
            let estimate = ridders(base, value, first_step(id, value), lowest(id), |changed| {
                set(&mut engine.parameters, list, position, changed);
                engine.loss(batch)
            });
            set(&mut engine.parameters, list, position, value);
            match estimate? {
                Some((derivative, error)) => {
                    derivatives.push(derivative);
                    worst = f64::max(worst, error);
                }
                None => {
                    derivatives.push(0.0);
                    unresolved.push(Component::Parameter(id, position));
                }
            }
        }
        errors.push(worst);
        let mut number = 0;
        gradient.for_each_mut(|_, values| {
            if number == list {
                values.copy_from_slice(&derivatives);
            }
            number += 1;
        });
    }
    let (input_gradient, worst) = by_input_times(engine, batch, base, &mut unresolved)?;
    errors.push(worst);
    Ok(FiniteDifference { gradient, input_gradient, errors, unresolved })
}

fn by_input_times(
    engine: &Reference,
    batch: Batch<'_, f64>,
    base: (f64, u64),
    unresolved: &mut Vec<Component>,
) -> Result<(Vec<f64>, f64), EngineError> {
    let (mut gradient, mut worst) = (Vec::with_capacity(batch.spikes.spike_count()), 0.0);
    for sample in 0..batch.len() {
        for (position, (time, _)) in batch.spikes.get(sample).iter().enumerate() {
            let estimate = ridders(base, time, FIRST_TIME_STEP, 0.0, |changed| {
                let spikes = moved(batch.spikes, sample, position, changed)?;
                engine.loss(Batch { spikes: &spikes, labels: batch.labels })
            });
            match estimate? {
                Some((derivative, error)) => {
                    gradient.push(derivative);
                    worst = f64::max(worst, error);
                }
                None => {
                    unresolved.push(Component::InputTime(gradient.len()));
                    gradient.push(0.0);
                }
            }
        }
    }
    Ok((gradient, worst))
}

/// The derivative of `f` at `x`, where its value and signature are `base`, with an estimate of its
/// error; none if no step leaves the signature as it is.
fn ridders(
    base: (f64, u64),
    x: f64,
    mut step: f64,
    lowest: f64,
    mut f: impl FnMut(f64) -> Result<(f64, u64), EngineError>,
) -> Result<Option<(f64, f64)>, EngineError> {
    // At the bound itself, or so close to it that no useful central step is left.
    let one_sided = x - lowest < FIRST_STEP * step;
    if !one_sided {
        step = step.min(0.5 * (x - lowest));
    }
    let mut quotient = |step: f64| -> Result<Option<f64>, EngineError> {
        let mut at = |x| match f(x) {
            // A network that runs away under the perturbation spikes differently, to say the least.
            Err(EngineError::Runaway { .. }) => Ok((f64::NAN, !base.1)),
            outcome => outcome,
        };
        let above = at(x + step)?;
        let below = if one_sided { base } else { at(x - step)? };
        let width = if one_sided { step } else { 2.0 * step };
        let smooth = above.1 == base.1 && below.1 == base.1;
        Ok(smooth.then(|| (above.0 - below.0) / width))
    };
    let mut first = None;
    for _ in 0..HALVINGS {
        first = quotient(step)?;
        if first.is_some() {
            break;
        }
        step *= 0.5;
    }
    let Some(first) = first else { return Ok(None) };
    // Neville's extrapolation; the error series has all powers of the step, or the even ones.
    let base_factor: f64 = if one_sided { 2.0 } else { 4.0 };
    let mut previous = vec![first];
    let mut best = (first, f64::INFINITY);
    for level in 1..LEVELS {
        let smaller = step * 0.5_f64.powi(level as i32);
        let Some(value) = quotient(smaller)? else { return Ok(None) };
        // Two estimates can agree by chance: never believe more than the loss's own rounding allows.
        let rounding = LOSS_ROUNDING * f64::EPSILON * base.0.abs() / smaller;
        let mut row = vec![value];
        let mut factor = base_factor;
        for k in 0..level {
            let extrapolated = (row[k] * factor - previous[k]) / (factor - 1.0);
            let spread =
                f64::max((extrapolated - row[k]).abs(), (extrapolated - previous[k]).abs());
            let error = spread.max(rounding);
            if error < best.1 {
                best = (extrapolated, error);
            }
            row.push(extrapolated);
            factor *= base_factor;
        }
        if level >= 3 && best.1 <= CONVERGED * best.0.abs() {
            break;
        }
        previous = row;
    }
    Ok(Some(best))
}

fn first_step(id: ParameterId, value: f64) -> f64 {
    match id {
        ParameterId::Delays(_) => FIRST_TIME_STEP,
        _ => FIRST_STEP * value.abs().max(0.05),
    }
}

/// What a list's values cannot go below.
fn lowest(id: ParameterId) -> f64 {
    match id {
        ParameterId::Weights(_) | ParameterId::Bias(_) => f64::NEG_INFINITY,
        _ => 0.0,
    }
}

fn set(parameters: &mut Parameters<f64>, list: usize, position: usize, value: f64) {
    let mut number = 0;
    parameters.for_each_mut(|_, values| {
        if number == list {
            values[position] = value;
        }
        number += 1;
    });
}

/// The batch with one spike moved to another time.
fn moved(
    spikes: &SpikeBatch<f64>,
    sample: usize,
    position: usize,
    time: f64,
) -> Result<SpikeBatch<f64>, EngineError> {
    let mut moved = SpikeBatch::with_capacity(spikes.len(), spikes.spike_count());
    for (number, train) in spikes.iter().enumerate() {
        let mut own: Vec<_> = train.iter().collect();
        if number == sample {
            own[position].0 = time;
            own.sort_by(|a, b| a.0.total_cmp(&b.0));
        }
        moved.push_sorted(own).map_err(|error| EngineError::Batch(error.to_string()))?;
    }
    Ok(moved)
}
