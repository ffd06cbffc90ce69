//! Threshold crossings of sixteen neurons inside one interval.
//!
//! A voltage u(s) = u mem(s) + I drive(s) has at most one maximum where I > 0, and at most one minimum and no maximum where
//! I < 0, so at most one upward crossing before the reset. What differs between time constants is how it is found:
//! [`Polynomial`] solves in x = exp(-s/tau_mem), where it is a polynomial if tau_mem/tau_syn is an
//! integer; [`Exponential`] solves in s for any constants.

mod contenders;
mod exponential;
mod found;
mod gathered;
mod places;
mod polynomial;

pub(crate) use contenders::Contenders;
pub(crate) use exponential::Exponential;
pub(crate) use found::Found;
pub(crate) use gathered::{Course, Gathered};
pub(crate) use places::places;
pub(crate) use polynomial::Polynomial;

use crate::decay::Step;
use crate::lanes::{LaneReal, Lanes};

/// Most spikes of one neuron between two arrivals: beyond it the network has run away.
pub(crate) const MAX_SPIKES_PER_INTERVAL: usize = 10_000;

/// A spike as the forward pass leaves it for the backward pass.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub(crate) struct Spike<T> {
    /// Time in ms (until a walk ends: the solver's mark of it).
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
