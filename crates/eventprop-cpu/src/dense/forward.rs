use crate::crossing::{Interval, Neurons, Solver, Spike, candidates};
use crate::decay::Step;
use crate::lanes::{LaneReal, Lanes};
use crate::stream::Stream;

/// Runs a block of spiking neurons through one sample and appends their spikes, interval by
/// interval, each neuron's in order; false if a neuron runs away.
///
/// `weights` has one row a sending neuron.
#[inline(always)]
pub(crate) fn spike<T: LaneReal>(
    weights: &[T::Lanes],
    neurons: &Neurons<T::Lanes>,
    solver: &dyn Solver<T>,
    stream: &Stream<T>,
    spikes: &mut Vec<Spike<T>>,
) -> bool {
    let threshold = neurons.threshold;
    let mut u = neurons.start;
    let mut current = T::Lanes::zero();
    let mut event = 0;
    for (index, group) in stream.groups.iter().enumerate() {
        current = current + arrivals(weights, &stream.sources[event..group.end as usize]);
        event = group.end as usize;
        let step = Step {
            mem: T::Lanes::splat(group.mem),
            syn: T::Lanes::splat(group.syn),
            drive: T::Lanes::splat(group.drive),
        };
        let mut u_end = step.voltage(u, current);
        let current_end = current * step.syn;
        if candidates(threshold, current, u_end, current_end).bits() != 0 {
            let interval = Interval {
                u,
                current,
                u_end,
                current_end,
                step,
                dt: T::Lanes::splat(group.dt),
                index: index as u32,
            };
            match solver.spikes(neurons, &interval, spikes) {
                Some(voltage) => u_end = voltage,
                None => return false,
            }
        }
        (u, current) = (u_end, current_end);
    }
    true
}

/// The sum of the weights of events that come together.
#[inline(always)]
pub(crate) fn arrivals<L: Lanes>(weights: &[L], sources: &[u32]) -> L {
    let mut sum = L::zero();
    for &source in sources {
        sum = sum + weights[source as usize];
    }
    sum
}
