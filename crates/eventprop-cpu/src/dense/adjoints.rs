use super::backward::{Injection, Sweep};
use super::{Blocks, Cut};
use crate::lanes::{LaneReal, Lanes};
use crate::stream::Stream;
use rayon::prelude::*;

/// The backward pass of all blocks over a batch: who sums what, and in which order.
///
/// A layer of many blocks is work enough for its threads: each block walks the whole batch and owns
/// its gradient. A layer of few is cut into runs of samples with a gradient each, added up in order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Adjoints<T: LaneReal> {
    tasks: Vec<AdjointTask<T>>,
}

/// One block and one run of samples.
#[derive(Clone, Debug, Default)]
pub(crate) struct AdjointTask<T: LaneReal> {
    /// Scratch for the jumps of a sample.
    pub(crate) injections: Vec<Injection<T>>,
    /// Scratch for one factor a spike or group.
    pub(crate) factors: Vec<T>,
    /// Spikes at which the slope floor acted.
    pub(crate) grazing: u64,
    partial: Vec<T::Lanes>,
    /// The block's share of the errors of each sample's events, sample after sample.
    errors: Vec<T>,
    offsets: Vec<usize>,
}

/// Blocks from which on each is a task of its own.
const MANY_BLOCKS: usize = 8;

impl<T: LaneReal> Adjoints<T> {
    /// Calls `sample(task, block, sample, sweep)` for every block and sample, which is to call
    /// [`Sweep::run`]; leaves the gradient in `gradient` and, if wanted, each event's error in
    /// `streams`. Returns the number of grazing spikes.
    pub(crate) fn run(
        &mut self,
        blocks: Blocks,
        weights: &[T::Lanes],
        gradient: &mut [T::Lanes],
        streams: &mut [Stream<T>],
        errors_below: bool,
        sample: impl Fn(&mut AdjointTask<T>, usize, usize, Sweep<'_, T>) + Sync,
    ) -> u64 {
        let whole = blocks.count() >= MANY_BLOCKS;
        let cut = if whole { Cut::whole(streams.len()) } else { Cut::new(streams.len()) };
        let (runs, sources) = (cut.runs(), blocks.sources);
        self.tasks.resize_with(blocks.count() * runs, AdjointTask::default);
        let inputs = &*streams;
        let work = |index: usize, task: &mut AdjointTask<T>, gradient: &mut [T::Lanes]| {
            let (block, run) = (index / runs, cut.samples(index % runs));
            let weights = &weights[block * sources..][..sources];
            gradient.fill(T::Lanes::zero());
            task.grazing = 0;
            task.reset_errors(&inputs[run.clone()], errors_below);
            for (place, index) in run.enumerate() {
                let mut errors = std::mem::take(&mut task.errors);
                let own = &mut errors[task.offsets[place]..task.offsets[place + 1]];
                let stream = &inputs[index];
                let errors_of_sample = errors_below.then_some(own);
                let sweep = Sweep { weights, gradient, stream, errors: errors_of_sample };
                sample(task, block, index, sweep);
                task.errors = errors;
            }
        };
        if runs == 1 {
            let blocks = gradient.par_chunks_mut(sources).zip(&mut self.tasks).enumerate();
            blocks.for_each(|(index, (gradient, task))| work(index, task, gradient));
        } else {
            self.tasks.par_iter_mut().enumerate().for_each(|(index, task)| {
                let mut partial = std::mem::take(&mut task.partial);
                partial.resize(sources, T::Lanes::zero());
                work(index, task, &mut partial);
                task.partial = partial;
            });
            let blocks = gradient.par_chunks_mut(sources).zip(self.tasks.par_chunks(runs));
            blocks.for_each(|(gradient, tasks)| add_up(gradient, tasks));
        }
        if errors_below {
            self.collect_errors(cut, streams);
        }
        self.tasks.iter().map(|task| task.grazing).sum()
    }

    /// Adds up the errors that all blocks send to each event, in the order of blocks.
    fn collect_errors(&self, cut: Cut, streams: &mut [Stream<T>]) {
        streams.par_iter_mut().enumerate().for_each(|(sample, stream)| {
            let (run, place) = cut.find(sample);
            stream.errors.clear();
            stream.errors.resize(stream.sources.len(), T::zero());
            for task in self.tasks.iter().skip(run).step_by(cut.runs()) {
                let errors = &task.errors[task.offsets[place]..task.offsets[place + 1]];
                for (sum, &error) in stream.errors.iter_mut().zip(errors) {
                    *sum += error;
                }
            }
        });
    }
}

impl<T: LaneReal> AdjointTask<T> {
    /// Zeros for the events of `streams`, or none if no errors are wanted.
    fn reset_errors(&mut self, streams: &[Stream<T>], wanted: bool) {
        self.offsets.clear();
        self.offsets.push(0);
        let mut events = 0;
        for stream in streams {
            events += if wanted { stream.sources.len() } else { 0 };
            self.offsets.push(events);
        }
        self.errors.clear();
        self.errors.resize(events, T::zero());
    }
}

fn add_up<T: LaneReal>(gradient: &mut [T::Lanes], tasks: &[AdjointTask<T>]) {
    let Some((first, others)) = tasks.split_first() else { return };
    gradient.copy_from_slice(&first.partial);
    for task in others {
        for (sum, row) in gradient.iter_mut().zip(&task.partial) {
            *sum = *sum + *row;
        }
    }
}
