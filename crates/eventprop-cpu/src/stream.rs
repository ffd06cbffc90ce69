use crate::decay::Decay;
use crate::lanes::{LANES, LaneReal, Lanes};

/// What arrives at a layer in one sample, ready to be walked: events grouped by time, and the step
/// from each group to the next (from the last to the end of the simulation).
#[derive(Clone, Debug, Default)]
pub(crate) struct Stream<T> {
    /// The groups, ascending in time.
    pub(crate) groups: Vec<Group<T>>,
    /// The sending neuron of each event, group after group.
    pub(crate) sources: Vec<u32>,
    /// The loss's derivative by the time of each event; filled by the backward pass where wanted.
    pub(crate) errors: Vec<T>,
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
    /// One past the group's last event.
    pub(crate) end: u32,
    /// Time in ms.
    pub(crate) time: T,
    /// Length of the interval in ms.
    pub(crate) dt: T,
    /// Its end in ms.
    pub(crate) next: T,
}

impl<T: LaneReal> Stream<T> {
    /// Fills it with the events (time, source), sorted by time; those after `duration` never
    /// arrive. With `from_zero` there is a group at time 0 even if nothing arrives then.
    pub(crate) fn fill(
        &mut self,
        events: impl Iterator<Item = (T, u32)>,
        duration: T,
        decay: &Decay<T>,
        from_zero: bool,
    ) {
        self.groups.clear();
        self.sources.clear();
        self.sources.reserve(events.size_hint().0);
        if from_zero {
            self.groups.push(Group::default());
        }
        let mut last = if from_zero { T::zero() } else { T::neg_infinity() };
        for (time, source) in events {
            if time > duration {
                break;
            }
            if time > last {
                self.close();
                self.groups.push(Group { time, ..Group::default() });
                last = time;
            }
            self.sources.push(source);
        }
        self.close();
        self.set_steps(duration, decay);
    }

    /// What has come so far ends the last group.
    #[inline(always)]
    fn close(&mut self) {
        if let Some(group) = self.groups.last_mut() {
            group.end = self.sources.len() as u32;
        }
    }

    fn set_steps(&mut self, duration: T, decay: &Decay<T>) {
        let mut next = duration;
        for group in self.groups.iter_mut().rev() {
            (group.dt, group.next) = (next - group.time, next);
            next = group.time;
        }
        for chunk in self.groups.chunks_mut(LANES) {
            let mut dt = [T::zero(); LANES];
            for (dt, group) in dt.iter_mut().zip(&*chunk) {
                *dt = group.dt;
            }
            let step = decay.step(T::Lanes::from_array(dt));
            let (mem, syn, drive) =
                (step.mem.to_array(), step.syn.to_array(), step.drive.to_array());
            for (lane, group) in chunk.iter_mut().enumerate() {
                (group.mem, group.syn, group.drive) = (mem[lane], syn[lane], drive[lane]);
            }
        }
    }
}
