//! Batches put together beside the engine's work.

use crate::data::{Changing, EpochDraws, Samples};
use lif_core::SpikeBatch;
use lif_core::engine::Batch;
use std::ops::ControlFlow;
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
}

/// A batch in memory that is used again and again.
#[derive(Default)]
pub(crate) struct GatheredBatch {
    /// The batch's position in the pass.
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
}

impl Pass<'_> {
    /// The number of batches from the first of all.
    pub(crate) fn batches(&self) -> usize {
        self.order.len().div_ceil(self.batch_size)
    }

    /// Calls `visit` with every batch in order while another thread gathers the next ones, until it
    /// breaks off or fails.
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
                for position in self.first..self.batches() {
                    let Ok(mut batch) = empty_receiver.recv() else { return };
                    self.gather(position, &mut changing, &mut batch);
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

    /// Calls `visit(position, samples, their positions in the whole data set)` with every batch in
    /// order, until it breaks off or fails: for an engine that has the spikes.
    pub(crate) fn for_each_in_set<E>(
        &self,
        mut visit: impl FnMut(usize, &[u32], &[u32]) -> Result<ControlFlow<()>, E>,
    ) -> Result<ControlFlow<()>, E> {
        let mut in_set = Vec::with_capacity(self.batch_size);
        for position in self.first..self.batches() {
            let samples = self.samples_of(position);
            in_set.clear();
            in_set.extend(samples.iter().map(|&s| self.samples.in_set(s as usize) as u32));
            if visit(position, samples, &in_set)?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    fn samples_of(&self, position: usize) -> &[u32] {
        let start = position * self.batch_size;
        &self.order[start..self.order.len().min(start + self.batch_size)]
    }

    fn gather(&self, position: usize, changing: &mut Changing<'_>, batch: &mut GatheredBatch) {
        batch.position = position;
        batch.samples.clear();
        batch.samples.extend_from_slice(self.samples_of(position));
        batch.labels.clear();
        batch
            .labels
            .extend(batch.samples.iter().map(|&sample| self.samples.label(sample as usize)));
        batch.spikes.clear();
        changing.push(&batch.samples, &mut batch.spikes);
    }
}
