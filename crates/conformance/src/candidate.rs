use crate::compare::{Comparison, Tolerance, compare};
use crate::{Build, Case};
use lif_core::Real;
use lif_core::engine::EngineError;

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
