use super::model::GridModel;
use super::spec::GridVariant;
use crate::engine::{EngineError, Training};
use crate::loss::Readout;
use crate::optimiser::LearningRates;

/// Refuses what no fast engine does on a grid.
///
/// # Errors
/// [`EngineError::Unsupported`] for losses that are not of first spikes, rate regularisers, a slope floor, learning anything
/// but weights, and input gradients in the variant `first`.
pub fn check_training(
    engine: &'static str,
    model: &GridModel,
    training: &Training<f32>,
) -> Result<(), EngineError> {
    let LearningRates { weights, .. } = training.learning_rates;
    let only_weights = LearningRates { weights, ..LearningRates::default() };
    let first = model.spec().variant == GridVariant::First;
    let refused = [
        (
            training.objective.readout() != Readout::FirstSpike,
            "on a grid, a loss of anything but first spikes is",
        ),
        (training.learning_rates != only_weights, "on a grid, learning anything but weights is"),
        (training.slope_floor != 0.0, "on a grid, a slope floor is"),
        (!training.rate_targets.is_empty(), "on a grid, rate regularisation is"),
        (first && training.input_gradients, "grid variant \"first\": input gradients are"),
    ];
    match refused.into_iter().find(|&(refused, _)| refused) {
        Some((_, capability)) => {
            Err(EngineError::Unsupported { engine, capability: capability.into() })
        }
        None => Ok(()),
    }
}
