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
use crate::dense::{Walked, walk};
use crate::lanes::{FEW, LANES, LaneReal, Lanes};
use crate::stream::{Group, Stream};

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

/// A way to find crossings, and with it to run whole samples.
pub(crate) trait Solver<T: LaneReal>: Send + Sync {
    /// [`walk`] for one block.
    fn walk_one(&self, block: Walked<'_, T>, stream: &Stream<T>) -> bool;

    /// [`walk`] for two blocks side by side.
    fn walk_two(&self, blocks: [Walked<'_, T>; 2], stream: &Stream<T>) -> bool;

    /// Turns the marks of spikes into times.
    fn set_times(&self, spikes: &mut [Spike<T>], groups: &[Group<T>]);
}

impl<T: LaneReal, R: Roots<T>> Solver<T> for R {
    fn walk_one(&self, block: Walked<'_, T>, stream: &Stream<T>) -> bool {
        walk(self, [block], stream)
    }

    fn walk_two(&self, blocks: [Walked<'_, T>; 2], stream: &Stream<T>) -> bool {
        walk(self, blocks, stream)
    }

    fn set_times(&self, spikes: &mut [Spike<T>], groups: &[Group<T>]) {
        for chunk in spikes.chunks_mut(FEW) {
            let mut marks = self.origin().to_array();
            for (mark, spike) in marks.iter_mut().zip(&*chunk) {
                *mark = spike.time;
            }
            let elapsed = self.elapsed(T::Few::from_array(marks)).to_array();
            for (spike, elapsed) in chunk.iter_mut().zip(elapsed) {
                spike.time = groups[spike.interval as usize].time + elapsed;
            }
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
pub(crate) fn candidates<L: Lanes>(threshold: L, current: L, u_end: L, current_end: L) -> L {
    u_end.gt(threshold) | (current.gt(threshold) & u_end.gt(current_end))
}

/// What a solver knows of one crossing a lane. A crossing is marked by a number that stands for the
/// time since the interval's start.
pub(crate) trait Roots<T: LaneReal>: Send + Sync {
    /// Whether the maximum of each voltage, if it lies inside, is above the threshold.
    fn peak_above(&self, u: T::Few, current: T::Few, threshold: T::Few) -> T::Few;

    /// For the lanes of `spiking`, the step from the start to the crossing and its mark; the crossing
    /// lies before the end of `rest`.
    fn root(
        &self,
        u: T::Few,
        current: T::Few,
        threshold: T::Few,
        spiking: T::Few,
        rest: &Rest<T::Few>,
    ) -> (Step<T::Few>, T::Few);

    /// The mark of a crossing found `mark` after another at `before`.
    fn join(&self, before: T::Few, mark: T::Few) -> T::Few;

    /// The mark of the start.
    fn origin(&self) -> T::Few;

    /// The time in ms that a mark stands for.
    fn elapsed(&self, mark: T::Few) -> T::Few;
}

/// What is left of an interval.
#[derive(Clone, Copy)]
pub(crate) struct Rest<L> {
    /// Decay of the voltage over it.
    pub(crate) mem: L,
    /// Its length in ms.
    pub(crate) dt: L,
}

/// The neurons of a block at the start and, if nothing happens, at the end of an interval.
pub(crate) struct Course<T> {
    /// Voltages at the start.
    pub(crate) u: [T; LANES],
    /// Currents at the start.
    pub(crate) current: [T; LANES],
    /// Voltages at the end.
    pub(crate) u_end: [T; LANES],
}

/// Records every spike, in the interval after group `index`, of the neurons whose bits are set in
/// `lanes`, and corrects their voltages at its end; false if a neuron runs away.
///
/// Few neurons of a block may cross at once: they are gathered and solved side by side.
#[inline(never)]
pub(crate) fn spikes_between<T: LaneReal>(
    roots: &impl Roots<T>,
    neurons: &Neurons<T::Lanes>,
    course: &mut Course<T>,
    mut lanes: u32,
    group: &Group<T>,
    index: u32,
    spikes: &mut Vec<Spike<T>>,
) -> bool {
    let (threshold, reset) = (neurons.threshold.to_array(), neurons.reset.to_array());
    while lanes != 0 {
        let mut few = Gathered {
            lane: [0; FEW],
            u: [T::zero(); FEW],
            current: [T::zero(); FEW],
            u_end: [T::zero(); FEW],
            threshold: [T::one(); FEW],
            reset: [T::zero(); FEW],
        };
        let mut count = 0;
        while lanes != 0 && count < FEW {
            let lane = lanes.trailing_zeros() as usize & (LANES - 1);
            lanes &= lanes - 1;
            few.lane[count] = lane as u32;
            few.u[count] = course.u[lane];
            few.current[count] = course.current[lane];
            few.u_end[count] = course.u_end[lane];
            few.threshold[count] = threshold[lane];
            few.reset[count] = reset[lane];
            count += 1;
        }
        let Some(u_end) = few.spikes(roots, group, index, spikes) else { return false };
        for (&lane, u_end) in few.lane.iter().zip(u_end).take(count) {
            course.u_end[lane as usize % LANES] = u_end;
        }
    }
    true
}

/// Up to eight neurons of a block; the lanes beyond rest far below their threshold.
struct Gathered<T> {
    lane: [u32; FEW],
    u: [T; FEW],
    current: [T; FEW],
    u_end: [T; FEW],
    threshold: [T; FEW],
    reset: [T; FEW],
}

impl<T: LaneReal> Gathered<T> {
    /// All their spikes in an interval, and the voltages at its end: crossings are found one a lane
    /// and round, until none is left.
    #[inline(always)]
    fn spikes(
        &self,
        roots: &impl Roots<T>,
        group: &Group<T>,
        index: u32,
        spikes: &mut Vec<Spike<T>>,
    ) -> Option<[T; FEW]> {
        let load = T::Few::from_array;
        let (threshold, reset) = (load(self.threshold), load(self.reset));
        let (mut u, mut current, mut u_end) = (load(self.u), load(self.current), load(self.u_end));
        let current_end = current * T::Few::splat(group.syn);
        let mut rest = Rest { mem: T::Few::splat(group.mem), dt: T::Few::splat(group.dt) };
        let (mut before, mut mark) = (Step::identity(), roots.origin());
        let mut candidates = candidates(threshold, current, u_end, current_end);
        for round in 0..MAX_SPIKES_PER_INTERVAL {
            let above = u_end.gt(threshold) | roots.peak_above(u, current, threshold);
            let spiking = candidates & above;
            let lanes = spiking.bits();
            if lanes == 0 {
                return Some(u_end.to_array());
            }
            let (at, at_mark) = roots.root(u, current, threshold, spiking, &rest);
            (before, mark) = if round == 0 {
                (at, at_mark)
            } else {
                (before.then(at), roots.join(mark, at_mark))
            };
            rest = Rest {
                mem: rest.mem / at.mem,
                dt: (rest.dt - roots.elapsed(at_mark)).fast_max(T::Few::zero()),
            };
            // A spike takes threshold - reset away, which decays like any voltage.
            let fallen = (reset - threshold).mul_add(rest.mem, u_end);
            u_end = spiking.select(fallen, u_end);
            (u, current) = (reset, current * at.syn);
            self.push(spikes, lanes, index, mark, current - threshold, &before);
            candidates = spiking & self::candidates(threshold, current, u_end, current_end);
            if candidates.bits() == 0 {
                return Some(u_end.to_array());
            }
        }
        None
    }

    #[inline(always)]
    fn push(
        &self,
        spikes: &mut Vec<Spike<T>>,
        mut lanes: u32,
        interval: u32,
        mark: T::Few,
        slope: T::Few,
        before: &Step<T::Few>,
    ) {
        let (mark, slope) = (mark.to_array(), slope.to_array());
        let (mem, drive) = (before.mem.to_array(), before.drive.to_array());
        while lanes != 0 {
            let place = lanes.trailing_zeros() as usize & (FEW - 1);
            lanes &= lanes - 1;
            spikes.push(Spike {
                time: mark[place],
                slope: slope[place],
                mem: mem[place],
                drive: drive[place],
                interval,
                lane: self.lane[place],
            });
        }
    }
}
