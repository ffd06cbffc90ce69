//! A layer that every neuron of the layer below reaches, computed block by block: sixteen neurons
//! keep their state in registers through all arrivals of a sample, for one sample after the other.
//!
//! A task is one block and a run of the batch's samples ([`Cut`]); it owns what it writes.

mod backward;
mod cut;
mod forward;
mod readout;
mod spiking;
mod weights;

pub(crate) use readout::{Measure, ReadoutLayer};
pub(crate) use spiking::{JumpSettings, SpikingLayer};
pub(crate) use weights::{Blocks, pack_targets};

use crate::lanes::{LaneReal, Lanes};
use crate::stream::Stream;
use cut::Cut;
use rayon::prelude::*;

/// What a task of either kind of layer leaves for others.
trait Task<T: LaneReal>: Send + Sync {
    /// The gradient of its run of samples, where a block has several runs.
    fn partial(&mut self) -> &mut Vec<T::Lanes>;

    /// Its share of the errors of each sample's events, sample after sample.
    fn errors(&self) -> &TaskErrors<T>;
}

/// The errors that one block sends to the events of its samples.
#[derive(Clone, Debug, Default)]
struct TaskErrors<T> {
    values: Vec<T>,
    offsets: Vec<usize>,
}

impl<T: LaneReal> TaskErrors<T> {
    /// Zeros for the events of `streams`.
    fn reset(&mut self, streams: &[Stream<T>]) {
        self.offsets.clear();
        self.offsets.push(0);
        let mut events = 0;
        for stream in streams {
            events += stream.sources.len();
            self.offsets.push(events);
        }
        self.values.clear();
        self.values.resize(events, T::zero());
    }

    fn of(&self, sample: usize) -> &[T] {
        &self.values[self.offsets[sample]..self.offsets[sample + 1]]
    }

    fn of_mut(&mut self, sample: usize) -> &mut [T] {
        &mut self.values[self.offsets[sample]..self.offsets[sample + 1]]
    }
}

/// Runs `work(task, gradient)` for every task and leaves the sum over the batch in `gradient`. Where
/// a block has several runs, each has a gradient of its own and they are added up in order.
fn with_gradients<T: LaneReal, K: Task<T>>(
    cut: Cut,
    sources: usize,
    tasks: &mut [K],
    gradient: &mut [T::Lanes],
    work: impl Fn(usize, &mut K, &mut [T::Lanes]) + Sync,
) {
    let runs = cut.runs();
    if runs == 1 {
        let blocks = gradient.par_chunks_mut(sources).zip(tasks).enumerate();
        blocks.for_each(|(index, (gradient, task))| {
            gradient.fill(T::Lanes::zero());
            work(index, task, gradient);
        });
        return;
    }
    tasks.par_iter_mut().enumerate().for_each(|(index, task)| {
        let mut partial = std::mem::take(task.partial());
        partial.clear();
        partial.resize(sources, T::Lanes::zero());
        work(index, task, &mut partial);
        *task.partial() = partial;
    });
    let blocks = gradient.par_chunks_mut(sources).zip(tasks.par_chunks_mut(runs));
    blocks.for_each(|(gradient, tasks)| {
        let (first, others) = tasks.split_at_mut(1);
        gradient.copy_from_slice(first[0].partial());
        for task in others {
            for (sum, row) in gradient.iter_mut().zip(task.partial().iter()) {
                *sum = *sum + *row;
            }
        }
    });
}

/// Adds up the errors that all blocks send to each event, in the order of blocks.
fn collect_errors<T: LaneReal, K: Task<T>>(cut: Cut, tasks: &[K], streams: &mut [Stream<T>]) {
    let blocks = cut.tasks() / cut.runs();
    streams.par_iter_mut().enumerate().for_each(|(sample, stream)| {
        stream.errors.clear();
        for block in 0..blocks {
            let (task, place) = cut.find(block, sample);
            let errors = tasks[task].errors().of(place);
            if block == 0 {
                stream.errors.extend_from_slice(errors);
            } else {
                for (sum, &error) in stream.errors.iter_mut().zip(errors) {
                    *sum += error;
                }
            }
        }
    });
}
