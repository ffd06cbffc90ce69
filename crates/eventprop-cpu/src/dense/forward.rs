use crate::crossing::{Course, Neurons, Roots, Spike, candidates, spikes_between};
use crate::decay::Step;
use crate::lanes::{LaneReal, Lanes};
use crate::stream::Stream;

/// A block of neurons on its way through a sample.
pub(crate) struct Walked<'a, T: LaneReal> {
    /// The weights from each sending neuron.
    pub(crate) weights: &'a [T::Lanes],
    /// The constants.
    pub(crate) neurons: &'a Neurons<T::Lanes>,
    /// Where spikes go: interval by interval, each neuron's in order.
    pub(crate) spikes: &'a mut Vec<Spike<T>>,
}

/// Runs N blocks of spiking neurons side by side through one sample; false if a neuron runs away.
/// What a block does does not depend on its neighbours: they share the walk through the arrivals.
#[inline(always)]
pub(crate) fn walk<T: LaneReal, const N: usize>(
    roots: &impl Roots<T>,
    mut blocks: [Walked<'_, T>; N],
    stream: &Stream<T>,
) -> bool {
    let weights: [&[T::Lanes]; N] = std::array::from_fn(|n| blocks[n].weights);
    let threshold: [T::Lanes; N] = std::array::from_fn(|n| blocks[n].neurons.threshold);
    let mut u: [T::Lanes; N] = std::array::from_fn(|n| blocks[n].neurons.start);
    let mut current = [T::Lanes::zero(); N];
    let mut event = 0;
    for (index, group) in stream.groups.iter().enumerate() {
        let sum = arrivals(weights, &stream.sources[event..group.end as usize]);
        event = group.end as usize;
        let step = Step {
            mem: T::Lanes::splat(group.mem),
            syn: T::Lanes::splat(group.syn),
            drive: T::Lanes::splat(group.drive),
        };
        for n in 0..N {
            current[n] = current[n] + sum[n];
        }
        let u_end: [T::Lanes; N] = std::array::from_fn(|n| step.voltage(u[n], current[n]));
        let current_end: [T::Lanes; N] = std::array::from_fn(|n| current[n] * step.syn);
        let may_cross: [T::Lanes; N] =
            std::array::from_fn(|n| candidates(threshold[n], current[n], u_end[n], current_end[n]));
        let any = may_cross.into_iter().reduce(|a, b| a | b).map_or(0, Lanes::bits);
        if any == 0 {
            (u, current) = (u_end, current_end);
            continue;
        }
        let before = u;
        u = u_end;
        for n in 0..N {
            let lanes = may_cross[n].bits();
            if lanes == 0 {
                continue;
            }
            let mut course = Course {
                u: before[n].to_array(),
                current: current[n].to_array(),
                u_end: u_end[n].to_array(),
            };
            let Walked { neurons, spikes, .. } = &mut blocks[n];
            if !spikes_between(roots, neurons, &mut course, lanes, group, index as u32, spikes) {
                return false;
            }
            u[n] = T::Lanes::from_array(course.u_end);
        }
        current = current_end;
    }
    true
}

/// The sums of the weights of events that come together.
#[inline(always)]
pub(crate) fn arrivals<L: Lanes, const N: usize>(weights: [&[L]; N], sources: &[u32]) -> [L; N] {
    let mut sum = [L::zero(); N];
    for &source in sources {
        for n in 0..N {
            sum[n] = sum[n] + weights[n][source as usize];
        }
    }
    sum
}
