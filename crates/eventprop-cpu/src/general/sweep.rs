use crate::lanes::{LANES, LaneReal, Lanes};
use crate::stream::Stream;

/// A jump of one neuron's mu inside an interval, carried back to the interval's start.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Injection<T> {
    /// Added to mu_V.
    pub(super) voltage: T,
    /// Added to mu_I.
    pub(super) current: T,
    /// The group that opened the interval.
    pub(super) interval: u32,
    /// The neuron's place in its block.
    pub(super) lane: u32,
}

/// One block and what arrives at it, ready for the adjoint to be swept backward. Other than in a
/// dense layer, rows of weights are those of the block's own synapses.
pub(super) struct Sweep<'a, T: LaneReal> {
    /// The rows of weights.
    pub(super) weights: &'a [T::Lanes],
    /// The gradient by them, added to.
    pub(super) gradient: &'a mut [T::Lanes],
    /// What arrived.
    pub(super) stream: &'a Stream<T>,
    /// Where wanted, the errors of the arrivals: w (lambda_V - lambda_I) summed over the block is
    /// added to each.
    pub(super) errors: Option<&'a mut [T]>,
}

impl<T: LaneReal> Sweep<'_, T> {
    /// Sweeps from the interval of the last injection; they descend by interval. It carries
    /// mu = -tau_syn lambda: the gradient by a weight is then mu_I itself at the arrival. `ratio` is
    /// tau_mem / tau_syn, `scale` -1 / tau_syn.
    pub(super) fn run(
        &mut self,
        injections: &[Injection<T>],
        units: &[T::Lanes; LANES],
        ratio: T,
        scale: T,
    ) {
        let Some(last) = injections.first() else { return };
        let mut injections = injections.iter().peekable();
        let (mut voltage, mut current) = (T::Lanes::zero(), T::Lanes::zero());
        for index in (0..=last.interval as usize).rev() {
            let group = &self.stream.groups[index];
            let drive = T::Lanes::splat(group.drive * ratio);
            current = current.mul_add(T::Lanes::splat(group.syn), voltage * drive);
            voltage = voltage * T::Lanes::splat(group.mem);
            while let Some(injection) =
                injections.next_if(|injection| injection.interval as usize == index)
            {
                let lane = units[injection.lane as usize % LANES];
                voltage = lane.mul_add(T::Lanes::splat(injection.voltage), voltage);
                current = lane.mul_add(T::Lanes::splat(injection.current), current);
            }
            let first = if index == 0 { 0 } else { self.stream.groups[index - 1].end as usize };
            for event in first..group.end as usize {
                let row = self.stream.sources[event] as usize;
                self.gradient[row] = self.gradient[row] + current;
                if let Some(errors) = self.errors.as_deref_mut() {
                    let sum = (self.weights[row] * (voltage - current)).sum();
                    errors[event] = sum.mul_add(scale, errors[event]);
                }
            }
        }
    }
}

/// The unit vectors of a block: multiples of them reach single lanes without leaving the registers.
pub(super) fn units<T: LaneReal>() -> [T::Lanes; LANES] {
    std::array::from_fn(|unit| {
        T::Lanes::from_array(std::array::from_fn(|lane| T::of(f64::from(lane == unit))))
    })
}
