//! Threshold crossings of sixteen neurons inside one interval.
//!
//! A voltage u(s) = u mem(s) + I drive(s) has at most one maximum where I > 0, so at most one
//! upward crossing before the reset. What differs between time constants is how it is found:
//! [`Polynomial`] solves in x = exp(-s/tau_mem), where it is a polynomial if tau_mem/tau_syn is an
//! integer; [`Exponential`] solves in s for any constants.

mod contenders;
mod exponential;
mod found;
mod gathered;
mod places;
mod polynomial;

pub(crate) use contenders::Contenders;
pub(crate) use found::Found;
pub(crate) use gathered::{Course, Gathered};
pub(crate) use places::places;

use crate::decay::{Decay, Step};
use crate::dense::{State, Tile, walk};
use crate::lanes::{LANES, LaneReal, Lanes};
use crate::stream::Stream;
use exponential::Exponential;
use polynomial::Polynomial;

/// Most spikes of one neuron between two arrivals: beyond it the network has run away.
pub(crate) const MAX_SPIKES_PER_INTERVAL: usize = 10_000;

/// A spike as the forward pass leaves it for the backward pass.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub(crate) struct Spike<T> {
    /// Time in ms (until [`Solver::walk`] ends: the solver's mark of it).
    pub(crate) time: T,
    /// tau_mem V' just before the spike.
    pub(crate) slope: T,
    /// Decay of a voltage from the start of the interval to the spike.
    pub(crate) mem: T,
    /// What a current at the start of the interval has added to the voltage at the spike.
    pub(crate) drive: T,
    /// The group that opened the interval.
    pub(crate) interval: u32,
    /// The neuron's place in its layer.
    pub(crate) neuron: u32,
}

/// The constants of a layer's neurons, block by block; voltages count from the bias.
#[derive(Clone, Debug, Default)]
pub(crate) struct Neurons<T: LaneReal> {
    /// Voltage at time 0.
    pub(crate) start: Vec<T::Lanes>,
    /// Threshold.
    pub(crate) threshold: Vec<T::Lanes>,
    /// Voltage after a spike.
    pub(crate) reset: Vec<T::Lanes>,
}

/// A way to find crossings, and with it to run whole samples.
pub(crate) trait Solver<T: LaneReal>: Send + Sync {
    /// Runs the neurons of a tile through one sample and leaves their spikes in `spikes`, in order
    /// of time; false if a neuron runs away.
    fn walk(
        &self,
        tile: &Tile<'_, T>,
        stream: &Stream<T>,
        state: &mut State<T>,
        spikes: &mut Vec<Spike<T>>,
    ) -> bool;
}

impl<T: LaneReal, R: Roots<T>> Solver<T> for R {
    fn walk(
        &self,
        tile: &Tile<'_, T>,
        stream: &Stream<T>,
        state: &mut State<T>,
        spikes: &mut Vec<Spike<T>>,
    ) -> bool {
        state.found.clear();
        let completed = walk(self, tile, stream, state);
        set_times(self, &mut state.found.spikes, stream);
        state.found.sort_into(spikes);
        completed
    }
}

/// Turns the marks of spikes into times. No rounding takes a spike out of its interval.
#[inline(always)]
fn set_times<T: LaneReal>(roots: &impl Roots<T>, spikes: &mut [Spike<T>], stream: &Stream<T>) {
    let mut marks = roots.origin::<T::Lanes>().to_array();
    for chunk in spikes.chunks_mut(LANES) {
        for (mark, spike) in marks.iter_mut().zip(&*chunk) {
            *mark = spike.time;
        }
        let elapsed = roots.elapsed(T::Lanes::from_array(marks)).to_array();
        for (spike, elapsed) in chunk.iter_mut().zip(elapsed) {
            let (start, end) = stream.span(spike.interval as usize);
            spike.time = (start + elapsed).min(end);
        }
    }
}

/// The solver for a layer's time constants.
pub(crate) fn solver<T: LaneReal>(decay: Decay<T>) -> Box<dyn Solver<T>> {
    match decay.integer_ratio() {
        Some(2) => Box::new(Polynomial::<T, 2>(decay)),
        Some(3) => Box::new(Polynomial::<T, 3>(decay)),
        Some(4) => Box::new(Polynomial::<T, 4>(decay)),
        Some(5) => Box::new(Polynomial::<T, 5>(decay)),
        Some(6) => Box::new(Polynomial::<T, 6>(decay)),
        Some(7) => Box::new(Polynomial::<T, 7>(decay)),
        Some(8) => Box::new(Polynomial::<T, 8>(decay)),
        Some(9) => Box::new(Polynomial::<T, 9>(decay)),
        Some(10) => Box::new(Polynomial::<T, 10>(decay)),
        _ => Box::new(Exponential(decay)),
    }
}

/// Whether each neuron may cross in an interval: it ends above the threshold, or it falls at the end
/// and could have been above it before (there the current equals the voltage, and it only decays).
#[inline(always)]
fn candidates<L: Lanes>(threshold: L, current: L, u_end: L, current_end: L) -> L {
    u_end.gt(threshold) | (current.gt(threshold) & u_end.gt(current_end))
}

/// Whether each neuron may cross in an interval of a given [`reach`](crate::stream::Group::reach): a bound
/// that is quick to find and, in a short interval, close. All [`candidates`] that cross are among these.
#[inline(always)]
pub(crate) fn suspects<L: Lanes>(threshold: L, current: L, u_end: L, reach: L) -> L {
    current.fast_max(L::zero()).mul_add(reach, u_end).gt(threshold)
}

/// What a solver knows of one crossing a lane. A crossing is marked by a number that stands for the
/// time since the interval's start.
pub(crate) trait Roots<T: LaneReal>: Send + Sync {
    /// Whether the maximum of each voltage, if it lies inside, is above the threshold.
    fn peak_above<L: Lanes<Scalar = T>>(&self, u: L, current: L, threshold: L) -> L;

    /// For the lanes of `spiking`, the step from the start to the crossing and its mark; the crossing
    /// lies before the end of `rest`.
    fn root<L: Lanes<Scalar = T>>(
        &self,
        u: L,
        current: L,
        threshold: L,
        spiking: L,
        rest: &Rest<L>,
    ) -> (Step<L>, L);

    /// The mark of a crossing found `mark` after another at `before`.
    fn join<L: Lanes<Scalar = T>>(&self, before: L, mark: L) -> L;

    /// The mark of the start.
    fn origin<L: Lanes<Scalar = T>>(&self) -> L;

    /// The time in ms that a mark stands for.
    fn elapsed<L: Lanes<Scalar = T>>(&self, mark: L) -> L;
}

/// What is left of an interval.
#[derive(Clone, Copy)]
pub(crate) struct Rest<L> {
    /// Decay of the voltage over it.
    pub(crate) mem: L,
    /// Its length in ms.
    pub(crate) dt: L,
}
