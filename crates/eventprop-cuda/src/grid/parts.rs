use lif_core::grid::Bumping;

/// A batch that is differentiated in parts.
pub(super) enum InParts {
    /// Its weights are being raised.
    Bumping(Raising),
    /// They are as they should be; those of some neurons are still to be raised, at the update.
    Bumped(Vec<u32>),
}

/// How far its weights have been raised.
#[derive(Default)]
pub(super) struct Raising {
    pub(super) bumping: Bumping,
    /// The weights before.
    pub(super) original: Option<Vec<f32>>,
}
