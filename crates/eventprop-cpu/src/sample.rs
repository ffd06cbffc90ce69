use crate::crossing::Spike;
use crate::lanes::{LANES, LaneReal};

/// The spikes of a layer in one sample, block after block and in order of time.
///
/// A spike's slot is its place in the order of blocks, in which tasks write and read; its rank is
/// its place in time, in which the layer above sees it.
#[derive(Clone, Debug, Default)]
pub(crate) struct SampleSpikes<T: LaneReal> {
    /// By slot: (time, neuron).
    slots: Vec<(T, u32)>,
    /// The first slot of each block, and one past the last slot.
    blocks: Vec<usize>,
    /// By rank.
    keys: Vec<T::Key>,
    /// The loss's derivative by each spike's time, by slot.
    errors: Vec<T>,
}

impl<T: LaneReal> SampleSpikes<T> {
    pub(crate) fn clear(&mut self) {
        self.slots.clear();
        self.keys.clear();
        self.errors.clear();
        self.blocks.clear();
        self.blocks.push(0);
    }

    /// Appends the spikes of the next block.
    pub(crate) fn push_block(&mut self, block: usize, spikes: &[Spike<T>]) {
        for spike in spikes {
            self.keys.push(T::key(spike.time, self.slots.len() as u32));
            self.slots.push((spike.time, (block * LANES) as u32 + spike.lane));
        }
        self.blocks.push(self.slots.len());
    }

    /// Ranks the spikes.
    pub(crate) fn sort(&mut self) {
        self.keys.sort_unstable();
        self.errors.resize(self.slots.len(), T::zero());
    }

    /// (time, neuron) in order of time.
    pub(crate) fn by_time(&self) -> impl Iterator<Item = (T, u32)> {
        self.keys.iter().map(|&key| self.slots[T::slot(key) as usize])
    }

    /// Sets the errors, given in order of time; spikes beyond them never arrived anywhere.
    pub(crate) fn set_errors_by_time(&mut self, errors: &[T]) {
        self.errors.fill(T::zero());
        for (&key, &error) in self.keys.iter().zip(errors) {
            self.errors[T::slot(key) as usize] = error;
        }
    }

    /// Sets the error of each spike by its rank among its neuron's spikes: `error(neuron, first)`.
    pub(crate) fn set_errors(&mut self, mut error: impl FnMut(u32, bool) -> T) {
        // A neuron's spikes stand in order of time among its block's.
        for block in self.blocks.windows(2) {
            let mut seen = 0_u32;
            for slot in block[0]..block[1] {
                let neuron = self.slots[slot].1;
                let lane = 1 << (neuron as usize % LANES);
                self.errors[slot] = error(neuron, seen & lane == 0);
                seen |= lane;
            }
        }
    }

    /// The errors of a block's spikes, in the order they were given.
    pub(crate) fn errors_of_block(&self, block: usize) -> &[T] {
        &self.errors[self.blocks[block]..self.blocks[block + 1]]
    }
}
