use super::injections::Injection;
use crate::crossing::Spike;
use crate::decay::Decay;
use crate::lanes::{LANES, LaneReal, Lanes};
use crate::math::exp;
use crate::sample::SampleSpikes;

/// How a spiking layer's jumps depart from the exact adjoint.
#[derive(Clone, Copy, Debug)]
pub(crate) struct JumpSettings<T> {
    /// The least slope tau_mem V' to divide by, in units of the threshold.
    pub(crate) slope_floor: T,
    /// (target, strength / batch) of the rate regulariser.
    pub(crate) rate: Option<(T, T)>,
}

/// What a neuron's jumps depend on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Height<T> {
    /// Its threshold, not counted from the bias.
    pub(crate) threshold: T,
    /// Its threshold minus its reset: what a spike takes from the voltage.
    pub(crate) fall: T,
}

/// Scratch for the jumps of lambda_V at the spikes of one sample: a number a neuron, a factor a spike.
#[derive(Clone, Debug, Default)]
pub(crate) struct Jumps<T> {
    next: Vec<T>,
    counts: Vec<T>,
    decays: Vec<T>,
    /// How often each neuron has spiked in the samples that came here.
    activity: Vec<u64>,
}

impl<T: LaneReal> Jumps<T> {
    /// The jumps of lambda_V (Wunderlich & Pehle 2021, eq. 3), carried back to the start of each spike's
    /// interval and left in the sample. Between its own spikes lambda_V of a neuron only decays, so
    /// this needs no sweep. Returns the number of grazing spikes.
    pub(crate) fn run(
        &mut self,
        sample: &mut SampleSpikes<T>,
        heights: &[Height<T>],
        decay: &Decay<T>,
        settings: JumpSettings<T>,
    ) -> u64 {
        let Self { next, counts, decays, activity } = self;
        let SampleSpikes { spikes, errors, injections, .. } = sample;
        reset(next, heights.len());
        decays_to_next(spikes, decay.tau_mem, next, decays);
        reset(next, heights.len());
        if settings.rate.is_some() {
            reset(counts, heights.len());
            spikes.iter().for_each(|spike| counts[spike.neuron as usize] += T::one());
        }
        let to_current = decay.adjoint_ratio();
        let next = &mut next[..heights.len()];
        activity.resize(heights.len(), 0);
        injections.clear();
        injections.resize(spikes.len(), Injection::default());
        let mut grazing = 0;
        let known = errors[..spikes.len()].iter().zip(&decays[..spikes.len()]);
        let backward = spikes.iter().zip(known).rev();
        for ((spike, (&error, &factor)), injection) in backward.zip(injections) {
            let neuron = spike.neuron as usize;
            activity[neuron] += 1;
            let Height { threshold, fall } = heights[neuron];
            let least = threshold * settings.slope_floor;
            grazing += u64::from(spike.slope < least);
            // Whatever the floor, rounding must not turn a slope over.
            let slope = greater(greater(spike.slope, least), fall * T::epsilon());
            let after = next[neuron] * factor;
            let mut before = ((spike.slope + fall) * after + error) / slope;
            if let Some((target, strength)) = settings.rate {
                before -= strength * (counts[neuron] - target);
            }
            next[neuron] = before;
            let jump = (before - after) * -decay.tau_syn;
            *injection = Injection {
                voltage: jump * spike.mem,
                current: jump * spike.drive * to_current,
                interval: spike.interval,
                neuron: spike.neuron,
            };
        }
        grazing
    }

    /// Adds how often each neuron spiked to `counts`, and forgets it.
    pub(crate) fn take_activity(&mut self, counts: &mut [u64]) {
        let own = std::mem::take(&mut self.activity);
        counts.iter_mut().zip(own).for_each(|(count, own)| *count += own);
    }
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
    tau_mem: T,
    next: &mut [T],
    decays: &mut Vec<T>,
) {
    decays.resize(spikes.len().next_multiple_of(LANES), T::zero());
    let rate = tau_mem.recip();
    for (spike, decay) in spikes.iter().zip(decays.iter_mut()).rev() {
        let next = &mut next[spike.neuron as usize];
        *decay = (spike.time - *next) * rate;
        *next = spike.time;
    }
    for chunk in decays.chunks_exact_mut(LANES) {
        let lanes: [T; LANES] = std::array::from_fn(|lane| chunk[lane]);
        chunk.copy_from_slice(&exp(T::Lanes::from_array(lanes)).to_array());
    }
}
