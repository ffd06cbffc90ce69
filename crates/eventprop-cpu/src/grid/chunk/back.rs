//! The way back.

use super::{Chunk, Learning, Work, earliest};
use crate::grid::rows::{LANES, Matrix};
use crate::lanes::Lanes;
use std::ops::Range;
use wide::f32x16;

/// What a chunk sees of the layer above, which has gone back.
pub(in crate::grid) struct Above<'a> {
    /// The same samples there.
    pub(in crate::grid) chunk: &'a Chunk,
    pub(in crate::grid) weights: Matrix<'a>,
}

impl Chunk {
    /// Runs the samples of a layer that is not the last backward.
    pub(in crate::grid) fn run_back(&mut self, work: &Work<'_>, above: &Above<'_>) {
        self.pulls.resize(work.steps, f32x16::default());
        for sample in 0..self.input.len() {
            let span = self.span(work, sample);
            for block in 0..work.weights.blocks() {
                self.pull(work, above, sample, block, span.clone());
                let pulls = std::mem::take(&mut self.pulls);
                self.backward(work, sample, block, span.clone(), |step| pulls[step]);
                self.pulls = pulls;
            }
        }
    }

    /// The derivative by a spike of input `input` of sample `sample` that arrives at `step`.
    pub(in crate::grid) fn by_spike(
        &self,
        weights: Matrix<'_>,
        steps: usize,
        sample: usize,
        input: usize,
        step: usize,
    ) -> f32 {
        let of_block = |block: usize| {
            let place = (sample * weights.blocks() + block) * steps + step;
            weights.block(block)[input] * self.difference[place]
        };
        (0..weights.blocks()).map(of_block).fold(f32x16::default(), |sum, of| sum + of).sum()
    }

    /// The loss of the last layer's first steps, and the way back from it.
    pub(super) fn learn(
        &mut self,
        work: &Work<'_>,
        learning: &Learning<'_>,
        sample: usize,
        in_batch: usize,
        span: Range<usize>,
    ) {
        let label = learning.labels[in_batch] as usize;
        let blocks = work.weights.blocks();
        let neurons = (blocks - 1) * LANES + work.weights.neurons_of(blocks - 1);
        let of_sample = self.first.len() - blocks * LANES;
        let first = &self.first[of_sample..];
        let upstream = &mut self.upstream[..neurons];
        let loss = learning.loss.evaluate(in_batch, &first[..neurons], label, upstream);
        self.losses.push(loss);
        self.correct += usize::from(earliest(&first[..neurons]) == label);
        for block in 0..blocks {
            let lanes = block * LANES..(block + 1) * LANES;
            let first = lanes_of(&self.first[of_sample..][lanes.clone()]);
            let gradient = lanes_of(&self.upstream[lanes]) * f32x16::splat(learning.share);
            let upstream = work.dynamics.by_first(first, gradient);
            self.backward(work, sample, block, span.clone(), upstream);
        }
    }

    /// Fills in the derivatives by the spikes of a block: what they do in the layer above.
    fn pull(
        &mut self,
        work: &Work<'_>,
        above: &Above<'_>,
        sample: usize,
        block: usize,
        span: Range<usize>,
    ) {
        let fired = &self.fired[(sample * work.weights.blocks() + block) * work.steps..];
        for step in span {
            let mut lanes = [0.0; LANES];
            let arrival = work.dynamics.arrival(step);
            let mut left = if arrival < work.steps { fired[step] } else { 0 };
            while left != 0 {
                let lane = left.trailing_zeros() as usize;
                let neuron = block * LANES + lane;
                lanes[lane] =
                    above.chunk.by_spike(above.weights, work.steps, sample, neuron, arrival);
                left &= left - 1;
            }
            self.pulls[step] = f32x16::new(lanes);
        }
    }

    /// Runs a block of neurons back through a sample.
    #[inline(always)]
    fn backward(
        &mut self,
        work: &Work<'_>,
        sample: usize,
        block: usize,
        span: Range<usize>,
        upstream: impl Fn(usize) -> f32x16,
    ) {
        let difference = self.difference.len();
        if work.differences {
            self.difference.resize(difference + work.steps, f32x16::default());
        }
        let jumps = &self.jumps[work.jumps_of(sample, block)];
        let difference = &mut self.difference[difference..];
        // The drive has been read: its place serves for lambda_I.
        work.dynamics.backward(span, upstream, jumps, &mut self.drive, difference);
        for (list, place) in self.input.lists(sample).iter().zip(self.input.places(sample)) {
            let mut sum = f32x16::default();
            if let Some(step) = list.each {
                sum -= self.drive[step as usize];
            }
            if let Some(step) = list.all_but {
                let adjoint = self.drive[step as usize];
                sum += adjoint;
                self.common[block] -= adjoint;
            }
            self.parts[place * work.weights.blocks() + block] = sum;
        }
    }
}

fn lanes_of(values: &[f32]) -> f32x16 {
    let mut lanes = [0.0; LANES];
    lanes.copy_from_slice(values);
    f32x16::new(lanes)
}
