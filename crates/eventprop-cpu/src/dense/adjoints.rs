use super::backward::{Mu, Sweep};
use super::injections::Injection;
use super::{Blocks, Columns, Cut, Rows};
use crate::lanes::{LANES, LaneReal, Lanes};
use crate::stream::Stream;
use crate::threads::Threads;
use rayon::prelude::*;
use std::ops::Range;

/// The backward pass of a layer over a batch: who sums what, and in which order.
///
/// A layer of many blocks is shared out by blocks, of which each thread takes some through a run of samples;
/// gradients stay apart. A batch has two runs where that pays ([`TWO_RUNS`]), else one: the way through a sample costs
/// the same for however few blocks, but another run costs another gradient. A layer of few blocks is cut into
/// shorter runs, added up in order. Either way no sum depends on the number of threads.
#[derive(Clone, Debug, Default)]
pub(crate) struct Adjoints<T: LaneReal> {
    tasks: Vec<Task<T>>,
    partials: Vec<Vec<T::Lanes>>,
    /// Whether the gradient is in the partial ones, and in how many runs of columns.
    apart: Option<usize>,
    /// For how many tasks there are zeros where the next gradient will be.
    clean: Option<usize>,
}

/// Scratch of a layer for one sample.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scratch<T: LaneReal> {
    /// Jumps.
    pub(crate) injections: Vec<Injection<T>>,
    /// One factor a group.
    pub(crate) factors: Vec<T>,
    /// The amplitudes of a forcing.
    pub(crate) amplitudes: Vec<(T::Lanes, T::Lanes)>,
}

/// Some blocks and a run of samples.
#[derive(Clone, Debug, Default)]
struct Task<T: LaneReal> {
    blocks: Range<usize>,
    samples: Range<usize>,
    scratch: Scratch<T>,
    mu: Mu<T>,
    /// The errors of each sample's events, sample after sample, `[event][block]`.
    errors: Vec<T>,
    offsets: Vec<usize>,
}

/// Blocks from which on they are shared out among threads.
const MANY_BLOCKS: usize = 8;

/// Samples from which on a batch has two runs, and bytes of weights up to which: the optimiser has to read them once
/// more, and a core's cache is to hold them.
const TWO_RUNS: (usize, usize) = (64, 5 << 18);

impl<T: LaneReal> Adjoints<T> {
    /// Calls `sample(scratch, sample, sweep)` for all blocks, some at a time, and samples, which is
    /// to call [`Sweep::run`]; leaves the gradient in `rows` or in
    /// [`Self::columns`] and, if wanted, each event's error in `streams`.
    pub(crate) fn run(
        &mut self,
        threads: &Threads,
        blocks: Blocks,
        Rows { weights, gradient }: Rows<'_, T>,
        streams: &mut [Stream<T>],
        errors_below: bool,
        sample: impl Fn(&mut Scratch<T>, usize, Sweep<'_, T>) + Sync,
    ) {
        let (stride, targets) = (blocks.count(), blocks.targets);
        let short = Cut::new(streams.len());
        let by_samples = stride < MANY_BLOCKS && short.runs() > 1;
        let (cut, columns) = if by_samples {
            (short, 1)
        } else {
            let (samples, bytes) = TWO_RUNS;
            let twice = streams.len() >= samples && size_of_val(weights) <= bytes;
            let cut = Cut::into(1 + usize::from(twice), streams.len());
            (cut, threads.count().div_ceil(cut.runs()).min(stride))
        };
        self.share_out(cut, stride, columns);
        let clean = self.clean.take() == Some(self.tasks.len()) && !by_samples;
        let inputs = &*streams;
        let work = |task: &mut Task<T>, gradient: &mut [T::Lanes]| {
            if !clean {
                gradient.fill(T::Lanes::zero());
            }
            task.reset_errors(inputs, errors_below);
            for (place, index) in task.samples.clone().enumerate() {
                let Task { blocks, scratch, mu, errors, offsets, .. } = task;
                let errors = &mut errors[offsets[place]..offsets[place + 1]];
                let sweep = Sweep {
                    blocks: blocks.clone(),
                    weights,
                    stride,
                    half: targets <= LANES / 2,
                    gradient,
                    stream: &inputs[index],
                    errors: errors_below.then_some(errors),
                    mu,
                };
                sample(scratch, index, sweep);
            }
        };
        self.apart = Some(cut.runs()).filter(|_| self.tasks.len() > 1 && !by_samples);
        if let [task] = &mut self.tasks[..] {
            work(task, gradient);
        } else {
            self.partials.resize_with(self.tasks.len(), Vec::new);
            let tasks = self.tasks.par_iter_mut().zip(&mut self.partials);
            threads.each(tasks, |(task, partial)| {
                partial.resize(blocks.sources * task.blocks.len(), T::Lanes::zero());
                work(task, partial);
            });
            if by_samples {
                add_up(threads, gradient, &self.partials);
            }
        }
        if errors_below {
            self.collect_errors(threads, streams);
        }
    }

    /// The gradient, if it was left apart.
    pub(crate) fn columns(&self) -> Option<Columns<'_, T>> {
        self.apart.map(|runs| Columns { parts: &self.partials, runs })
    }

    /// The parts of the gradient, as [`Columns`] has them, if it was left apart. They, or else the whole, are to be
    /// used up: zeros must be left.
    pub(crate) fn use_up(&mut self) -> Option<(&mut [Vec<T::Lanes>], usize)> {
        let tasks = self.tasks.len();
        self.clean = Some(tasks).filter(|_| self.apart.is_some() || tasks == 1);
        self.apart.map(|runs| (&mut self.partials[..], runs))
    }

    /// The gradient has been joined.
    pub(crate) fn forget_columns(&mut self) {
        self.apart = None;
    }

    /// Gives each task its run of samples and its blocks, the tasks of one run side by side.
    fn share_out(&mut self, cut: Cut, blocks: usize, columns: usize) {
        self.tasks.resize_with(cut.runs() * columns, Task::default);
        for (index, task) in self.tasks.iter_mut().enumerate() {
            let (run, column) = (index / columns, index % columns);
            task.samples = cut.samples(run);
            task.blocks = column * blocks / columns..(column + 1) * blocks / columns;
        }
    }

    /// Adds up the errors that all blocks send to each event, in the order of blocks.
    fn collect_errors(&self, threads: &Threads, streams: &mut [Stream<T>]) {
        threads.each(streams.par_iter_mut().enumerate(), |(sample, stream)| {
            stream.errors.clear();
            stream.errors.resize(stream.sources().len(), T::zero());
            for task in self.tasks.iter().filter(|task| task.samples.contains(&sample)) {
                let errors = &task.errors[task.offsets[sample - task.samples.start]..];
                let width = task.blocks.len();
                if width == 1 {
                    stream.errors.iter_mut().zip(errors).for_each(|(sum, &error)| *sum += error);
                    continue;
                }
                for (sum, errors) in stream.errors.iter_mut().zip(errors.chunks_exact(width)) {
                    errors.iter().for_each(|&error| *sum += error);
                }
            }
        });
    }
}

impl<T: LaneReal> Task<T> {
    /// Zeros for the events of the task's samples, or none if no errors are wanted.
    fn reset_errors(&mut self, streams: &[Stream<T>], wanted: bool) {
        self.offsets.clear();
        self.offsets.push(0);
        let mut errors = 0;
        for stream in &streams[self.samples.clone()] {
            errors += if wanted { stream.sources().len() * self.blocks.len() } else { 0 };
            self.offsets.push(errors);
        }
        self.errors.clear();
        self.errors.resize(errors, T::zero());
    }
}

fn add_up<L: Lanes>(threads: &Threads, gradient: &mut [L], partials: &[Vec<L>]) {
    /// Blocks added up by one thread.
    const CHUNK: usize = 256;
    threads.each(gradient.par_chunks_mut(CHUNK).enumerate(), |(chunk, gradient)| {
        let first = chunk * CHUNK;
        for (number, partial) in partials.iter().enumerate() {
            let rows = &partial[first..first + gradient.len()];
            if number == 0 {
                gradient.copy_from_slice(rows);
                continue;
            }
            for (sum, &row) in gradient.iter_mut().zip(rows) {
                *sum = *sum + row;
            }
        }
    });
}
