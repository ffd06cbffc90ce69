use std::ops::Range;

/// How a batch is cut into tasks of one block and one run of samples each. It depends on the batch
/// and the layer alone: the number of threads never changes a sum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cut {
    blocks: usize,
    samples: usize,
    run: usize,
}

/// A layer of so many blocks is work enough for its threads; each block then walks the whole batch
/// and has one gradient, with nothing to add up.
const ENOUGH_BLOCKS: usize = 8;
/// Samples in a run, at least: a shorter one is not worth a gradient of its own.
const LEAST_RUN: usize = 8;
/// Runs of a batch, at most.
const MOST_RUNS: usize = 16;

impl Cut {
    pub(crate) fn new(blocks: usize, samples: usize) -> Self {
        let run = if blocks >= ENOUGH_BLOCKS {
            samples.max(1)
        } else {
            samples.div_ceil(MOST_RUNS).max(LEAST_RUN)
        };
        Self { blocks, samples, run }
    }

    /// Runs a block.
    pub(crate) fn runs(&self) -> usize {
        self.samples.div_ceil(self.run).max(1)
    }

    /// The number of tasks.
    pub(crate) fn tasks(&self) -> usize {
        self.blocks * self.runs()
    }

    /// The block of a task: a block's tasks stand together.
    pub(crate) fn block(&self, task: usize) -> usize {
        task / self.runs()
    }

    /// The samples of a task.
    pub(crate) fn samples(&self, task: usize) -> Range<usize> {
        let first = task % self.runs() * self.run;
        first..(first + self.run).min(self.samples)
    }

    /// The task of a block that has a sample, and the sample's place in it.
    pub(crate) fn find(&self, block: usize, sample: usize) -> (usize, usize) {
        (block * self.runs() + sample / self.run, sample % self.run)
    }
}
