use super::{MAX_SPIKES_PER_INTERVAL, Rest, Roots, Spike, candidates};
use crate::decay::Step;
use crate::lanes::{LANES, LaneReal, Lanes};
use crate::stream::Group;
use lif_core::Real;

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

/// Up to sixteen neurons of a tile that may cross, to be solved side by side.
#[derive(Clone, Debug, Default)]
pub(crate) struct Gathered<T> {
    /// Their places in the tile.
    place: [u32; LANES],
    u: [T; LANES],
    current: [T; LANES],
    u_end: [T; LANES],
    threshold: [T; LANES],
    reset: [T; LANES],
}

/// Writes to `places` those of the neurons that `masks` names, a bit for each; the masks come in
/// eight bytes.
#[inline(always)]
pub(crate) fn list(masks: &[[u8; 2]], places: &mut Vec<u32>) {
    places.clear();
    for (eight, bytes) in masks.as_flattened().as_chunks().0.iter().enumerate() {
        let mut lanes = u64::from_le_bytes(*bytes);
        while lanes != 0 {
            places.push(eight as u32 * u64::BITS + lanes.trailing_zeros());
            lanes &= lanes - 1;
        }
    }
}

impl<T: LaneReal> Gathered<T> {
    /// Records every spike of the suspects (their places in the tile) in the
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
        for suspects in suspects.chunks(LANES) {
            for (lane, &place) in suspects.iter().enumerate() {
                self.take(lane, place, &course);
            }
            // A lane has the same bits whatever the number of lanes.
            let count = suspects.len();
            let solved = if count > LANES / 2 {
                self.solve::<T::Lanes>(count, roots, &mut course, group, index, spikes)
            } else {
                self.solve::<T::Half>(count, roots, &mut course, group, index, spikes)
            };
            if !solved {
                return false;
            }
        }
        true
    }

    /// Takes a neuron as the `count`th.
    #[inline(always)]
    fn take(&mut self, count: usize, place: u32, course: &Course<'_, T>) {
        let len = course.u_end.len();
        let (count, place) = (count % LANES, (place as usize).min(len - 1));
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
    fn solve<L: Lanes<Scalar = T>>(
        &self,
        count: usize,
        roots: &impl Roots<T>,
        course: &mut Course<'_, T>,
        group: &Group<T>,
        index: u32,
        spikes: &mut Vec<Spike<T>>,
    ) -> bool {
        let load = L::first_of;
        let (threshold, reset) = (load(&self.threshold), load(&self.reset));
        let (mut u, mut current, mut u_end) =
            (load(&self.u), load(&self.current), load(&self.u_end));
        let current_end = current * L::splat(group.syn);
        let mut rest = Rest { mem: L::splat(group.mem), dt: L::splat(group.dt) };
        let (mut before, mut mark) = (Step::identity(), roots.origin());
        let mut candidates =
            first_lanes::<L>(count) & self::candidates(threshold, current, u_end, current_end);
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
                dt: (rest.dt - roots.elapsed(at_mark)).fast_max(L::zero()),
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
        for (&place, &u_end) in self.place.iter().zip(u_end.to_array().as_ref()).take(count) {
            course.u_end[place as usize] = u_end;
        }
        true
    }

    #[inline(always)]
    fn push<L: Lanes<Scalar = T>>(
        &self,
        spikes: &mut Vec<Spike<T>>,
        mut lanes: u32,
        interval: u32,
        first_neuron: u32,
        records: Records<L>,
    ) {
        let (mark, slope) = (records.mark.to_array(), records.slope.to_array());
        let (mem, drive) = (records.before.mem.to_array(), records.before.drive.to_array());
        let (mark, slope, mem, drive) =
            (mark.as_ref(), slope.as_ref(), mem.as_ref(), drive.as_ref());
        while lanes != 0 {
            let lane = lanes.trailing_zeros() as usize & (LANES - 1);
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

/// What is kept of up to sixteen spikes.
struct Records<L> {
    mark: L,
    slope: L,
    before: Step<L>,
}

/// A comparison that holds in the first `count` lanes.
#[inline(always)]
fn first_lanes<L: Lanes>(count: usize) -> L {
    let index = std::array::from_fn(|lane| L::Scalar::of(lane as f64));
    L::of(count as f64).gt(L::first_of(&index))
}
