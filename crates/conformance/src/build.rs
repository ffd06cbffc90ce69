use crate::Case;
use crate::compare::{Comparison, Tolerance, compare};
use lif_core::engine::{Engine, EngineError, Training};
use lif_core::{Network, Real};

/// An engine under test.
pub type BoxedEngine<T> = Box<dyn Engine<T>>;

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

/// How an engine under test is made.
pub type Build<'a, T> =
    dyn Fn(&Network, Training<T>) -> Result<BoxedEngine<T>, EngineError> + Sync + 'a;

/// An engine that [`crate::gradcheck`] compares with the reference.
pub struct Candidate<'a> {
    /// What the table calls it.
    pub name: String,
    /// What it has to keep to.
    pub tolerance: Tolerance,
    check: Box<CompareFn<'a>>,
}

type CompareFn<'a> = dyn Fn(&Case) -> Result<Comparison, EngineError> + Sync + 'a;

impl<'a> Candidate<'a> {
    /// A candidate called `name` with the [`Tolerance`] of its precision.
    pub fn new<T: Real>(name: impl Into<String>, build: &'a Build<'a, T>) -> Self {
        Self {
            name: name.into(),
            tolerance: Tolerance::of::<T>(),
            check: Box::new(move |case| compare(case, build)),
        }
    }

    pub(crate) fn compare(&self, case: &Case) -> Result<Comparison, EngineError> {
        (self.check)(case)
    }
}
