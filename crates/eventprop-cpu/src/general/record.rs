use super::state::State;
use crate::crossing::{self, Neurons};
use crate::dense;
use crate::lanes::{LANES, LaneReal};
use crate::stream::Stream;

/// The lane of an [`Arrival`] that reaches every neuron of its block.
pub(super) const ALL_LANES: u32 = LANES as u32;

/// A spike that arrives at a block.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Arrival {
    /// In ms. Inside a component times are kept in double precision: rounded to single, after a
    /// second they would be known to 3e-5 ms, and voltages no better.
    pub(super) time: f64,
    /// The row of its weights.
    pub(super) row: u32,
    /// Which spike: its position in [`Record::spikes`].
    pub(super) spike: u32,
    /// The one lane it reaches, or [`ALL_LANES`].
    pub(super) lane: u32,
}

/// A spike of an input or a neuron.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spike<T> {
    /// In ms.
    pub(super) time: T,
    /// The neuron's position in its layer.
    pub(super) neuron: u32,
}

/// One sample run forward: everything the readout and the backward pass need. Its allocations are
/// kept from sample to sample.
#[derive(Debug, Default)]
pub(super) struct Record<T: LaneReal> {
    /// Every spike in the order in which it was found, the inputs first.
    pub(super) spikes: Vec<Spike<T>>,
    /// By layer: its spikes in order of time, as keys whose slots are positions in `spikes`.
    pub(super) trains: Vec<Vec<T::Key>>,
    /// What happened, by block.
    pub(super) blocks: Vec<BlockRecord<T>>,
    /// The block of each entry (or the first of each whole walk) in the order in which they were made: a spike's before
    /// those of its arrivals.
    pub(super) order: Vec<u32>,
}

/// What happened to a block.
#[derive(Clone, Debug, Default)]
pub(super) struct BlockRecord<T: LaneReal> {
    /// The arrivals from outside the component, by time; of the first block of a tile, for all of them.
    pub(super) external: Vec<Arrival>,
    /// Of the first block of a tile that walks alone: how it went. Nothing else below is noted for such
    /// blocks but the counts.
    pub(super) walk: Walk<T>,
    /// What happened, by time.
    pub(super) entries: Vec<Entry>,
    /// The arrivals of all entries, by time.
    pub(super) arrivals: Vec<Arrival>,
    /// The spikes and releases of all entries.
    pub(super) marks: Vec<Mark<T>>,
    /// The state after each entry; empty unless it is needed.
    pub(super) states: Vec<State<T::Lanes>>,
    /// The spikes of each lane.
    pub(super) counts: [u32; LANES],
}

/// Something that happened to a block at one moment: marks, or arrivals.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Entry {
    /// In ms.
    pub(super) time: f64,
    /// One past its last arrival.
    pub(super) arrivals: u32,
    /// One past its last mark.
    pub(super) marks: u32,
    /// The lanes that are refractory afterwards, a bit each.
    pub(super) held: u32,
}

/// A spike or the end of a refractory time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark<T> {
    pub(super) lane: u32,
    pub(super) kind: MarkKind,
    /// The current at that moment.
    pub(super) current: T,
    /// The adaptation just before.
    pub(super) adaptation: T,
}

/// The kinds of mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MarkKind {
    /// The spike at this position of [`Record::spikes`].
    Spike(u32),
    /// The refractory time was over.
    Release,
}

/// A tile's walk through a sample.
#[derive(Clone, Debug, Default)]
pub(super) struct Walk<T: LaneReal> {
    /// What arrives, by rows of weights.
    pub(super) stream: Stream<T>,
    /// In order of time.
    pub(super) spikes: Vec<crossing::Spike<T>>,
    /// The position of the first of them among the sample's spikes; the others follow.
    pub(super) first_spike: usize,
    /// Its neurons, and what the solver keeps.
    pub(super) neurons: Neurons<T>,
    pub(super) state: dense::State<T>,
}

impl<T: LaneReal> Record<T> {
    /// Makes it ready for a sample of a network with so many layers and blocks.
    pub(super) fn clear(&mut self, layers: usize, blocks: usize) {
        self.spikes.clear();
        self.order.clear();
        self.trains.resize_with(layers, Vec::new);
        self.trains.iter_mut().for_each(Vec::clear);
        self.blocks.resize_with(blocks, BlockRecord::default);
        self.blocks.iter_mut().for_each(BlockRecord::clear);
    }

    /// The spikes of a layer as (time, neuron), by time.
    pub(super) fn train(&self, layer: usize) -> impl Iterator<Item = (T, u32)> {
        self.trains[layer].iter().map(|&key| {
            let spike = &self.spikes[T::slot(key) as usize];
            (spike.time, spike.neuron)
        })
    }
}

impl<T: LaneReal> BlockRecord<T> {
    fn clear(&mut self) {
        self.external.clear();
        self.entries.clear();
        self.arrivals.clear();
        self.marks.clear();
        self.states.clear();
        self.counts = [0; LANES];
    }

    /// The arrivals of entry `entry`.
    pub(super) fn arrivals_of(&self, entry: usize) -> &[Arrival] {
        let first = entry.checked_sub(1).map_or(0, |before| self.entries[before].arrivals);
        &self.arrivals[first as usize..self.entries[entry].arrivals as usize]
    }

    /// The marks of entry `entry`.
    pub(super) fn marks_of(&self, entry: usize) -> &[Mark<T>] {
        let first = entry.checked_sub(1).map_or(0, |before| self.entries[before].marks);
        &self.marks[first as usize..self.entries[entry].marks as usize]
    }
}
