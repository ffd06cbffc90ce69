//! Batches put together beside the engine's work.

use crate::data::{Changing, EpochDraws, Samples};
use crate::parallel::Layout;
use crate::stride::Stride;
use lif_core::engine::Batch;
use lif_core::{SpikeBatch, SpikeError};
use std::ops::{ControlFlow, Range};
use std::sync::mpsc;
use std::thread;

/// Buffers in flight: one at the engine, one ready, one being filled.
const BUFFERS: usize = 3;

/// The batches of one pass over samples.
pub(crate) struct Pass<'a> {
    pub(crate) samples: &'a Samples,
    /// The order of the samples.
    pub(crate) order: &'a [u32],
    pub(crate) batch_size: usize,
    /// The first batch that is wanted.
    pub(crate) first: usize,
    /// What changes samples; without it they stay as they are.
    pub(crate) draws: Option<EpochDraws>,
    /// Which samples of a batch are gathered.
    pub(crate) pick: Pick,
    /// How many batches are visited at a time.
    pub(crate) stride: &'a Stride,
}

/// Which samples of a batch are gathered.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Pick {
    /// All of them.
    All,
    /// Those that this rank differentiates.
    Own(Layout),
    /// Those that this rank holds.
    Held,
}

/// A batch, or a stride of them one after the other, in memory that is used again and again.
#[derive(Default)]
pub(crate) struct GatheredBatch {
    /// The first batch's position in the pass.
    pub(crate) position: usize,
    /// Its samples' positions in their set.
    pub(crate) samples: Vec<u32>,
    spikes: SpikeBatch<f32>,
    labels: Vec<u32>,
}

impl GatheredBatch {
    pub(crate) fn batch(&self) -> Batch<'_, f32> {
        Batch { spikes: &self.spikes, labels: &self.labels }
    }

    /// Becomes an empty batch at `position`.
    pub(crate) fn clear(&mut self, position: usize) {
        self.position = position;
        self.samples.clear();
        self.spikes.clear();
        self.labels.clear();
    }

    /// Appends a sample.
    pub(crate) fn push(
        &mut self,
        sample: u32,
        label: u32,
        spikes: impl Iterator<Item = (f32, u32)>,
    ) -> Result<(), SpikeError> {
        self.spikes.push_sorted(spikes)?;
        self.samples.push(sample);
        self.labels.push(label);
        Ok(())
    }
}

impl Pass<'_> {
    /// The number of batches from the first of all.
    pub(crate) fn batches(&self) -> usize {
        self.order.len().div_ceil(self.batch_size)
    }

    /// Calls `visit` with every batch in order, a stride at a time, while another thread gathers the next ones, until
    /// it breaks off or fails.
    pub(crate) fn for_each<E>(
        &self,
        mut visit: impl FnMut(&GatheredBatch) -> Result<ControlFlow<()>, E>,
    ) -> Result<ControlFlow<()>, E> {
        thread::scope(|scope| {
            let (full_sender, full) = mpsc::sync_channel::<GatheredBatch>(BUFFERS);
            let (empty, empty_receiver) = mpsc::sync_channel::<GatheredBatch>(BUFFERS);
            for _ in 0..BUFFERS {
                // Cannot fail: the channel holds as many, and its receiver is alive.
                let _ = empty.send(GatheredBatch::default());
            }
            // Ends when it has gathered all, or when this thread leaves and drops its ends.
            scope.spawn(move || {
                let mut changing = Changing::new(self.samples, self.draws);
                for batches in self.strides() {
                    let Ok(mut batch) = empty_receiver.recv() else { return };
                    self.gather(batches, &mut changing, &mut batch);
                    if full_sender.send(batch).is_err() {
                        return;
                    }
                }
            });
            for batch in full {
                if visit(&batch)?.is_break() {
                    return Ok(ControlFlow::Break(()));
                }
                // Fails when all is gathered; then nobody needs the buffer.
                let _ = empty.send(batch);
            }
            Ok(ControlFlow::Continue(()))
        })
    }

    /// Calls `visit(first batch, positions of all samples in the whole data set)` with every batch in order, a stride at
    /// a time, until it breaks off or fails: for an engine that has the spikes.
    pub(crate) fn for_each_in_set<E>(
        &self,
        mut visit: impl FnMut(usize, &[u32]) -> Result<ControlFlow<()>, E>,
    ) -> Result<ControlFlow<()>, E> {
        let mut in_set = Vec::new();
        for batches in self.strides() {
            let first = batches.start;
            in_set.clear();
            let samples = self.samples_of(batches).iter();
            in_set.extend(samples.map(|&s| self.samples.in_set(s as usize) as u32));
            if visit(first, &in_set)?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// All samples of some batches.
    pub(crate) fn samples_of(&self, batches: Range<usize>) -> &[u32] {
        let end = self.order.len().min(batches.end * self.batch_size);
        &self.order[batches.start * self.batch_size..end]
    }

    /// The batches that are visited at a time, as the stride is when it is their turn.
    fn strides(&self) -> impl Iterator<Item = Range<usize>> {
        let mut next = self.first;
        std::iter::from_fn(move || {
            let start = next;
            next = self.batches().min(start + self.stride.get());
            (start < next).then_some(start..next)
        })
    }

    fn gather(
        &self,
        batches: Range<usize>,
        changing: &mut Changing<'_>,
        batch: &mut GatheredBatch,
    ) {
        batch.clear(batches.start);
        let all = self.samples_of(batches);
        match self.pick {
            Pick::All => batch.samples.extend_from_slice(all),
            Pick::Own(layout) => {
                batch.samples.extend_from_slice(&all[layout.samples_of(layout.rank, all.len())]);
            }
            Pick::Held => {
                let held = all.iter().filter(|&&sample| self.samples.holds(sample as usize));
                batch.samples.extend(held);
            }
        }
        batch
            .labels
            .extend(batch.samples.iter().map(|&sample| self.samples.label(sample as usize)));
        changing.push(&batch.samples, &mut batch.spikes);
    }
}
