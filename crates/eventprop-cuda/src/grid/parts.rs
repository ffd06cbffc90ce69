use lif_core::engine::BatchStatistics;
use lif_core::grid::Bumping;

/// A batch that is differentiated in parts.
pub(super) enum InParts {
    /// Its weights are being raised, layer after layer.
    Bumping {
        /// The layer.
        layer: usize,
        raising: Raising,
        /// What those below it came to.
        below: BatchStatistics,
    },
    /// They are as they should be; those of some neurons are still to be raised, at the update.
    Bumped(Vec<u32>),
}

impl InParts {
    /// Nothing has been raised.
    pub(super) fn start() -> Self {
        Self::Bumping { layer: 0, raising: Raising::default(), below: BatchStatistics::default() }
    }
}

/// How far the weights of a layer have been raised.
#[derive(Default)]
pub(super) struct Raising {
    pub(super) bumping: Bumping,
    /// The weights of all layers before.
    pub(super) original: Option<Vec<f32>>,
}
