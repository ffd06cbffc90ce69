//! Spikes on a grid, as kernels read them.

use super::abi;
use super::trains::Trains;
use crate::data::check_numbers;
use crate::device::{Buffer, Device};
use lif_core::engine::EngineError;
use lif_core::grid::GridModel;
use lif_core::{SpikeBatch, SpikeTrain};

/// Spikes of a run that one thread adds up for four neurons.
const PIECE: usize = 16;

/// Spike trains with their labels, on the device.
pub(super) struct Data {
    trains: Trains,
    pub(super) labels: Buffer<i32>,
    /// The same on the host, for losses that are evaluated there.
    pub(super) given_labels: Vec<u32>,
    /// The most runs and pieces of a sample.
    pub(super) most: Most,
}

/// The most that a sample has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Most {
    pub(super) runs: usize,
    pub(super) pieces: usize,
}

impl Data {
    /// The trains of `spikes` on the grid of `model`; there are no labels where samples are only to be run.
    ///
    /// # Errors
    /// [`EngineError::Batch`] if there are more spikes than kernels number; `check` is asked with the bytes that the data
    /// take before they do.
    pub(super) fn new(
        device: &Device,
        model: &GridModel,
        spikes: &SpikeBatch<f32>,
        labels: &[u32],
        check: impl FnOnce(usize) -> Result<(), EngineError>,
    ) -> Result<Self, EngineError> {
        let lists = Lists::new(model, spikes)?;
        check(lists.bytes(labels.len()))?;
        let numbers: Vec<i32> = labels.iter().map(|&label| label as i32).collect();
        Ok(Self {
            trains: Trains {
                samples: device.copy(&lists.samples)?,
                runs: device.copy(&lists.runs)?,
                pieces: device.copy(&lists.pieces)?,
                sources: device.copy(&lists.sources)?,
                input_starts: device.copy(&lists.input_starts)?,
                runs_of_inputs: device.copy(&lists.runs_of_inputs)?,
            },
            labels: device.copy(&numbers)?,
            given_labels: labels.to_vec(),
            most: lists.most,
        })
    }

    /// The number of samples.
    pub(super) fn len(&self) -> usize {
        self.trains.samples.len()
    }

    /// The number of spikes that arrive.
    pub(super) fn spikes(&self) -> usize {
        self.trains.sources.len()
    }

    /// Where all that lies.
    pub(super) fn describe(&self) -> abi::Data {
        self.trains.describe(self.labels.address(), false)
    }
}

/// How many of a train's spikes reach the current before the end: the first ones.
pub(super) fn arriving(model: &GridModel, train: SpikeTrain<'_, f32>) -> usize {
    train.times().partition_point(|&time| arrival(model, time) < model.steps())
}

/// The step at which a spike reaches the current.
fn arrival(model: &GridModel, time: f32) -> usize {
    let spec = model.spec();
    spec.variant.arrival(spec.step_of(f64::from(time)).min(model.steps()))
}

/// See `kernels/grid.cuh`.
#[derive(Default)]
struct Lists {
    samples: Vec<abi::Sample>,
    runs: Vec<abi::Run>,
    pieces: Vec<abi::Piece>,
    sources: Vec<i32>,
    input_starts: Vec<i32>,
    runs_of_inputs: Vec<i32>,
    most: Most,
}

impl Lists {
    fn new(model: &GridModel, spikes: &SpikeBatch<f32>) -> Result<Self, EngineError> {
        check_numbers(spikes.spike_count())?;
        let mut lists = Self::default();
        let inputs = model.network().input().size;
        // By input, how many of its spikes were met.
        let mut met = vec![0; inputs];
        for train in spikes.iter() {
            lists.push(model, train, &mut met);
        }
        Ok(lists)
    }

    fn push(&mut self, model: &GridModel, train: SpikeTrain<'_, f32>, met: &mut [i32]) {
        let (first_run, first_piece) = (self.runs.len(), self.pieces.len());
        let first = self.sources.len();
        let sources = &train.indices()[..arriving(model, train)];
        let times = &train.times()[..sources.len()];
        self.sources.extend(sources.iter().map(|&source| source as i32));
        let mut start = 0;
        while start < times.len() {
            let step = arrival(model, times[start]);
            let end = run_end(times, start, |time| arrival(model, time) == step);
            let first_of_run = self.pieces.len();
            for piece in (start..end).step_by(PIECE) {
                let end = end.min(piece + PIECE);
                let [first, end] = [first + piece, first + end].map(|place| place as i32);
                self.pieces.push(abi::Piece { first, end });
            }
            self.runs.push(abi::Run {
                step: step as i32,
                first_piece: (first_of_run - first_piece) as i32,
                pieces: (self.pieces.len() - first_of_run) as i32,
            });
            start = end;
        }
        let (runs, pieces) = (self.runs.len() - first_run, self.pieces.len() - first_piece);
        self.most.runs = self.most.runs.max(runs);
        self.most.pieces = self.most.pieces.max(pieces);
        self.samples.push(abi::Sample {
            first_run: first_run as i32,
            runs: runs as i32,
            first_piece: first_piece as i32,
            pieces: pieces as i32,
        });
        self.sort_by_input([first, first_run, first_piece], met);
    }

    /// Adds the last sample's spikes by input, those of one in the order of their runs: the spikes, runs and pieces from
    /// these on.
    fn sort_by_input(&mut self, [first, first_run, first_piece]: [usize; 3], met: &mut [i32]) {
        let sources = &self.sources[first..];
        met.fill(0);
        sources.iter().for_each(|&source| met[source as usize] += 1);
        let mut start = first as i32;
        for met in &mut *met {
            self.input_starts.push(start);
            start += std::mem::replace(met, start);
        }
        self.input_starts.push(start);
        self.runs_of_inputs.resize(first + sources.len(), 0);
        for (number, run) in (0..).zip(&self.runs[first_run..]) {
            let pieces = &self.pieces[first_piece + run.first_piece as usize..];
            let pieces = &pieces[..run.pieces as usize];
            for piece in pieces {
                for &source in &self.sources[piece.first as usize..piece.end as usize] {
                    let place = &mut met[source as usize];
                    self.runs_of_inputs[*place as usize] = number;
                    *place += 1;
                }
            }
        }
    }

    fn bytes(&self, labels: usize) -> usize {
        let numbers = 2 * self.sources.len() + self.input_starts.len() + labels;
        size_of_val(&*self.samples)
            + size_of_val(&*self.runs)
            + size_of_val(&*self.pieces)
            + size_of::<i32>() * numbers
    }
}

/// The end of the run that begins at `start`: times are sorted, and those of a run are mostly equal.
fn run_end(times: &[f32], start: usize, belongs: impl Fn(f32) -> bool) -> usize {
    let mut end = start + 1;
    while end < times.len() && (times[end] == times[end - 1] || belongs(times[end])) {
        end += 1;
    }
    end
}
