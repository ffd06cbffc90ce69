//! From a gradient to changed parameters: clipping, learning-rate factors, the optimiser's rule and
//! the bounds that keep a network valid.
//!
//! Engines that update where they compute may fuse these passes; the values they reach are these.

use crate::Real;
use crate::engine::{EngineError, OptimiserState, UpdateStatistics};
use crate::network::Network;
use crate::optimiser::{Clip, LearningRates, UpdateRule};
use crate::parameters::{ParameterId, Parameters};

/// The smallest time constant, in ms, that learning may reach: below it a decay is over between two
/// neighbouring events and the gradient by it is numerically empty.
pub const MIN_TAU: f64 = 0.1;

/// The smallest distance of a threshold from the reset (or from 0, if that is higher) that learning
/// may reach.
pub const MIN_THRESHOLD: f64 = 1e-3;

/// Clips `gradient`, as far as it is by parameters that learn, in place, and returns how many of its components were changed
/// (all of them, where a norm was).
pub fn clip<T: Real>(
    gradient: &mut Parameters<T>,
    clip: Option<Clip>,
    rates: &LearningRates,
) -> UpdateStatistics {
    let learns = |id| rates.of(id) != 0.0;
    let mut clipped = 0;
    match clip {
        None => {}
        Some(Clip::Value(limit)) => {
            let limit = T::of(limit);
            gradient.for_each_mut(|id, values| {
                let too_large = |value: &&mut T| learns(id) && value.abs() > limit;
                for value in values.iter_mut().filter(too_large) {
                    *value = limit.copysign(*value);
                    clipped += 1;
                }
            });
        }
        Some(Clip::Norm(limit)) => {
            let (mut squares, mut count) = (0.0, 0);
            gradient.for_each(|id, values| {
                if !learns(id) {
                    return;
                }
                squares += values.iter().map(|value| value.as_f64().powi(2)).sum::<f64>();
                count += values.len() as u64;
            });
            let norm = squares.sqrt();
            if norm > limit {
                let factor = T::of(limit / norm);
                gradient.for_each_mut(|id, values| {
                    if learns(id) {
                        values.iter_mut().for_each(|value| *value *= factor);
                    }
                });
                clipped = count;
            }
        }
    }
    UpdateStatistics { clipped }
}

/// Changes `parameters` by `gradient` (clipped already) with `rule`, scaled by each list's factor in
/// `rates`, and holds them above [`lower_bound`]. Lists that do not learn are left alone, their
/// optimiser state too.
///
/// # Errors
/// [`EngineError::NotFinite`] if a parameter is no longer finite, naming the layer it belongs to (or
/// the connection leads to).
pub fn apply<T: Real>(
    network: &Network,
    parameters: &mut Parameters<T>,
    gradient: &Parameters<T>,
    state: &mut OptimiserState<T>,
    rule: UpdateRule<T>,
    rates: &LearningRates,
) -> Result<(), EngineError> {
    let mut gradients = lists(gradient);
    let (mut first, mut second) = (lists_mut(&mut state.first), lists_mut(&mut state.second));
    let mut broken = None;
    parameters.for_each_mut(|id, values| {
        let lists = gradients.next().zip(first.next()).zip(second.next());
        let rate = rates.of(id);
        let Some(((gradient, m), v)) = lists.filter(|_| rate != 0.0) else { return };
        let rule = rule.scaled(T::of(rate), matches!(id, ParameterId::Weights(_)));
        let lowest = T::of(lower_bound(network, id));
        for (((p, &g), m), v) in values.iter_mut().zip(gradient).zip(m).zip(v) {
            rule.apply(p, g, m, v);
            if !p.is_finite() {
                broken.get_or_insert(id);
            }
            *p = p.max(lowest);
        }
    });
    match broken {
        None => Ok(()),
        Some(id) => Err(EngineError::NotFinite {
            what: "a parameter after the update",
            layer: network.layers()[layer_of(network, id)].name.clone(),
            sample: 0,
        }),
    }
}

/// The smallest value that learning may give to a list's parameters: delays 0, time constants
/// [`MIN_TAU`], thresholds [`MIN_THRESHOLD`] above the reset, the adaptation's beta 0.
pub fn lower_bound(network: &Network, id: ParameterId) -> f64 {
    match id {
        ParameterId::Weights(_) | ParameterId::Bias(_) => f64::NEG_INFINITY,
        ParameterId::Delays(_) | ParameterId::AdaptationBeta(_) => 0.0,
        ParameterId::TauMem(_) | ParameterId::TauSyn(_) | ParameterId::AdaptationTau(_) => MIN_TAU,
        ParameterId::Threshold(layer) => {
            let reset = network.layers()[layer].constants().map_or(0.0, |c| c.reset);
            reset.max(0.0) + MIN_THRESHOLD
        }
    }
}

/// Checks that `given` has the shape of `own`.
///
/// # Errors
/// [`EngineError::Shape`], naming the first list that differs.
pub fn check_shape<T: Real>(own: &Parameters<T>, given: &Parameters<T>) -> Result<(), EngineError> {
    let shape = |parameters: &Parameters<T>| {
        let mut shape = Vec::new();
        parameters.for_each(|id, values| shape.push((id, values.len())));
        shape
    };
    let (own, given) = (shape(own), shape(given));
    match own.iter().zip(&given).find(|(own, given)| own != given) {
        Some((own, given)) => Err(EngineError::Shape(format!(
            "{:?} has {} values, given are {} for {:?}",
            own.0, own.1, given.1, given.0
        ))),
        None if own.len() != given.len() => {
            Err(EngineError::Shape(String::from("the numbers of layers or connections differ")))
        }
        None => Ok(()),
    }
}

/// Checks that every value is one that a network can have: what comes from outside may not be.
///
/// # Errors
/// [`EngineError::Shape`], naming the first list with a value that is not finite, a negative delay, a time
/// constant that is not positive or a threshold that is not above 0 and the reset.
pub fn check_values<T: Real>(
    network: &Network,
    parameters: &Parameters<T>,
) -> Result<(), EngineError> {
    let mut broken = None;
    parameters.for_each(|id, values| {
        let lowest = match id {
            ParameterId::Weights(_) | ParameterId::Bias(_) => f64::NEG_INFINITY,
            ParameterId::Delays(_) | ParameterId::AdaptationBeta(_) => -f64::MIN_POSITIVE,
            ParameterId::TauMem(_) | ParameterId::TauSyn(_) | ParameterId::AdaptationTau(_) => 0.0,
            ParameterId::Threshold(layer) => network.layers()[layer]
                .constants()
                .map_or(0.0, |constants| constants.reset.max(0.0)),
        };
        let wrong = |value: &&T| !(value.is_finite() && value.as_f64() > lowest);
        if let Some(value) = values.iter().find(wrong) {
            broken.get_or_insert_with(|| format!("{value} is no value for {id:?}"));
        }
    });
    broken.map_or(Ok(()), |reason| Err(EngineError::Shape(reason)))
}

fn lists<T: Real>(parameters: &Parameters<T>) -> std::vec::IntoIter<&[T]> {
    let mut lists = Vec::new();
    parameters.for_each(|_, values| lists.push(values));
    lists.into_iter()
}

fn lists_mut<T: Real>(parameters: &mut Parameters<T>) -> std::vec::IntoIter<&mut [T]> {
    let mut lists: Vec<&mut [T]> = Vec::new();
    for connection in &mut parameters.connections {
        lists.extend([&mut connection.weights[..], &mut connection.delays[..]]);
    }
    for layer in &mut parameters.layers {
        lists.extend([&mut layer.tau_mem[..], &mut layer.tau_syn[..]]);
        lists.extend([&mut layer.threshold[..], &mut layer.bias[..]]);
        lists.extend([&mut layer.adaptation_beta[..], &mut layer.adaptation_tau[..]]);
    }
    lists.into_iter()
}

/// The layer whose neurons a list of parameters acts on.
fn layer_of(network: &Network, id: ParameterId) -> usize {
    match id {
        ParameterId::Weights(connection) | ParameterId::Delays(connection) => {
            network.connections()[connection].to
        }
        ParameterId::TauMem(layer)
        | ParameterId::TauSyn(layer)
        | ParameterId::Threshold(layer)
        | ParameterId::Bias(layer)
        | ParameterId::AdaptationBeta(layer)
        | ParameterId::AdaptationTau(layer) => layer,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::{ConnectionSpec, LayerSpec};

    #[test]
    fn values_that_no_network_has_are_named() {
        let layers = vec![LayerSpec::input("in", 1), LayerSpec::lif("out", 1, 20.0, 5.0)];
        let dense = ConnectionSpec { delays: true, ..ConnectionSpec::dense("in", "out") };
        let network = Network::new(10.0, layers, vec![dense]).unwrap();
        let whole = Parameters::<f64>::initial(&network);
        assert_eq!(check_values(&network, &whole), Ok(()));
        for (id, value) in [
            (ParameterId::Weights(0), f64::NAN),
            (ParameterId::Delays(0), -1.0),
            (ParameterId::TauMem(1), 0.0),
            (ParameterId::Threshold(1), 0.0),
        ] {
            let mut parameters = whole.clone();
            parameters.list_mut(id)[0] = value;
            let error = check_values(&network, &parameters).unwrap_err().to_string();
            assert!(error.ends_with(&format!("{value} is no value for {id:?}")), "{error}");
        }
    }
}
