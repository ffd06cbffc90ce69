use super::backward::{Adjoint, Injection, sweep};
use super::{Blocks, Cut, Task, TaskErrors, collect_errors, forward, with_gradients};
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
    tasks: Vec<SpikingTask<T>>,
}

/// How a spiking layer's jumps depart from the exact adjoint.
#[derive(Clone, Copy, Debug)]
pub(crate) struct JumpSettings<T> {
    /// The least slope tau_mem V' to divide by, in units of the threshold.
    pub(crate) slope_floor: T,
    /// (target, strength / batch) of the rate regulariser.
    pub(crate) rate: Option<(T, T)>,
}

#[derive(Clone, Debug, Default)]
struct SpikingTask<T: LaneReal> {
    /// The spikes of the block, sample after sample.
    spikes: Vec<Spike<T>>,
    offsets: Vec<usize>,
    ran_away: Option<usize>,
    injections: Vec<Injection<T>>,
    decays: Vec<T>,
    grazing: u64,
    activity: [u64; LANES],
    partial: Vec<T::Lanes>,
    errors: TaskErrors<T>,
}

impl<T: LaneReal> Task<T> for SpikingTask<T> {
    fn partial(&mut self) -> &mut Vec<T::Lanes> {
        &mut self.partial
    }

    fn errors(&self) -> &TaskErrors<T> {
        &self.errors
    }
}

impl<T: LaneReal> SpikingLayer<T> {
    pub(crate) fn new(
        name: String,
        blocks: Blocks,
        decay: Decay<T>,
        neurons: Vec<Neurons<T::Lanes>>,
    ) -> Self {
        let solver = solver(decay);
        Self { name, blocks, decay, solver, neurons, cut: Cut::default(), tasks: Vec::new() }
    }

    /// Runs every neuron through the batch.
    pub(crate) fn forward(
        &mut self,
        weights: &[T::Lanes],
        streams: &[Stream<T>],
    ) -> Result<(), EngineError> {
        self.cut = Cut::new(self.blocks.count(), streams.len());
        self.tasks.resize_with(self.cut.tasks(), SpikingTask::default);
        let (cut, solver, neurons) = (self.cut, &*self.solver, &self.neurons);
        let sources = self.blocks.sources;
        self.tasks.par_iter_mut().enumerate().for_each(|(index, task)| {
            let block = cut.block(index);
            let weights = &weights[block * sources..][..sources];
            task.forward(weights, &neurons[block], solver, &streams[cut.samples(index)]);
        });
        match self.tasks.iter().enumerate().find_map(|(index, task)| Some((index, task.ran_away?)))
        {
            Some((index, place)) => Err(EngineError::Runaway {
                layer: self.name.clone(),
                sample: cut.samples(index).start + place,
                bound: MAX_SPIKES_PER_INTERVAL,
            }),
            None => Ok(()),
        }
    }

    /// Merges the blocks' spikes of each sample.
    pub(crate) fn merge(&self, samples: &mut [SampleSpikes<T>]) {
        samples.par_iter_mut().enumerate().for_each(|(sample, merged)| {
            merged.clear();
            for block in 0..self.blocks.count() {
                let (task, place) = self.cut.find(block, sample);
                merged.push_block(block, self.tasks[task].of(place));
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
        let (cut, neurons, decay, sources) =
            (self.cut, &self.neurons, &self.decay, self.blocks.sources);
        let inputs = &*streams;
        with_gradients(cut, sources, &mut self.tasks, gradient, |index, task, gradient| {
            let block = cut.block(index);
            let weights = &weights[block * sources..][..sources];
            let run = cut.samples(index);
            if errors_below {
                task.errors.reset(&inputs[run.clone()]);
            }
            task.grazing = 0;
            for (place, sample) in run.enumerate() {
                let errors = samples[sample].errors_of_block(block);
                task.jumps(place, errors, &neurons[block], decay, settings);
                let adjoint = Adjoint {
                    ratio: decay.adjoint_ratio(),
                    scale: -decay.tau_syn.recip(),
                    injections: &task.injections,
                    forcing: None,
                };
                let errors = errors_below.then(|| task.errors.of_mut(place));
                sweep(weights, gradient, &inputs[sample], &adjoint, errors);
            }
        });
        if errors_below {
            collect_errors(cut, &self.tasks, streams);
        }
        self.tasks.iter().map(|task| task.grazing).sum()
    }

    /// Adds the spikes of the batch to each neuron's count.
    pub(crate) fn count_activity(&self, counts: &mut [u64]) {
        for (index, task) in self.tasks.iter().enumerate() {
            let first = self.cut.block(index) * LANES;
            for (count, spikes) in counts[first..].iter_mut().zip(task.activity) {
                *count += spikes;
            }
        }
    }
}

impl<T: LaneReal> SpikingTask<T> {
    fn forward(
        &mut self,
        weights: &[T::Lanes],
        neurons: &Neurons<T::Lanes>,
        solver: &dyn Solver<T>,
        streams: &[Stream<T>],
    ) {
        self.spikes.clear();
        self.offsets.clear();
        self.offsets.push(0);
        self.ran_away = None;
        self.activity = [0; LANES];
        for (place, stream) in streams.iter().enumerate() {
            let first = self.spikes.len();
            if !forward::spike(weights, neurons, solver, stream, &mut self.spikes) {
                self.ran_away = Some(place);
                return;
            }
            let spikes = &mut self.spikes[first..];
            solver.set_times(spikes, &|interval| stream.groups[interval as usize].time);
            for spike in spikes {
                self.activity[spike.lane as usize] += 1;
            }
            self.offsets.push(self.spikes.len());
        }
    }

    fn of(&self, place: usize) -> &[Spike<T>] {
        &self.spikes[self.offsets[place]..self.offsets[place + 1]]
    }

    /// The jumps of lambda_V at the block's spikes in one sample (Wunderlich & Pehle 2021, eq. 3),
    /// carried back to the start of each spike's interval. Between its own spikes lambda_V of a
    /// neuron only decays, so this needs no sweep.
    fn jumps(
        &mut self,
        place: usize,
        errors: &[T],
        neurons: &Neurons<T::Lanes>,
        decay: &Decay<T>,
        settings: JumpSettings<T>,
    ) {
        let spikes = &self.spikes[self.offsets[place]..self.offsets[place + 1]];
        self.injections.clear();
        if spikes.is_empty() {
            return;
        }
        decays_to_next(spikes, decay.tau_mem, &mut self.decays);
        self.injections.resize(spikes.len(), Injection::default());
        let (threshold, reset) = (neurons.threshold.to_array(), neurons.reset.to_array());
        let mut next = [T::zero(); LANES];
        let rate_pull = |lane: usize| {
            settings.rate.map_or(T::zero(), |(target, strength)| {
                let count = spikes.iter().filter(|spike| spike.lane as usize == lane).count();
                strength * (T::of(count as f64) - target)
            })
        };
        for (position, spike) in spikes.iter().enumerate().rev() {
            let lane = spike.lane as usize;
            let height = threshold[lane] - reset[lane];
            let least = height * settings.slope_floor;
            if spike.slope < least {
                self.grazing += 1;
            }
            // Whatever the floor, rounding must not turn a slope over.
            let slope = spike.slope.max(least).max(height * T::epsilon());
            let after = next[lane] * self.decays[position];
            let before =
                ((spike.slope + height) * after + errors[position]) / slope - rate_pull(lane);
            next[lane] = before;
            let jump = (before - after) * -decay.tau_syn;
            self.injections[position] = Injection {
                voltage: jump * spike.mem,
                current: jump * spike.drive * decay.adjoint_ratio(),
                interval: spike.interval,
                lane: spike.lane,
            };
        }
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
