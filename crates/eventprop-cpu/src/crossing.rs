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
use crate::dense::{State, Tile, walk};
use crate::lanes::{FEW, LANES, LaneReal, Lanes};
use crate::stream::{Group, Stream};
use std::cmp::Ordering;

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
        spikes.clear();
        let completed = walk(self, tile, stream, state, spikes);
        set_times(self, spikes, stream);
        for interval in spikes.chunk_by_mut(|a, b| a.interval == b.interval) {
            state.sorting.sort(interval);
        }
        completed
    }
}

/// Turns the marks of spikes into times. No rounding takes a spike out of its interval.
#[inline(always)]
fn set_times<T: LaneReal>(roots: &impl Roots<T>, spikes: &mut [Spike<T>], stream: &Stream<T>) {
    let mut marks = roots.origin().to_array();
    for chunk in spikes.chunks_mut(FEW) {
        for (mark, spike) in marks.iter_mut().zip(&*chunk) {
            *mark = spike.time;
        }
        let elapsed = roots.elapsed(T::Few::from_array(marks)).to_array();
        for (spike, elapsed) in chunk.iter_mut().zip(elapsed) {
            let group = &stream.groups[spike.interval as usize];
            spike.time = (group.time + elapsed).min(group.next);
        }
    }
}

/// Scratch for sorting spikes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sorting<T: LaneReal> {
    keys: Vec<T::Key>,
    unsorted: Vec<Spike<T>>,
}

impl<T: LaneReal> Sorting<T> {
    /// Sorts the spikes of one interval by time: few by insertion, many by way of their keys.
    #[inline(always)]
    fn sort(&mut self, spikes: &mut [Spike<T>]) {
        const FEW_SPIKES: usize = 12;
        if spikes.len() > FEW_SPIKES {
            self.sort_many(spikes);
            return;
        }
        for last in 1..spikes.len() {
            let spike = spikes[last];
            let mut place = last;
            while place > 0 && spikes[place - 1].time > spike.time {
                spikes[place] = spikes[place - 1];
                place -= 1;
            }
            spikes[place] = spike;
        }
    }

    #[inline(never)]
    fn sort_many(&mut self, spikes: &mut [Spike<T>]) {
        self.unsorted.clear();
        self.unsorted.extend_from_slice(spikes);
        self.keys.clear();
        self.keys.extend(spikes.iter().zip(0..).map(|(spike, place)| T::key(spike.time, place)));
        self.keys.sort_unstable();
        for (spike, &key) in spikes.iter_mut().zip(&self.keys) {
            *spike = self.unsorted[T::slot(key) as usize];
        }
    }
}

impl<T: LaneReal> Spike<T> {
    /// By interval and time.
    #[inline(always)]
    pub(crate) fn order(&self, other: &Self) -> Ordering {
        let time = |spike: &Self| T::key(spike.time, 0);
        self.interval.cmp(&other.interval).then_with(|| time(self).cmp(&time(other)))
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

/// The neurons of a tile at the start and, if nothing happens, at the end of an interval.
pub(crate) struct Course<'a, T> {
    /// Voltages at the start.
    pub(crate) u: &'a [T],
    /// Currents at the start.
    pub(crate) current: &'a [T],
    /// Voltages at the end.
    pub(crate) u_end: &'a mut [T],
    /// Thresholds.
    pub(crate) threshold: &'a [T],
    /// Voltages after a spike.
    pub(crate) reset: &'a [T],
    /// The tile's first block.
    pub(crate) first: usize,
}

/// Up to eight neurons of a tile that may cross, to be solved side by side.
#[derive(Clone, Debug, Default)]
pub(crate) struct Gathered<T> {
    /// Their places in the tile.
    place: [u32; FEW],
    u: [T; FEW],
    current: [T; FEW],
    u_end: [T; FEW],
    threshold: [T; FEW],
    reset: [T; FEW],
}

impl<T: LaneReal> Gathered<T> {
    /// Records every spike of the suspects (a block, shifted, and a bit for each neuron) in the
    /// interval after group `index` and corrects their voltages at its end; false if a neuron runs
    /// away.
    #[inline(never)]
    pub(crate) fn spikes_between(
        &mut self,
        roots: &impl Roots<T>,
        mut course: Course<'_, T>,
        suspects: &[u32],
        group: &Group<T>,
        index: u32,
        spikes: &mut Vec<Spike<T>>,
    ) -> bool {
        let mut count = 0;
        for &suspect in suspects {
            let first = (suspect >> 16) as usize * LANES;
            let mut lanes = suspect & 0xffff;
            while lanes != 0 {
                let place = first + lanes.trailing_zeros() as usize;
                lanes &= lanes - 1;
                self.take(count, place, &course);
                count += 1;
                if count == FEW {
                    if !self.solve(count, roots, &mut course, group, index, spikes) {
                        return false;
                    }
                    count = 0;
                }
            }
        }
        count == 0 || self.solve(count, roots, &mut course, group, index, spikes)
    }

    /// Takes a neuron as the `count`th.
    #[inline(always)]
    fn take(&mut self, count: usize, place: usize, course: &Course<'_, T>) {
        let len = course.u_end.len();
        let (count, place) = (count % FEW, place.min(len - 1));
        let (u, current) = (&course.u[..len], &course.current[..len]);
        let (threshold, reset) = (&course.threshold[..len], &course.reset[..len]);
        self.place[count] = place as u32;
        self.u[count] = u[place];
        self.current[count] = current[place];
        self.u_end[count] = course.u_end[place];
        self.threshold[count] = threshold[place];
        self.reset[count] = reset[place];
    }

    /// All spikes in an interval of the first `count` neurons, and their voltages at its end:
    /// crossings are found one a lane and round, until none is left.
    #[inline(always)]
    fn solve(
        &self,
        count: usize,
        roots: &impl Roots<T>,
        course: &mut Course<'_, T>,
        group: &Group<T>,
        index: u32,
        spikes: &mut Vec<Spike<T>>,
    ) -> bool {
        let load = T::Few::from_array;
        let (threshold, reset) = (load(self.threshold), load(self.reset));
        let (mut u, mut current, mut u_end) = (load(self.u), load(self.current), load(self.u_end));
        let current_end = current * T::Few::splat(group.syn);
        let mut rest = Rest { mem: T::Few::splat(group.mem), dt: T::Few::splat(group.dt) };
        let (mut before, mut mark) = (Step::identity(), roots.origin());
        let mut candidates = first_lanes::<T>(count);
        let neuron = (course.first * LANES) as u32;
        for round in 0..MAX_SPIKES_PER_INTERVAL {
            let above = u_end.gt(threshold) | roots.peak_above(u, current, threshold);
            let spiking = candidates & above;
            let lanes = spiking.bits();
            if lanes == 0 {
                break;
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
            let records = Records { mark, slope: current - threshold, before };
            self.push(spikes, lanes, index, neuron, records);
            candidates = spiking & self::candidates(threshold, current, u_end, current_end);
            if candidates.bits() == 0 {
                break;
            }
            if round + 1 == MAX_SPIKES_PER_INTERVAL {
                return false;
            }
        }
        for (&place, u_end) in self.place.iter().zip(u_end.to_array()).take(count) {
            course.u_end[place as usize] = u_end;
        }
        true
    }

    #[inline(always)]
    fn push(
        &self,
        spikes: &mut Vec<Spike<T>>,
        mut lanes: u32,
        interval: u32,
        first_neuron: u32,
        records: Records<T::Few>,
    ) {
        let (mark, slope) = (records.mark.to_array(), records.slope.to_array());
        let (mem, drive) = (records.before.mem.to_array(), records.before.drive.to_array());
        while lanes != 0 {
            let lane = lanes.trailing_zeros() as usize & (FEW - 1);
            lanes &= lanes - 1;
            spikes.push(Spike {
                time: mark[lane],
                slope: slope[lane],
                mem: mem[lane],
                drive: drive[lane],
                interval,
                neuron: first_neuron + self.place[lane],
            });
        }
    }
}

/// What is kept of up to eight spikes.
struct Records<L> {
    mark: L,
    slope: L,
    before: Step<L>,
}

/// A comparison that holds in the first `count` lanes.
#[inline(always)]
fn first_lanes<T: LaneReal>(count: usize) -> T::Few {
    let index = T::Few::from_array(std::array::from_fn(|lane| T::of(lane as f64)));
    T::Few::of(count as f64).gt(index)
}
