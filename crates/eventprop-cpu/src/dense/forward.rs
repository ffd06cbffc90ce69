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
        let course: [Course<T::Lanes>; N] = std::array::from_fn(|n| {
            let current = current[n] + sum[n];
            let u_end = step.voltage(u[n], current);
            Course { u: u[n], current, u_end, current_end: current * step.syn }
        });
        let may_cross: [T::Lanes; N] = std::array::from_fn(|n| {
            let Course { current, u_end, current_end, .. } = course[n];
            candidates(threshold[n], current, u_end, current_end)
        });
        u = course.map(|course| course.u_end);
        current = course.map(|course| course.current_end);
        let any = may_cross.into_iter().reduce(|a, b| a | b).map_or(0, Lanes::bits);
        if any == 0 {
            continue;
        }
        for n in 0..N {
            if N > 1 && may_cross[n].bits() == 0 {
                continue;
            }
            let Walked { neurons, spikes, .. } = &mut blocks[n];
            match spikes_between(roots, neurons, &course[n], group, index as u32, spikes) {
                Some(voltage) => u[n] = voltage,
                None => return false,
            }
        }
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
