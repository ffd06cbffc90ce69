use super::{MAX_SPIKES_PER_INTERVAL, Rest, Roots, Spike, candidates};
use crate::decay::Step;
use crate::lanes::{LANES, LaneReal, Lanes};
use crate::stream::Group;

/// Neurons side by side at the start and, if nothing happens, at the end of an interval.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Contenders<L> {
    /// Voltages at the start.
    pub(crate) u: L,
    /// Currents at the start.
    pub(crate) current: L,
    /// Voltages at the end.
    pub(crate) u_end: L,
    /// Thresholds.
    pub(crate) threshold: L,
    /// Voltages after a spike.
    pub(crate) reset: L,
}

/// What is kept of spikes side by side.
struct Records<L> {
    mark: L,
    slope: L,
    before: Step<L>,
}

impl<T: LaneReal, L: Lanes<Scalar = T>> Contenders<L> {
    /// Records every spike, in the interval after group `index`, of those that the comparison `among`
    /// names: crossings are found one a lane and round, until none is left. Returns the voltages at the
    /// end, or nothing if a neuron runs away.
    #[inline(always)]
    pub(crate) fn spikes_between(
        self,
        roots: &impl Roots<T>,
        among: L,
        group: &Group<T>,
        index: u32,
        neuron: impl Fn(usize) -> u32,
        spikes: &mut Vec<Spike<T>>,
    ) -> Option<L> {
        let Self { mut u, mut current, mut u_end, threshold, reset } = self;
        let current_end = current * L::splat(group.syn);
        let mut rest = Rest { mem: L::splat(group.mem), dt: L::splat(group.dt) };
        let (mut before, mut mark) = (Step::identity(), roots.origin());
        let mut candidates = among & self::candidates(threshold, current, u_end, current_end);
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
            records.push(lanes, index, &neuron, spikes);
            candidates = spiking & self::candidates(threshold, current, u_end, current_end);
            if candidates.bits() == 0 {
                break;
            }
            if round + 1 == MAX_SPIKES_PER_INTERVAL {
                return None;
            }
        }
        Some(u_end)
    }
}

impl<T: LaneReal, L: Lanes<Scalar = T>> Records<L> {
    #[inline(always)]
    fn push(
        &self,
        mut lanes: u32,
        interval: u32,
        neuron: impl Fn(usize) -> u32,
        spikes: &mut Vec<Spike<T>>,
    ) {
        let (mark, slope) = (self.mark.to_array(), self.slope.to_array());
        let (mem, drive) = (self.before.mem.to_array(), self.before.drive.to_array());
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
                neuron: neuron(lane),
            });
        }
    }
}
