use lif_core::engine::{Engine, EngineError, Training};
use lif_core::{Network, Real};

/// An engine under test.
pub type BoxedEngine<T> = Box<dyn Engine<T>>;

/// How an engine under test is made.
pub type Build<'a, T> =
    dyn Fn(&Network, Training<T>) -> Result<BoxedEngine<T>, EngineError> + Sync + 'a;

/// Builds an engine, and where it refuses the gradient by the neurons' constants one without it; says
/// whether it has it.
pub(crate) fn build_for<T: Real>(
    build: &Build<'_, T>,
    network: &Network,
    training: Training<T>,
) -> Result<(BoxedEngine<T>, bool), EngineError> {
    match build(network, training.clone()) {
        Err(EngineError::Unsupported { .. }) if !training.learning_rates.learns_constants() => {
            let engine = build(network, Training { constant_gradients: false, ..training })?;
            Ok((engine, false))
        }
        built => Ok((built?, true)),
    }
}
