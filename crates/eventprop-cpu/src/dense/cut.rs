use std::ops::Range;

/// How a batch is cut into runs of samples. It depends on the batch and the layer alone: the number
/// of threads never changes a sum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cut {
    samples: usize,
    run: usize,
}

/// Samples in a run, at least: a shorter one is not worth a task of its own.
const LEAST_RUN: usize = 8;
/// Runs of a batch, at most.
const MOST_RUNS: usize = 16;

impl Cut {
    pub(crate) fn new(samples: usize) -> Self {
        Self { samples, run: samples.div_ceil(MOST_RUNS).max(LEAST_RUN) }
    }

    /// Into so many runs.
    pub(crate) fn into(runs: usize, samples: usize) -> Self {
        Self { samples, run: samples.div_ceil(runs).max(1) }
    }

    /// The number of runs.
    pub(crate) fn runs(&self) -> usize {
        self.samples.div_ceil(self.run).max(1)
    }

    /// The samples of a run.
    pub(crate) fn samples(&self, run: usize) -> Range<usize> {
        let first = run * self.run;
        first..(first + self.run).min(self.samples)
    }

    /// The run that has a sample, and the sample's place in it.
    pub(crate) fn find(&self, sample: usize) -> (usize, usize) {
        (sample / self.run, sample % self.run)
    }
}
