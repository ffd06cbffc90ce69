use super::neurons::BlockNeurons;
use super::record::{BlockRecord, Entry};
use super::state::State;
use crate::lanes::LaneReal;

/// A time in which nothing happened to a block.
pub(super) struct Piece<T: LaneReal> {
    /// Its place among the block's: entry e ends piece e.
    pub(super) index: usize,
    /// In ms.
    pub(super) start: f64,
    /// In ms.
    pub(super) end: f64,
    /// The state at its start; 0 where none was kept.
    pub(super) state: State<T::Lanes>,
    /// The refractory lanes, a bit each.
    pub(super) held: u32,
}

impl<T: LaneReal> Piece<T> {
    /// Piece `index` of a block, up to `end`.
    #[inline]
    pub(super) fn of_block(
        neurons: &BlockNeurons<T>,
        own: &BlockRecord<T>,
        index: usize,
        end: f64,
    ) -> Self {
        let Some(entry) = index.checked_sub(1) else {
            let state = State { u: -neurons.bias, ..State::default() };
            return Self { index, start: 0.0, end, state, held: 0 };
        };
        let state = own.states.get(entry).copied().unwrap_or_default();
        let Entry { time, held, .. } = own.entries[entry];
        Self { index, start: time, end, state, held }
    }

    /// Its length in ms.
    #[inline]
    pub(super) fn dt(&self) -> T {
        T::of(self.end - self.start)
    }
}

/// The pieces of a block's time, up to `end`.
#[inline]
pub(super) fn pieces<T: LaneReal>(
    neurons: &BlockNeurons<T>,
    own: &BlockRecord<T>,
    end: f64,
) -> impl Iterator<Item = Piece<T>> {
    (0..=own.entries.len()).map(move |index| {
        let end = own.entries.get(index).map_or(end, |entry| entry.time);
        Piece::of_block(neurons, own, index, end)
    })
}
