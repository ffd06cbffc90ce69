use super::{Contenders, Roots, Spike};
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

    /// All spikes in an interval of the first `count` neurons.
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
        let contenders = Contenders {
            u: load(&self.u),
            current: load(&self.current),
            u_end: load(&self.u_end),
            threshold: load(&self.threshold),
            reset: load(&self.reset),
        };
        let first = (course.first * LANES) as u32;
        let neuron = |lane: usize| first + self.place[lane];
        let among = first_lanes::<L>(count);
        let ended = contenders.spikes_between(roots, among, group, index, neuron, spikes);
        let Some(ended) = ended else { return false };
        for (&place, &u_end) in self.place.iter().zip(ended.to_array().as_ref()).take(count) {
            course.u_end[place as usize] = u_end;
        }
        true
    }
}

/// A comparison that holds in the first `count` lanes.
#[inline(always)]
fn first_lanes<L: Lanes>(count: usize) -> L {
    let index = std::array::from_fn(|lane| L::Scalar::of(lane as f64));
    L::of(count as f64).gt(L::first_of(&index))
}
