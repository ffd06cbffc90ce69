use super::input::GridInput;
use lif_core::SpikeBatch;
use lif_core::grid::GridModel;
use std::ops::Range;

/// Samples that were prepared once, with their labels.
#[derive(Clone, Debug, Default)]
pub(super) struct Kept {
    pub(super) input: GridInput,
    pub(super) labels: Vec<u32>,
}

/// Where a batch comes from.
pub(super) enum Source<'a> {
    /// All samples of these.
    Spikes(&'a SpikeBatch<f32>),
    /// Samples of a prepared set.
    Prepared(&'a GridInput, &'a [u32]),
}

impl Source<'_> {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Spikes(spikes) => spikes.len(),
            Self::Prepared(_, samples) => samples.len(),
        }
    }

    /// Writes the samples at `range` to `input`; false, and none, if an input index is out of range.
    pub(super) fn read(
        &self,
        input: &mut GridInput,
        range: Range<usize>,
        model: &GridModel,
    ) -> bool {
        match self {
            Self::Spikes(spikes) => input.read(spikes, range, model),
            Self::Prepared(set, samples) => {
                input.gather(set, &samples[range]);
                true
            }
        }
    }
}
