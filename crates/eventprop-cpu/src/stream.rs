use crate::decay::Decay;
use crate::lanes::{LANES, LaneReal, Lanes};
use std::ops::Range;

/// What arrives at a layer in one sample, ready to be walked: events grouped by time, and the step
/// from each group to the next (from the last to the end of the simulation).
#[derive(Clone, Debug, Default)]
pub(crate) struct Stream<T> {
    /// The loss's derivative by the time of each event; filled by the backward pass where wanted.
    pub(crate) errors: Vec<T>,
    /// How many groups and events there are now. What their lists hold beyond is of other samples.
    count: usize,
    arrived: usize,
    sources: Vec<u32>,
    /// For each group, one past its last event.
    ends: Vec<u32>,
    /// Each group's time in ms, then the simulation's end, up to whole lanes and one more.
    times: Vec<T>,
    /// For each group, up to whole lanes, what [`Group`] says.
    mem: Vec<T>,
    syn: Vec<T>,
    drive: Vec<T>,
    reach: Vec<T>,
}

/// Events of one time, and the interval that follows them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Group<T> {
    /// Decay of the voltage over the interval.
    pub(crate) mem: T,
    /// Decay of the current.
    pub(crate) syn: T,
    /// What the current adds to the voltage.
    pub(crate) drive: T,
    /// 1 - mem - drive: in the interval no voltage that a positive current lifts exceeds the one at its end by
    /// more than this much of the current (what it would add beside the drive if it did not decay).
    pub(crate) reach: T,
    /// Length of the interval in ms.
    pub(crate) dt: T,
    /// The group's first event.
    pub(crate) first: u32,
    /// One past its last.
    pub(crate) end: u32,
}

/// Groups side by side, a list for each of their properties: that is how they are computed.
#[derive(Clone, Copy)]
pub(crate) struct Groups<'a, T> {
    times: &'a [T],
    mem: &'a [T],
    syn: &'a [T],
    drive: &'a [T],
    reach: &'a [T],
    ends: &'a [u32],
}

/// What [`Group::reach`] is more than its formula, in units of rounding: no crossing is to be missed for the
/// rounding of a voltage.
const REACH_MARGIN: f64 = 8.0;

impl<T: LaneReal> Stream<T> {
    /// Fills it with the events (time, source), sorted by time; those after `duration` never
    /// arrive. With `from_zero` there is a group at time 0 even if nothing arrives then.
    pub(crate) fn fill(
        &mut self,
        events: impl ExactSizeIterator<Item = (T, u32)>,
        duration: T,
        decay: &Decay<T>,
        from_zero: bool,
    ) {
        // Room for all, so that nothing has to be asked event by event.
        let most = (events.len() + 1).next_multiple_of(LANES);
        let Self { sources, ends, times, mem, syn, drive, reach, .. } = self;
        if ends.len() < most {
            sources.resize(most, 0);
            ends.resize(most, 0);
            times.resize(most + 1, T::zero());
            [mem, syn, drive, reach].into_iter().for_each(|list| list.resize(most, T::zero()));
        }
        let (mut count, mut arrived) = (usize::from(from_zero), 0);
        let mut last = if from_zero { T::zero() } else { T::neg_infinity() };
        times[0] = T::zero();
        for ((time, source), place) in events.zip(&mut *sources) {
            if time > duration {
                break;
            }
            *place = source;
            if time > last {
                // The group before is complete.
                ends[count.saturating_sub(1)] = arrived;
                times[count] = time;
                last = time;
                count += 1;
            }
            arrived += 1;
        }
        ends[count.saturating_sub(1)] = arrived;
        times[count..count.next_multiple_of(LANES) + 1].fill(duration);
        (self.count, self.arrived) = (count, arrived as usize);
        self.set_steps(decay);
    }

    /// The groups, ascending in time.
    #[inline(always)]
    pub(crate) fn groups(&self) -> Groups<'_, T> {
        self.first(self.count)
    }

    /// The first `count` groups.
    #[inline(always)]
    pub(crate) fn first(&self, count: usize) -> Groups<'_, T> {
        Groups {
            times: &self.times[..=count],
            mem: &self.mem[..count],
            syn: &self.syn[..count],
            drive: &self.drive[..count],
            reach: &self.reach[..count],
            ends: &self.ends[..count],
        }
    }

    /// The sending neuron of each event, group after group.
    #[inline(always)]
    pub(crate) fn sources(&self) -> &[u32] {
        &self.sources[..self.arrived]
    }

    /// When each group arrives, in ms.
    pub(crate) fn times(&self) -> &[T] {
        &self.times[..self.count]
    }

    /// When a group arrives and when its interval ends, in ms.
    #[inline(always)]
    pub(crate) fn span(&self, group: usize) -> (T, T) {
        (self.times[group], self.times[group + 1])
    }

    fn set_steps(&mut self, decay: &Decay<T>) {
        let (zero, one) = (T::Lanes::zero(), T::Lanes::of(1.0));
        let margin = T::Lanes::splat(T::epsilon() * T::of(REACH_MARGIN));
        let Self { times, mem, syn, drive, reach, count, .. } = self;
        for first in (0..*count).step_by(LANES) {
            let times = &times[first..][..=LANES];
            let dt = std::array::from_fn(|lane| times[lane + 1] - times[lane]);
            let step = decay.step(T::Lanes::from_array(dt));
            let beyond = (one - step.mem - step.drive).fast_max(zero) + margin;
            let lists =
                [(&mut *mem, step.mem), (syn, step.syn), (drive, step.drive), (reach, beyond)];
            for (list, lanes) in lists {
                list[first..][..LANES].copy_from_slice(&lanes.to_array());
            }
        }
    }
}

impl<T: LaneReal> Groups<'_, T> {
    /// Their number.
    #[inline(always)]
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    /// What [`Group`] calls mem, syn, drive, reach and end, of each group from a rank on.
    #[inline(always)]
    pub(crate) fn steps_from(&self, index: usize) -> impl Iterator<Item = (T, T, T, T, u32)> {
        let voltages = self.mem[index..].iter().zip(&self.drive[index..]);
        let others = self.syn[index..].iter().zip(&self.reach[index..]).zip(&self.ends[index..]);
        voltages
            .zip(others)
            .map(|((&mem, &drive), ((&syn, &reach), &end))| (mem, syn, drive, reach, end))
    }

    /// A group by its rank in time.
    #[inline(always)]
    pub(crate) fn at(&self, index: usize) -> Group<T> {
        Group {
            mem: self.mem[index],
            syn: self.syn[index],
            drive: self.drive[index],
            reach: self.reach[index],
            dt: self.times[index + 1] - self.times[index],
            first: if index == 0 { 0 } else { self.ends[index - 1] },
            end: self.ends[index],
        }
    }
}

impl<T> Group<T> {
    /// The positions of its events.
    #[inline(always)]
    pub(crate) fn events(&self) -> Range<usize> {
        self.first as usize..self.end as usize
    }
}
