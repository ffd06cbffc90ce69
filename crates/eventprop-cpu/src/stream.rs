use crate::decay::Decay;
use crate::lanes::{LANES, LaneReal, Lanes};

/// What arrives at a layer in one sample, ready to be walked: events grouped by time, and the step
/// from each group to the next (from the last to the end of the simulation).
#[derive(Clone, Debug, Default)]
pub(crate) struct Stream<T> {
    /// The loss's derivative by the time of each event; filled by the backward pass where wanted.
    pub(crate) errors: Vec<T>,
    /// How many groups and events there are now. What their lists hold beyond is of other samples.
    count: usize,
    arrived: usize,
    groups: Vec<Group<T>>,
    sources: Vec<u32>,
    /// Each group's time in ms, then the simulation's end, up to whole lanes and one more.
    times: Vec<T>,
}

/// Events of one time, and the interval that follows them.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub(crate) struct Group<T> {
    /// Decay of the voltage over the interval.
    pub(crate) mem: T,
    /// Decay of the current.
    pub(crate) syn: T,
    /// What the current adds to the voltage.
    pub(crate) drive: T,
    /// Length of the interval in ms.
    pub(crate) dt: T,
    /// One past the group's last event.
    pub(crate) end: u32,
}

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
        let most = events.len() + 1;
        let Self { groups, sources, times, .. } = self;
        if groups.len() < most {
            groups.resize(most, Group::default());
            sources.resize(most, 0);
            times.resize(most.next_multiple_of(LANES) + 1, T::zero());
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
                groups[count.saturating_sub(1)].end = arrived;
                times[count] = time;
                last = time;
                count += 1;
            }
            arrived += 1;
        }
        groups[count.saturating_sub(1)].end = arrived;
        times[count..count.next_multiple_of(LANES) + 1].fill(duration);
        (self.count, self.arrived) = (count, arrived as usize);
        self.set_steps(decay);
    }

    /// The groups, ascending in time.
    #[inline(always)]
    pub(crate) fn groups(&self) -> &[Group<T>] {
        &self.groups[..self.count]
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
        let Self { groups, times, count, .. } = self;
        for (chunk, groups) in groups[..*count].chunks_mut(LANES).enumerate() {
            let times = &times[chunk * LANES..];
            let dt: [T; LANES] = std::array::from_fn(|lane| times[lane + 1] - times[lane]);
            let step = decay.step(T::Lanes::from_array(dt));
            let (mem, syn, drive) =
                (step.mem.to_array(), step.syn.to_array(), step.drive.to_array());
            for (lane, group) in groups.iter_mut().enumerate() {
                (group.mem, group.syn, group.drive) = (mem[lane], syn[lane], drive[lane]);
                group.dt = dt[lane];
            }
        }
    }
}
