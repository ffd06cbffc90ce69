use crate::lanes::{LANES, LaneReal, Lanes};
use crate::stream::Stream;

/// A block and a sample, ready for the adjoint to be swept backward through the sample's arrivals.
pub(crate) struct Sweep<'a, T: LaneReal> {
    /// The weights from each sending neuron.
    pub(crate) weights: &'a [T::Lanes],
    /// The gradient by them, added to.
    pub(crate) gradient: &'a mut [T::Lanes],
    /// What arrived.
    pub(crate) stream: &'a Stream<T>,
    /// Where wanted, the errors of the arrivals: the sum over the block of w (lambda_V - lambda_I)
    /// is added to each event's entry.
    pub(crate) errors: Option<&'a mut [T]>,
}

impl<T: LaneReal> Sweep<'_, T> {
    /// Sweeps from the interval of the last injection, or from the end of the simulation under a
    /// forcing. It carries mu = -tau_syn lambda: the gradient by a weight is then mu_I itself at the
    /// arrival.
    #[inline(always)]
    pub(crate) fn run(&mut self, adjoint: &Adjoint<'_, T>) {
        match (self.errors.is_some(), adjoint.forcing) {
            (false, None) => self.run_with::<false, false>(adjoint),
            (false, Some(_)) => self.run_with::<false, true>(adjoint),
            (true, None) => self.run_with::<true, false>(adjoint),
            (true, Some(_)) => self.run_with::<true, true>(adjoint),
        }
    }

    #[inline(always)]
    fn run_with<const ERRORS: bool, const FORCED: bool>(&mut self, adjoint: &Adjoint<'_, T>) {
        let Self { weights, gradient, stream, errors } = self;
        let errors = errors.as_deref_mut().unwrap_or_default();
        let Adjoint { ratio, scale, injections, forcing, .. } = *adjoint;
        let groups = match (forcing, injections.last()) {
            (Some(_), _) => stream.groups.len(),
            (None, Some(last)) => last.interval as usize + 1,
            (None, None) => return,
        };
        let (mut voltage, mut current) = (T::Lanes::zero(), T::Lanes::zero());
        if let Some(forcing) = forcing {
            // Nothing is left at the end: what is not forced starts as its opposite.
            let last = T::Lanes::splat(-forcing.factors[groups]);
            (voltage, current) = (forcing.voltage * last, forcing.current * last);
        }
        let mut pending = injections.len();
        for index in (0..groups).rev() {
            let group = &stream.groups[index];
            let drive = T::Lanes::splat(group.drive * ratio);
            current = current.mul_add(T::Lanes::splat(group.syn), voltage * drive);
            voltage = voltage * T::Lanes::splat(group.mem);
            while pending > 0 && injections[pending - 1].interval as usize == index {
                pending -= 1;
                let injection = &injections[pending];
                let lane = adjoint.units[injection.lane as usize % LANES];
                voltage = lane.mul_add(T::Lanes::splat(injection.voltage), voltage);
                current = lane.mul_add(T::Lanes::splat(injection.current), current);
            }
            let (mut mu_voltage, mut mu_current) = (voltage, current);
            if FORCED && let Some(forcing) = forcing {
                let factor = T::Lanes::splat(forcing.factors[index]);
                mu_voltage = forcing.voltage.mul_add(factor, mu_voltage);
                mu_current = forcing.current.mul_add(factor, mu_current);
            }
            let first = if index == 0 { 0 } else { stream.groups[index - 1].end as usize };
            for event in first..group.end as usize {
                let source = stream.sources[event] as usize;
                gradient[source] = gradient[source] + mu_current;
                if ERRORS {
                    let sum = (weights[source] * (mu_voltage - mu_current)).sum();
                    errors[event] = sum.mul_add(scale, errors[event]);
                }
            }
        }
    }
}

/// Everything that drives a block's adjoint in one sample.
pub(crate) struct Adjoint<'a, T: LaneReal> {
    /// tau_mem / tau_syn: from the drive of a step to that of its adjoint.
    pub(crate) ratio: T,
    /// -1 / tau_syn: from mu to lambda.
    pub(crate) scale: T,
    /// Jumps, ascending by interval.
    pub(crate) injections: &'a [Injection<T>],
    /// 1 in one lane each: multiples of them reach single lanes without leaving the registers.
    pub(crate) units: &'a [T::Lanes; LANES],
    /// A drive all along.
    pub(crate) forcing: Option<Forcing<'a, T>>,
}

/// A jump of one neuron's mu inside an interval, carried back to the interval's start.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Injection<T> {
    /// Added to mu_V.
    pub(crate) voltage: T,
    /// Added to mu_I.
    pub(crate) current: T,
    /// The group that opened the interval.
    pub(crate) interval: u32,
    /// The neuron's place in its block.
    pub(crate) lane: u32,
}

/// The answer to a loss on a weighted mean of the voltage: beside what [`Injection`]s bring, mu_V and
/// mu_I hold these amplitudes times a factor that the time alone decides.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Forcing<'a, T: LaneReal> {
    /// Amplitude in mu_V.
    pub(crate) voltage: T::Lanes,
    /// Amplitude in mu_I.
    pub(crate) current: T::Lanes,
    /// The factor at each group's time and, last, at the end of the simulation.
    pub(crate) factors: &'a [T],
}

/// The unit vectors of a block.
pub(crate) fn units<T: LaneReal>() -> [T::Lanes; LANES] {
    std::array::from_fn(|unit| {
        T::Lanes::from_array(std::array::from_fn(|lane| T::of(f64::from(lane == unit))))
    })
}
