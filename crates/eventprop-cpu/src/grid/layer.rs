use super::chunk::{CHUNK, Chunk, Work};
use super::dynamics::Dynamics;
use super::rows::{LANES, Matrix, Rows};
use lif_core::grid::{GridLayer, GridModel};
use wide::f32x16;

/// A layer of the stack, but for its weights.
pub(super) struct Layer {
    dynamics: Dynamics,
    steps: usize,
    /// Whether another hears it, and whether the derivatives by the spikes that arrive are wanted.
    is_heard: bool,
    differences: bool,
    /// The sum of its weights over all inputs, one a block.
    pub(super) totals: Vec<f32x16>,
    /// The batch that was run last.
    pub(super) chunks: Vec<Chunk>,
    /// Spikes of each neuron since they were last asked for.
    pub(super) activity: Vec<u64>,
}

impl Layer {
    /// The layers of `model` with these weights.
    pub(super) fn stack(model: &GridModel, input_gradients: bool, weights: &Rows) -> Vec<Self> {
        let last = model.layers().len() - 1;
        let layer = |(position, layer): (usize, &GridLayer)| Self {
            dynamics: Dynamics::new(layer, model.steps()),
            steps: model.steps(),
            is_heard: position < last,
            differences: position > 0 || input_gradients,
            totals: weights.layer(position).totals(),
            chunks: Vec::new(),
            activity: vec![0; layer.neurons],
        };
        model.layers().iter().enumerate().map(layer).collect()
    }

    /// Its chunks, and what they read.
    pub(super) fn work<'a>(&'a mut self, weights: Matrix<'a>) -> (Work<'a>, &'a mut Vec<Chunk>) {
        let work = Work {
            dynamics: self.dynamics,
            steps: self.steps,
            weights,
            totals: &self.totals,
            keeps_jumps: self.is_heard,
            differences: self.differences,
        };
        (work, &mut self.chunks)
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
