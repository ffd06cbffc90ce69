use super::adjoints::{AdjointTask, Adjoints};
use super::backward::{Adjoint, Injection, units};
use super::{Blocks, Cut, Walked};
use crate::crossing::{MAX_SPIKES_PER_INTERVAL, Neurons, Solver, Spike, solver};
use crate::decay::Decay;
use crate::lanes::{LANES, LaneReal, Lanes};
use crate::math::exp;
use crate::sample::SampleSpikes;
use crate::stream::Stream;
use lif_core::engine::EngineError;
use rayon::prelude::*;

/// A dense layer of leaky integrate-and-fire neurons.
pub(crate) struct SpikingLayer<T: LaneReal> {
    name: String,
    blocks: Blocks,
    decay: Decay<T>,
    solver: Box<dyn Solver<T>>,
    neurons: Vec<Neurons<T::Lanes>>,
    cut: Cut,
    /// `[pair of blocks][run]`.
    walks: Vec<Walk<T>>,
    adjoints: Adjoints<T>,
    units: [T::Lanes; LANES],
}

/// How a spiking layer's jumps depart from the exact adjoint.
#[derive(Clone, Copy, Debug)]
pub(crate) struct JumpSettings<T> {
    /// The least slope tau_mem V' to divide by, in units of the threshold.
    pub(crate) slope_floor: T,
    /// (target, strength / batch) of the rate regulariser.
    pub(crate) rate: Option<(T, T)>,
}

/// Two blocks and a run of samples, run forward.
#[derive(Clone, Debug, Default)]
struct Walk<T> {
    blocks: [BlockSpikes<T>; 2],
    /// The place in the run of a sample that ran away.
    ran_away: Option<usize>,
}

/// The spikes of one block, sample after sample.
#[derive(Clone, Debug, Default)]
struct BlockSpikes<T> {
    spikes: Vec<Spike<T>>,
    offsets: Vec<usize>,
    /// By neuron, over the run.
    activity: [u64; LANES],
}

impl<T: LaneReal> SpikingLayer<T> {
    pub(crate) fn new(
        name: String,
        blocks: Blocks,
        decay: Decay<T>,
        neurons: Vec<Neurons<T::Lanes>>,
    ) -> Self {
        let (solver, cut) = (solver(decay), Cut::new(0));
        let (walks, adjoints) = (Vec::new(), Adjoints::default());
        Self { name, blocks, decay, solver, neurons, cut, walks, adjoints, units: units::<T>() }
    }

    /// Runs every neuron through the batch.
    pub(crate) fn forward(
        &mut self,
        weights: &[T::Lanes],
        streams: &[Stream<T>],
    ) -> Result<(), EngineError> {
        self.cut = Cut::new(streams.len());
        let (cut, runs, sources) = (self.cut, self.cut.runs(), self.blocks.sources);
        self.walks.resize_with(self.blocks.count().div_ceil(2) * runs, Walk::default);
        let (solver, neurons) = (&*self.solver, &self.neurons);
        self.walks.par_iter_mut().enumerate().for_each(|(index, walk)| {
            let first = index / runs * 2;
            let neurons = &neurons[first..neurons.len().min(first + 2)];
            let weights = &weights[first * sources..][..neurons.len() * sources];
            walk.run(weights, neurons, solver, &streams[cut.samples(index % runs)]);
        });
        let ran_away =
            self.walks.iter().enumerate().find_map(|(index, walk)| Some((index, walk.ran_away?)));
        match ran_away {
            Some((index, place)) => Err(EngineError::Runaway {
                layer: self.name.clone(),
                sample: cut.samples(index % runs).start + place,
                bound: MAX_SPIKES_PER_INTERVAL,
            }),
            None => Ok(()),
        }
    }

    /// The spikes of a block in a sample.
    fn spikes(&self, block: usize, sample: usize) -> &[Spike<T>] {
        let (run, place) = self.cut.find(sample);
        self.walks[block / 2 * self.cut.runs() + run].blocks[block % 2].of(place)
    }

    /// Merges the blocks' spikes of each sample.
    pub(crate) fn merge(&self, samples: &mut [SampleSpikes<T>]) {
        samples.par_iter_mut().enumerate().for_each(|(sample, merged)| {
            merged.clear();
            for block in 0..self.blocks.count() {
                merged.push_block(block, self.spikes(block, sample));
            }
            merged.sort();
        });
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
            |task, block, sample, mut sweep| {
                let spikes = self.spikes(block, sample);
                let errors = samples[sample].errors_of_block(block);
                jumps(task, spikes, errors, &self.neurons[block], decay, settings);
                sweep.run(&Adjoint {
                    ratio: decay.adjoint_ratio(),
                    scale: -decay.tau_syn.recip(),
                    injections: &task.injections,
                    units: &self.units,
                    forcing: None,
                });
            },
        );
        self.adjoints = adjoints;
        grazing
    }

    /// Adds the spikes of the batch to each neuron's count.
    pub(crate) fn count_activity(&self, counts: &mut [u64]) {
        for (index, walk) in self.walks.iter().enumerate() {
            let first = index / self.cut.runs() * 2 * LANES;
            let activity = walk.blocks.iter().flat_map(|block| block.activity);
            for (count, spikes) in counts[first..].iter_mut().zip(activity) {
                *count += spikes;
            }
        }
    }
}

impl<T: LaneReal> Walk<T> {
    fn run(
        &mut self,
        weights: &[T::Lanes],
        neurons: &[Neurons<T::Lanes>],
        solver: &dyn Solver<T>,
        streams: &[Stream<T>],
    ) {
        self.blocks.iter_mut().for_each(BlockSpikes::clear);
        self.ran_away = None;
        let (first, second) = weights.split_at(weights.len() / neurons.len());
        for (place, stream) in streams.iter().enumerate() {
            let [a, b] = &mut self.blocks;
            let completed = match neurons {
                [one] => solver.walk_one(
                    Walked { weights: first, neurons: one, spikes: &mut a.spikes },
                    stream,
                ),
                _ => solver.walk_two(
                    [
                        Walked { weights: first, neurons: &neurons[0], spikes: &mut a.spikes },
                        Walked { weights: second, neurons: &neurons[1], spikes: &mut b.spikes },
                    ],
                    stream,
                ),
            };
            if !completed {
                self.ran_away = Some(place);
                return;
            }
            for block in &mut self.blocks {
                block.close_sample(solver, stream);
            }
        }
    }
}

impl<T: LaneReal> BlockSpikes<T> {
    fn clear(&mut self) {
        self.spikes.clear();
        self.offsets.clear();
        self.offsets.push(0);
        self.activity = [0; LANES];
    }

    /// Completes the spikes that a sample has added.
    fn close_sample(&mut self, solver: &dyn Solver<T>, stream: &Stream<T>) {
        let first = self.offsets.last().copied().unwrap_or_default();
        let spikes = &mut self.spikes[first..];
        solver.set_times(spikes, &stream.groups);
        for spike in spikes {
            self.activity[spike.lane as usize % LANES] += 1;
        }
        self.offsets.push(self.spikes.len());
    }

    fn of(&self, place: usize) -> &[Spike<T>] {
        &self.spikes[self.offsets[place]..self.offsets[place + 1]]
    }
}

/// The jumps of lambda_V at a block's spikes in one sample (Wunderlich & Pehle 2021, eq. 3), carried
/// back to the start of each spike's interval. Between its own spikes lambda_V of a neuron only
/// decays, so this needs no sweep.
fn jumps<T: LaneReal>(
    task: &mut AdjointTask<T>,
    spikes: &[Spike<T>],
    errors: &[T],
    neurons: &Neurons<T::Lanes>,
    decay: &Decay<T>,
    settings: JumpSettings<T>,
) {
    task.injections.clear();
    if spikes.is_empty() {
        return;
    }
    decays_to_next(spikes, decay.tau_mem, &mut task.factors);
    task.injections.resize(spikes.len(), Injection::default());
    let (threshold, reset) = (neurons.threshold.to_array(), neurons.reset.to_array());
    let mut next = [T::zero(); LANES];
    let rate_pull = |lane: usize| {
        settings.rate.map_or(T::zero(), |(target, strength)| {
            let count = spikes.iter().filter(|spike| spike.lane as usize == lane).count();
            strength * (T::of(count as f64) - target)
        })
    };
    for (position, spike) in spikes.iter().enumerate().rev() {
        let lane = spike.lane as usize % LANES;
        let height = threshold[lane] - reset[lane];
        let least = height * settings.slope_floor;
        if spike.slope < least {
            task.grazing += 1;
        }
        // Whatever the floor, rounding must not turn a slope over.
        let slope = spike.slope.max(least).max(height * T::epsilon());
        let after = next[lane] * task.factors[position];
        let before = ((spike.slope + height) * after + errors[position]) / slope - rate_pull(lane);
        next[lane] = before;
        let jump = (before - after) * -decay.tau_syn;
        task.injections[position] = Injection {
            voltage: jump * spike.mem,
            current: jump * spike.drive * decay.adjoint_ratio(),
            interval: spike.interval,
            lane: lane as u32,
        };
    }
}

/// Writes to `decays`, for each spike, exp(-dt/tau_mem) over the time to the same neuron's next spike
/// (1 where there is none).
fn decays_to_next<T: LaneReal>(spikes: &[Spike<T>], tau_mem: T, decays: &mut Vec<T>) {
    decays.clear();
    decays.resize(spikes.len().next_multiple_of(LANES), T::zero());
    let mut next = [None; LANES];
    let mut any = false;
    for (position, spike) in spikes.iter().enumerate().rev() {
        let next = &mut next[spike.lane as usize];
        if let Some(next) = *next {
            decays[position] = (spike.time - next) / tau_mem;
            any = true;
        }
        *next = Some(spike.time);
    }
    if !any {
        decays.fill(T::one());
        return;
    }
    for chunk in decays.chunks_exact_mut(LANES) {
        let lanes: [T; LANES] = std::array::from_fn(|lane| chunk[lane]);
        chunk.copy_from_slice(&exp(T::Lanes::from_array(lanes)).to_array());
    }
}
