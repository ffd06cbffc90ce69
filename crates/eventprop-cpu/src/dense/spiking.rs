use super::adjoints::{Adjoints, Scratch};
use super::backward::{Adjoint, Injection};
use super::{Blocks, State, Tile};
use crate::crossing::{MAX_SPIKES_PER_INTERVAL, Neurons, Solver, Spike, solver};
use crate::decay::Decay;
use crate::lanes::{LANES, LaneReal, Lanes};
use crate::math::exp;
use crate::sample::SampleSpikes;
use crate::stream::Stream;
use lif_core::engine::EngineError;
use rayon::prelude::*;
use std::ops::Range;

/// A dense layer of leaky integrate-and-fire neurons.
pub(crate) struct SpikingLayer<T: LaneReal> {
    name: String,
    blocks: Blocks,
    decay: Decay<T>,
    solver: Box<dyn Solver<T>>,
    neurons: Neurons<T>,
    /// Threshold minus reset, by neuron.
    heights: Vec<T>,
    /// Where there are several tiles: the spikes of `[tile][sample]`.
    tiles: Vec<Vec<Spike<T>>>,
    adjoints: Adjoints<T>,
}

/// How a spiking layer's jumps depart from the exact adjoint.
#[derive(Clone, Copy, Debug)]
pub(crate) struct JumpSettings<T> {
    /// The least slope tau_mem V' to divide by, in units of the threshold.
    pub(crate) slope_floor: T,
    /// (target, strength / batch) of the rate regulariser.
    pub(crate) rate: Option<(T, T)>,
}

/// Bytes of weights that are walked together, at most: they are to stay in a core's cache from one
/// sample to the next.
const TILE_BYTES: usize = 5 << 18;

impl<T: LaneReal> SpikingLayer<T> {
    pub(crate) fn new(name: String, blocks: Blocks, decay: Decay<T>, neurons: Neurons<T>) -> Self {
        let thresholds = T::Lanes::scalars(&neurons.threshold).iter();
        let resets = T::Lanes::scalars(&neurons.reset);
        let heights =
            thresholds.zip(resets).map(|(&threshold, &reset)| threshold - reset).collect();
        let (solver, tiles, adjoints) = (solver(decay), Vec::new(), Adjoints::default());
        Self { name, blocks, decay, solver, neurons, heights, tiles, adjoints }
    }

    /// Runs every neuron through the batch and leaves the spikes of each sample in `samples`.
    pub(crate) fn forward(
        &mut self,
        weights: &[T::Lanes],
        streams: &[Stream<T>],
        samples: &mut [SampleSpikes<T>],
    ) -> Result<(), EngineError> {
        let (blocks, neurons, solver) = (self.blocks.count(), &self.neurons, &*self.solver);
        let most = TILE_BYTES / (self.blocks.sources * size_of::<T::Lanes>()).max(1);
        let count = blocks.div_ceil(most.max(1));
        let walk = |state: &mut State<T>,
                    tile: usize,
                    sample: usize,
                    spikes: &mut Vec<Spike<T>>| {
            let blocks = tile * blocks / count..(tile + 1) * blocks / count;
            let tile = Tile { weights, stride: self.blocks.count(), blocks, neurons };
            if solver.walk(&tile, &streams[sample], state, spikes) { None } else { Some(sample) }
        };
        let ran_away = if count == 1 {
            let samples = samples.par_iter_mut().enumerate();
            samples
                .map_init(State::default, |state, (sample, merged)| {
                    walk(state, 0, sample, &mut merged.spikes)
                })
                .reduce(|| None, earliest)
        } else {
            self.tiles.resize_with(count * streams.len(), Vec::new);
            let tiles = self.tiles.par_iter_mut().enumerate();
            let ran_away = tiles
                .map_init(State::default, |state, (index, spikes)| {
                    walk(state, index / streams.len(), index % streams.len(), spikes)
                })
                .reduce(|| None, earliest);
            merge(&self.tiles, samples);
            ran_away
        };
        match ran_away {
            Some(sample) => Err(EngineError::Runaway {
                layer: self.name.clone(),
                sample,
                bound: MAX_SPIKES_PER_INTERVAL,
            }),
            None => Ok(()),
        }
    }

    /// Runs the adjoint backward from the errors of each spike in `samples`, leaves the gradient by
    /// the weights in `gradient` and, where wanted, the errors of the arrivals in `streams`. Returns
    /// the number of grazing spikes.
    pub(crate) fn backward(
        &mut self,
        weights: &[T::Lanes],
        gradient: &mut [T::Lanes],
        streams: &mut [Stream<T>],
        samples: &[SampleSpikes<T>],
        settings: JumpSettings<T>,
        errors_below: bool,
    ) -> u64 {
        let mut adjoints = std::mem::take(&mut self.adjoints);
        let decay = &self.decay;
        let grazing = adjoints.run(
            self.blocks,
            weights,
            gradient,
            streams,
            errors_below,
            |scratch, sample, mut sweep| {
                let neurons = sweep.blocks.start * LANES..sweep.blocks.end * LANES;
                jumps(scratch, &samples[sample], neurons, &self.heights, decay, settings);
                sweep.run(&Adjoint {
                    ratio: decay.adjoint_ratio(),
                    scale: -decay.tau_syn.recip(),
                    injections: &scratch.injections,
                    forcing: None,
                });
            },
        );
        self.adjoints = adjoints;
        grazing
    }
}

/// Of two samples that ran away, the first.
fn earliest(a: Option<usize>, b: Option<usize>) -> Option<usize> {
    a.into_iter().chain(b).min()
}

/// Brings the spikes of all tiles of each sample into one order.
fn merge<T: LaneReal>(tiles: &[Vec<Spike<T>>], samples: &mut [SampleSpikes<T>]) {
    let count = samples.len();
    samples.par_iter_mut().enumerate().for_each(|(sample, merged)| {
        merged.spikes.clear();
        for spikes in tiles.iter().skip(sample).step_by(count) {
            merged.spikes.extend_from_slice(spikes);
        }
        // The stable sort finds the runs that it is to merge.
        merged.spikes.sort_by(Spike::order);
    });
}

/// The jumps of lambda_V at the spikes of some neurons in one sample (Wunderlich & Pehle 2021,
/// eq. 3), carried back to the start of each spike's interval. Between its own spikes lambda_V of a
/// neuron only decays, so this needs no sweep.
fn jumps<T: LaneReal>(
    scratch: &mut Scratch<T>,
    sample: &SampleSpikes<T>,
    neurons: Range<usize>,
    heights: &[T],
    decay: &Decay<T>,
    settings: JumpSettings<T>,
) {
    let Scratch { injections, factors, of_neurons: [next, counts], grazing, .. } = scratch;
    let spikes = &sample.spikes[..];
    reset(next, neurons.len());
    decays_to_next(spikes, &neurons, decay.tau_mem, next, factors);
    reset(next, neurons.len());
    if settings.rate.is_some() {
        reset(counts, neurons.len());
        for spike in spikes {
            if let Some(count) = counts.get_mut((spike.neuron as usize).wrapping_sub(neurons.start))
            {
                *count += T::one();
            }
        }
    }
    let to_current = decay.adjoint_ratio();
    let heights = &heights[neurons.clone()];
    let next = &mut next[..heights.len()];
    injections.resize(spikes.len(), Injection::default());
    let (mut found, mut grazed) = (0, 0);
    let known = sample.errors[..spikes.len()].iter().zip(&factors[..spikes.len()]);
    for (spike, (&error, &factor)) in spikes.iter().zip(known).rev() {
        let place = (spike.neuron as usize).wrapping_sub(neurons.start);
        if place >= heights.len() {
            continue;
        }
        let height = heights[place];
        let least = height * settings.slope_floor;
        grazed += u64::from(spike.slope < least);
        // Whatever the floor, rounding must not turn a slope over.
        let slope = greater(greater(spike.slope, least), height * T::epsilon());
        let after = next[place] * factor;
        let mut before = ((spike.slope + height) * after + error) / slope;
        if let Some((target, strength)) = settings.rate {
            before -= strength * (counts[place] - target);
        }
        next[place] = before;
        let jump = (before - after) * -decay.tau_syn;
        injections[found] = Injection {
            voltage: jump * spike.mem,
            current: jump * spike.drive * to_current,
            interval: spike.interval,
            place: place as u32,
        };
        found += 1;
    }
    injections.truncate(found);
    *grazing += grazed;
}

/// The greater of two numbers that are none of them NaN: one instruction, where `max` takes three.
#[inline(always)]
fn greater<T: LaneReal>(a: T, b: T) -> T {
    if a > b { a } else { b }
}

fn reset<T: LaneReal>(values: &mut Vec<T>, len: usize) {
    values.clear();
    values.resize(len, T::zero());
}

/// Writes to `decays`, for each spike, exp(-dt/tau_mem) over the time to the same neuron's next spike
/// (anything finite where there is none).
fn decays_to_next<T: LaneReal>(
    spikes: &[Spike<T>],
    neurons: &Range<usize>,
    tau_mem: T,
    next: &mut [T],
    decays: &mut Vec<T>,
) {
    decays.resize(spikes.len().next_multiple_of(LANES), T::zero());
    let rate = tau_mem.recip();
    for (spike, decay) in spikes.iter().zip(decays.iter_mut()).rev() {
        if let Some(next) = next.get_mut((spike.neuron as usize).wrapping_sub(neurons.start)) {
            *decay = (spike.time - *next) * rate;
            *next = spike.time;
        }
    }
    for chunk in decays.chunks_exact_mut(LANES) {
        let lanes: [T; LANES] = std::array::from_fn(|lane| chunk[lane]);
        chunk.copy_from_slice(&exp(T::Lanes::from_array(lanes)).to_array());
    }
}
