use super::chunk::{CHUNK, Chunk};
use super::dynamics::Dynamics;
use super::rows::{LANES, Matrix};
use lif_core::grid::GridLayer;
use wide::f32x16;

/// A layer of the stack, but for its weights.
pub(super) struct Layer {
    pub(super) dynamics: Dynamics,
    /// The sum of its weights over all inputs, one a block.
    pub(super) totals: Vec<f32x16>,
    /// The batch that was run last.
    pub(super) chunks: Vec<Chunk>,
    /// Spikes of each neuron since they were last asked for.
    pub(super) activity: Vec<u64>,
}

impl Layer {
    /// The layer with these weights.
    pub(super) fn new(layer: &GridLayer, steps: usize, weights: Matrix<'_>) -> Self {
        Self {
            dynamics: Dynamics::new(layer, steps),
            totals: weights.totals(),
            chunks: Vec::new(),
            activity: vec![0; layer.neurons],
        }
    }

    /// The number of its neurons.
    pub(super) fn neurons(&self) -> usize {
        self.activity.len()
    }

    /// The number of its blocks.
    pub(super) fn blocks(&self) -> usize {
        self.totals.len()
    }

    /// Whether the weights of all its neurons are numbers.
    pub(super) fn is_finite(&self) -> bool {
        let totals = bytemuck::cast_slice::<_, f32>(&self.totals);
        totals[..self.neurons()].iter().all(|total| total.is_finite())
    }

    /// The neurons that were silent in some sample of the pass last run, ascending.
    pub(super) fn silent_neurons(&self) -> Vec<u32> {
        let all = self.chunks.iter().flat_map(|chunk| &chunk.silent);
        let mut silent: Vec<u32> = all.copied().collect();
        silent.sort_unstable();
        silent.dedup();
        silent
    }

    /// Counts the spikes of that pass.
    pub(super) fn add_activity(&mut self) {
        for (block, counts) in self.activity.chunks_mut(LANES).enumerate() {
            for chunk in &self.chunks {
                for (count, &spikes) in counts.iter_mut().zip(chunk.activity[block].as_array()) {
                    *count += spikes as u64;
                }
            }
        }
    }

    /// The chunk of a sample of the batch, and its place there.
    pub(super) fn chunk_of(&self, sample: usize) -> (&Chunk, usize) {
        (&self.chunks[sample / CHUNK], sample % CHUNK)
    }
}
