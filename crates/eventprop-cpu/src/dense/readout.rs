mod mean;
mod peak;

use super::adjoints::{Adjoints, Scratch};
use super::backward::{Adjoint, Forcing};
use super::{Blocks, Cut, Rows};
use crate::decay::Decay;
use crate::lanes::{LANES, LaneReal, Lanes};
use crate::stream::Stream;
use crate::threads::Threads;
use mean::{Mean, set_factors};
use peak::{Peak, Turn, highest, inject, move_kinks};
use rayon::prelude::*;
use std::cmp::Reverse;

/// A dense layer of leaky integrators, measured on their voltages.
pub(crate) struct ReadoutLayer<T: LaneReal> {
    blocks: Blocks,
    decay: Decay<T>,
    bias: Vec<T::Lanes>,
    measure: Measure<T>,
    cut: Cut,
    /// `[block][run]`.
    walks: Vec<Walk<T>>,
    pub(crate) adjoints: Adjoints<T>,
}

/// What is measured of each voltage.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Measure<T> {
    /// Its maximum, at least 0.
    Max,
    /// Its mean over the duration, weighted by exp(-rate t).
    Mean {
        /// In 1/ms.
        rate: T,
        /// In ms.
        duration: T,
    },
}

/// A block and a run of samples, run forward.
#[derive(Clone, Debug, Default)]
struct Walk<T: LaneReal> {
    /// The measurement of each sample's voltages.
    values: Vec<T::Lanes>,
    /// Where each sample's voltages had their maximum.
    peaks: Vec<Peak<T::Lanes>>,
    factors: Vec<T>,
    turns: Vec<Turn<T::Lanes>>,
}

impl<T: LaneReal> ReadoutLayer<T> {
    pub(crate) fn new(
        blocks: Blocks,
        decay: Decay<T>,
        bias: Vec<T::Lanes>,
        measure: Measure<T>,
    ) -> Self {
        let (cut, walks, adjoints) = (Cut::new(0), Vec::new(), Adjoints::default());
        Self { blocks, decay, bias, measure, cut, walks, adjoints }
    }

    /// Runs every neuron through the batch and writes its measurements to `values`
    /// (`[sample][neuron]`).
    pub(crate) fn forward(
        &mut self,
        threads: &Threads,
        weights: &[T::Lanes],
        streams: &[Stream<T>],
        values: &mut [T],
    ) {
        self.cut = Cut::new(streams.len());
        let (cut, runs, stride) = (self.cut, self.cut.runs(), self.blocks.count());
        self.walks.resize_with(self.blocks.count() * runs, Walk::default);
        let (decay, measure, bias) = (&self.decay, self.measure, &self.bias);
        threads.each(self.walks.par_iter_mut().enumerate(), |(index, walk)| {
            let (block, run) = (index / runs, cut.samples(index % runs));
            let weights = Column { weights, stride, block };
            walk.run(&weights, bias[block], decay, measure, &streams[run]);
        });
        for (sample, values) in values.chunks_exact_mut(self.blocks.targets).enumerate() {
            let (run, place) = cut.find(sample);
            for (block, values) in values.chunks_mut(LANES).enumerate() {
                let lanes = self.walks[block * runs + run].values[place].to_array();
                values.copy_from_slice(&lanes[..values.len()]);
            }
        }
    }

    /// Runs the adjoint backward from the loss's derivatives by the measurements
    /// (`[sample][neuron]`), leaves the gradient by the weights in `rows` and, where wanted, the
    /// errors of the arrivals in `streams`.
    pub(crate) fn backward(
        &mut self,
        threads: &Threads,
        rows: Rows<'_, T>,
        streams: &mut [Stream<T>],
        derivatives: &[T],
        errors_below: bool,
    ) {
        let mut adjoints = std::mem::take(&mut self.adjoints);
        let (targets, decay) = (self.blocks.targets, &self.decay);
        adjoints.run(
            threads,
            self.blocks,
            rows,
            streams,
            errors_below,
            |scratch, sample, mut sweep| {
                let blocks = sweep.blocks.clone();
                let derivative = |block: usize| {
                    let first = sample * targets + block * LANES;
                    let count = (targets - block * LANES).min(LANES);
                    let mut lanes = [T::zero(); LANES];
                    lanes[..count].copy_from_slice(&derivatives[first..first + count]);
                    T::Lanes::from_array(lanes)
                };
                let (run, place) = self.cut.find(sample);
                let peak = |block: usize| &self.walks[block * self.cut.runs() + run].peaks[place];
                let mut adjoint = Adjoint {
                    ratio: decay.adjoint_ratio(),
                    scale: -decay.tau_syn.recip(),
                    injections: &[],
                    forcing: None,
                };
                match self.measure {
                    Measure::Max => {
                        scratch.injections.clear();
                        for block in blocks.clone() {
                            let (peak, first) = (peak(block), (block * LANES) as u32);
                            let injections = &mut scratch.injections;
                            inject(peak, derivative(block), decay, sweep.stream, first, injections);
                        }
                        scratch.injections.sort_unstable_by_key(|injection| {
                            (Reverse(injection.interval), injection.neuron)
                        });
                        adjoint.injections = &scratch.injections;
                        sweep.run(&adjoint);
                        if let Some(errors) = &mut sweep.errors {
                            for (place, block) in blocks.clone().enumerate() {
                                let (peak, derivative) = (peak(block), derivative(block));
                                let add = |event: usize, error| {
                                    errors[event * blocks.len() + place] += error;
                                };
                                let (weights, stride) = (sweep.weights, sweep.stride);
                                let column = Column { weights, stride, block };
                                move_kinks(peak, derivative, decay, sweep.stream, &column, add);
                            }
                        }
                    }
                    Measure::Mean { rate, duration } => {
                        let Scratch { factors, amplitudes, .. } = scratch;
                        set_factors(factors, rate, duration, sweep.stream);
                        let mean = Mean { rate, duration, factors };
                        amplitudes.clear();
                        amplitudes
                            .extend(blocks.map(|block| mean.forcing(derivative(block), decay)));
                        adjoint.forcing = Some(Forcing { amplitudes, factors });
                        sweep.run(&adjoint);
                    }
                }
            },
        );
        self.adjoints = adjoints;
    }
}

impl<T: LaneReal> Walk<T> {
    fn run(
        &mut self,
        weights: &Column<'_, T>,
        bias: T::Lanes,
        decay: &Decay<T>,
        measure: Measure<T>,
        streams: &[Stream<T>],
    ) {
        self.values.clear();
        self.peaks.clear();
        for stream in streams {
            match measure {
                Measure::Max => {
                    let peak = highest(weights, bias, decay, stream, &mut self.turns);
                    self.values.push(peak.voltage + bias);
                    self.peaks.push(peak);
                }
                Measure::Mean { rate, duration } => {
                    set_factors(&mut self.factors, rate, duration, stream);
                    let mean = Mean { rate, duration, factors: &self.factors };
                    self.values.push(mean.value(weights, bias, decay, stream));
                }
            }
        }
    }
}

/// The weights to one block.
struct Column<'a, T: LaneReal> {
    weights: &'a [T::Lanes],
    stride: usize,
    block: usize,
}

impl<T: LaneReal> Column<'_, T> {
    /// `sum` and the weights from `sources`.
    #[inline(always)]
    fn add_to(&self, sum: T::Lanes, sources: &[u32]) -> T::Lanes {
        let rows = sources.iter().map(|&source| source as usize * self.stride + self.block);
        rows.fold(sum, |sum, row| sum + self.weights[row])
    }

    fn weight(&self, source: u32, lane: usize) -> T {
        self.weights[source as usize * self.stride + self.block].to_array()[lane]
    }
}
