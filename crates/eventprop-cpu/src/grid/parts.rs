use super::rows::Rows;
use lif_core::grid::Bumping;

/// The weights of a batch while silent neurons are looked after.
#[derive(Default)]
pub(super) struct Raised {
    /// How far that has come.
    pub(super) bumping: Bumping,
    /// The weights before the first raise.
    pub(super) original: Option<Rows>,
}

/// A batch that is differentiated in parts.
pub(super) enum InParts {
    /// Its weights are being raised.
    Bumping(Raised),
    /// They are as they should be; those of some neurons are still to be raised, at the update.
    Bumped(Vec<u32>),
}
