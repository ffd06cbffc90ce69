use super::rows::Rows;
use lif_core::engine::BatchStatistics;
use lif_core::grid::Bumping;

/// The weights of a batch while silent neurons of a layer are looked after.
#[derive(Default)]
pub(super) struct Raised {
    /// How far that has come.
    pub(super) bumping: Bumping,
    /// The weights before the first raise.
    pub(super) original: Option<Rows>,
}

/// A batch that is differentiated in parts.
pub(super) enum InParts {
    /// Its weights are being raised, layer after layer.
    Bumping {
        /// The layer.
        layer: usize,
        raised: Raised,
        /// What those below it came to.
        below: BatchStatistics,
    },
    /// They are as they should be; those of some neurons are still to be raised, at the update.
    Bumped(Vec<u32>),
}

impl InParts {
    /// Nothing has been raised.
    pub(super) fn start() -> Self {
        Self::Bumping { layer: 0, raised: Raised::default(), below: BatchStatistics::default() }
    }
}
