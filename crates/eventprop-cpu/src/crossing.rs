//! Threshold crossings of sixteen neurons inside one interval.
//!
//! A voltage u(s) = u mem(s) + I drive(s) has at most one maximum where I > 0, so at most one
//! upward crossing before the reset. What differs between time constants is how it is found:
//! [`Polynomial`] solves in x = exp(-s/tau_mem), where it is a polynomial if tau_mem/tau_syn is an
//! integer; [`Exponential`] solves in s for any constants.

mod exponential;
mod polynomial;

pub(crate) use exponential::Exponential;
pub(crate) use polynomial::Polynomial;

use crate::decay::{Decay, Step};
use crate::lanes::{LANES, LaneReal, Lanes};

/// Most spikes of one neuron between two arrivals: beyond it the network has run away.
pub(crate) const MAX_SPIKES_PER_INTERVAL: usize = 10_000;

/// A spike as the forward pass leaves it for the backward pass.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub(crate) struct Spike<T> {
    /// Time in ms (until [`Solver::set_times`] has run: the solver's mark of it).
    pub(crate) time: T,
    /// tau_mem V' just before the spike.
    pub(crate) slope: T,
    /// Decay of a voltage from the start of the interval to the spike.
    pub(crate) mem: T,
    /// What a current at the start of the interval has added to the voltage at the spike.
    pub(crate) drive: T,
    /// The group that opened the interval.
    pub(crate) interval: u32,
    /// The neuron's place in its block.
    pub(crate) lane: u32,
}

/// The constants of a block's neurons; voltages count from the bias.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Neurons<L> {
    /// Voltage at time 0.
    pub(crate) start: L,
    /// Threshold.
    pub(crate) threshold: L,
    /// Voltage after a spike.
    pub(crate) reset: L,
}

/// An interval in which some neurons may spike.
pub(crate) struct Interval<L> {
    /// Voltage at its start.
    pub(crate) u: L,
    /// Current at its start.
    pub(crate) current: L,
    /// Voltage at its end, if no neuron spikes.
    pub(crate) u_end: L,
    /// Current at its end.
    pub(crate) current_end: L,
    /// Its step.
    pub(crate) step: Step<L>,
    /// Its length in ms.
    pub(crate) dt: L,
    /// The group that opened it.
    pub(crate) index: u32,
}

/// A way to find crossings.
pub(crate) trait Solver<T: LaneReal>: Send + Sync {
    /// Records every spike of the interval in `spikes` and returns the voltages at its end; none if
    /// a neuron runs away.
    fn spikes(
        &self,
        neurons: &Neurons<T::Lanes>,
        interval: &Interval<T::Lanes>,
        spikes: &mut Vec<Spike<T>>,
    ) -> Option<T::Lanes>;

    /// Turns the marks of spikes into times, given the time at which each one's interval starts.
    fn set_times(&self, spikes: &mut [Spike<T>], start: &dyn Fn(u32) -> T);
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
pub(crate) fn candidates<L: Lanes>(threshold: L, current: L, u_end: L, current_end: L) -> L {
    u_end.gt(threshold) | (current.gt(threshold) & u_end.gt(current_end))
}

/// What a solver knows of one crossing a lane.
trait Roots<T: LaneReal> {
    /// Whether the maximum of each voltage, if it lies inside, is above the threshold.
    fn peak_above(&self, u: T::Lanes, current: T::Lanes, threshold: T::Lanes) -> T::Lanes;

    /// For the lanes of `spiking`, the step from the start to the crossing and the solver's mark of
    /// its time; the crossing lies before the end of `rest`.
    fn root(
        &self,
        u: T::Lanes,
        current: T::Lanes,
        threshold: T::Lanes,
        spiking: T::Lanes,
        rest: &Rest<T::Lanes>,
    ) -> (Step<T::Lanes>, T::Lanes);

    /// What is left of `rest` after a crossing.
    fn after(&self, rest: &Rest<T::Lanes>, at: &Step<T::Lanes>, mark: T::Lanes) -> Rest<T::Lanes>;

    /// The mark of a crossing found `mark` after another at `before`.
    fn join(&self, before: T::Lanes, mark: T::Lanes) -> T::Lanes;

    /// The mark of the start.
    fn origin(&self) -> T::Lanes;
}

/// What is left of an interval.
struct Rest<L> {
    step: Step<L>,
    dt: L,
}

/// All spikes of an interval: crossings are found one a lane and round, until none is left.
#[inline(always)]
fn all_spikes<T: LaneReal>(
    roots: &impl Roots<T>,
    neurons: &Neurons<T::Lanes>,
    interval: &Interval<T::Lanes>,
    spikes: &mut Vec<Spike<T>>,
) -> Option<T::Lanes> {
    let threshold = neurons.threshold;
    let Interval { mut u, mut current, mut u_end, current_end, .. } = *interval;
    let mut rest = Rest { step: interval.step, dt: interval.dt };
    let (mut before, mut mark) = (Step::identity(), roots.origin());
    let mut candidates = candidates(threshold, current, u_end, current_end);
    for _ in 0..MAX_SPIKES_PER_INTERVAL {
        let peak = roots.peak_above(u, current, threshold);
        let spiking = candidates & (u_end.gt(threshold) | peak);
        let lanes = spiking.bits();
        if lanes == 0 {
            return Some(u_end);
        }
        let (at, at_mark) = roots.root(u, current, threshold, spiking, &rest);
        rest = roots.after(&rest, &at, at_mark);
        (before, mark) = (before.then(at), roots.join(mark, at_mark));
        u = neurons.reset;
        current = current * at.syn;
        push(spikes, lanes, interval.index, mark, current - threshold, &before);
        u_end = spiking.select(rest.step.voltage(u, current), u_end);
        candidates = spiking & self::candidates(threshold, current, u_end, current_end);
        if candidates.bits() == 0 {
            return Some(u_end);
        }
    }
    None
}

#[inline(always)]
fn push<L: Lanes>(
    spikes: &mut Vec<Spike<L::Scalar>>,
    mut lanes: u32,
    interval: u32,
    mark: L,
    slope: L,
    before: &Step<L>,
) {
    let (mark, slope): ([_; LANES], [_; LANES]) = (mark.to_array(), slope.to_array());
    let (mem, drive) = (before.mem.to_array(), before.drive.to_array());
    while lanes != 0 {
        let lane = lanes.trailing_zeros() as usize & (LANES - 1);
        lanes &= lanes - 1;
        spikes.push(Spike {
            time: mark[lane],
            slope: slope[lane],
            mem: mem[lane],
            drive: drive[lane],
            interval,
            lane: lane as u32,
        });
    }
}
