mod back;

use super::dynamics::Dynamics;
use super::input::GridInput;
use super::loss::StepLoss;
use super::rows::{LANES, Matrix, sum};
use std::ops::Range;
use wide::f32x16;

pub(super) use back::Above;

/// Samples a chunk: the same however many threads there are.
pub(super) const CHUNK: usize = 16;

/// A few samples of a batch on their way forward and backward through a layer, with the memory they need.
#[derive(Clone, Debug, Default)]
pub(super) struct Chunk {
    /// Its samples.
    pub(super) input: GridInput,
    /// First steps, `[sample][block][lane]`, flat; silent neurons as the variant counts them.
    pub(super) first: Vec<f32>,
    /// A bit for each spike of a block, `[sample][block][step]`.
    pub(super) fired: Vec<u16>,
    /// Spikes of each neuron, `[block]`.
    pub(super) activity: Vec<f32x16>,
    /// The neurons that were silent in some sample.
    pub(super) silent: Vec<u32>,
    /// The loss of each sample.
    pub(super) losses: Vec<f32>,
    /// The number of samples whose label was predicted.
    pub(super) correct: usize,
    /// What each list of inputs adds to the gradient of its members, `[list of each sample][block]`.
    pub(super) parts: Vec<f32x16>,
    /// What the chunk adds to the gradient of every input, `[block]`.
    pub(super) common: Vec<f32x16>,
    /// lambda_V - lambda_I, `[sample][block][step]`, where it is wanted.
    pub(super) difference: Vec<f32x16>,
    drive: Vec<f32x16>,
    /// `[block][step]`, of the sample that is run, or of each where they are kept.
    jumps: Vec<f32x16>,
    upstream: Vec<f32>,
    /// The loss's derivative by a spike of each step.
    pulls: Vec<f32x16>,
}

/// What all chunks of a layer read.
pub(super) struct Work<'a> {
    pub(super) dynamics: Dynamics,
    pub(super) steps: usize,
    pub(super) weights: Matrix<'a>,
    pub(super) totals: &'a [f32x16],
    /// Whether the way back begins when all samples have gone forward.
    pub(super) keeps_jumps: bool,
    /// Whether lambda_V - lambda_I is wanted.
    pub(super) differences: bool,
}

/// What the chunks of a batch that is differentiated read besides.
pub(super) struct Learning<'a> {
    pub(super) loss: &'a StepLoss,
    /// One a sample of the batch.
    pub(super) labels: &'a [u32],
    /// 1 / the number of samples in the batch.
    pub(super) share: f32,
}

impl Chunk {
    /// Runs its samples, of which the first is at `start` in the batch, forward, and backward if there
    /// is something to learn.
    pub(super) fn run(&mut self, work: &Work<'_>, start: usize, learning: Option<&Learning<'_>>) {
        self.clear(work);
        for sample in 0..self.input.len() {
            let span = self.span(work, sample);
            self.forward(work, sample, span.clone());
            if let Some(learning) = learning {
                self.learn(work, learning, sample, start + sample, span);
            }
        }
    }

    /// The steps from a sample's first arrival to the last step.
    fn span(&self, work: &Work<'_>, sample: usize) -> Range<usize> {
        let arrivals = self.input.lists(sample).iter().flat_map(|list| list.arrivals());
        arrivals.min().map_or(work.steps, |step| step as usize)..work.steps
    }

    fn clear(&mut self, work: &Work<'_>) {
        let blocks = work.weights.blocks();
        self.first.clear();
        self.fired.clear();
        self.silent.clear();
        self.losses.clear();
        self.parts.clear();
        self.difference.clear();
        self.correct = 0;
        self.parts.resize(self.input.all_lists().len() * blocks, f32x16::default());
        for per_block in [&mut self.activity, &mut self.common] {
            per_block.clear();
            per_block.resize(blocks, f32x16::default());
        }
        self.drive.resize(work.steps, f32x16::default());
        let samples = if work.keeps_jumps { self.input.len() } else { 1 };
        self.jumps.resize(samples * blocks * work.steps, f32x16::default());
        self.upstream.resize(blocks * LANES, 0.0);
    }

    fn forward(&mut self, work: &Work<'_>, sample: usize, span: Range<usize>) {
        for block in 0..work.weights.blocks() {
            let rows = work.weights.block(block);
            self.drive[span.clone()].fill(f32x16::default());
            for list in self.input.lists(sample) {
                let members = self.input.members(list);
                let total = sum(members, |input| rows[input as usize]);
                if let Some(step) = list.each {
                    self.drive[step as usize] += total;
                }
                if let Some(step) = list.all_but {
                    self.drive[step as usize] += work.totals[block] - total;
                }
            }
            let fired = self.fired.len();
            self.fired.resize(fired + work.steps, 0);
            let jumps = &mut self.jumps[work.jumps_of(sample, block)];
            let fired = &mut self.fired[fired..];
            let pass = work.dynamics.forward(span.clone(), &self.drive, jumps, fired);
            self.activity[block] += pass.spikes;
            let neurons = work.weights.neurons_of(block);
            for (neuron, &first) in pass.first.as_array()[..neurons].iter().enumerate() {
                if first == f32::INFINITY {
                    self.silent.push((block * LANES + neuron) as u32);
                }
            }
            self.first.extend_from_slice(work.dynamics.counted(pass.first).as_array());
        }
    }
}

impl Work<'_> {
    /// Where the jumps of a block in a sample are.
    fn jumps_of(&self, sample: usize, block: usize) -> Range<usize> {
        let sample = if self.keeps_jumps { sample } else { 0 };
        let row = sample * self.weights.blocks() + block;
        row * self.steps..(row + 1) * self.steps
    }
}

/// Writes the sum of the gradients of `chunks` to `rows`: those of block `block` and the inputs
/// `inputs`, or all.
pub(super) fn add_gradients(
    chunks: &[Chunk],
    block: usize,
    inputs: Option<Range<usize>>,
    rows: &mut [f32x16],
) {
    let common = chunks.iter().fold(f32x16::default(), |sum, chunk| sum + chunk.common[block]);
    rows.fill(common);
    let start = inputs.as_ref().map_or(0, |inputs| inputs.start);
    for chunk in chunks {
        let lists = chunk.input.all_lists().iter();
        for (list, parts) in lists.zip(chunk.parts.chunks_exact(chunk.common.len())) {
            let mut members = chunk.input.members(list);
            if let Some(inputs) = &inputs {
                let place = |bound| members.partition_point(|&member| (member as usize) < bound);
                members = &members[place(inputs.start)..place(inputs.end)];
            }
            let part = parts[block];
            for &member in members {
                rows[member as usize - start] += part;
            }
        }
    }
}

/// The neuron with the earliest first step, the lowest among equals.
#[inline]
pub(super) fn earliest(first: &[f32]) -> usize {
    let mut class = 0;
    for (neuron, &step) in first.iter().enumerate() {
        if step < first[class] {
            class = neuron;
        }
    }
    class
}
