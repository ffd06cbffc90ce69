use super::Column;
use crate::decay::Decay;
use crate::lanes::{LANES, LaneReal, Lanes};
use crate::math::exp;
use crate::stream::Stream;

/// A mean of voltages over the duration T, weighted by f(t) = exp(-rate t).
#[derive(Clone, Copy)]
pub(super) struct Mean<'a, T> {
    pub(super) rate: T,
    pub(super) duration: T,
    /// f at each group's time and at the end.
    pub(super) factors: &'a [T],
}

impl<T: LaneReal> Mean<'_, T> {
    /// The integrals follow from the equations by parts, with F the weighted sum of the weights that
    /// arrived: J = integral of f I = tau_syn (F - f(T) I(T)) / (1 + rate tau_syn), and the integral
    /// of f u = (J - tau_mem (f(T) u(T) - u(0))) / (1 + rate tau_mem).
    pub(super) fn value(
        &self,
        weights: &Column<'_, T>,
        bias: T::Lanes,
        decay: &Decay<T>,
        stream: &Stream<T>,
    ) -> T::Lanes {
        let splat = T::Lanes::splat;
        let (mut u, mut current, mut arrived) = (-bias, T::Lanes::zero(), T::Lanes::zero());
        let mut event = 0;
        let groups = stream.groups();
        for (index, &factor) in (0..groups.len()).zip(self.factors) {
            let group = groups.at(index);
            let sum =
                weights.add_to(T::Lanes::zero(), &stream.sources()[event..group.end as usize]);
            event = group.end as usize;
            arrived = sum.mul_add(splat(factor), arrived);
            current = current + sum;
            u = u.mul_add(splat(group.mem), current * splat(group.drive));
            current = current * splat(group.syn);
        }
        let last = splat(self.factors[stream.groups().len()]);
        let (rate, one) = (self.rate, T::one());
        let currents =
            (arrived - last * current) * splat(decay.tau_syn / decay.tau_syn.mul_add(rate, one));
        let voltages = (currents - splat(decay.tau_mem) * last.mul_add(u, bias))
            * splat(decay.tau_mem.mul_add(rate, one).recip());
        let weight = if rate == T::zero() {
            one
        } else {
            (one - self.factors[stream.groups().len()]) / (rate * self.duration)
        };
        bias.mul_add(splat(weight), voltages * splat(self.duration.recip()))
    }

    /// With l = a f the loss's drive, a = derivative/T: lambda_V = -l / (1 + rate tau_mem) and
    /// lambda_I = lambda_V / (1 + rate tau_syn) solve the adjoint equations.
    pub(super) fn forcing(self, derivative: T::Lanes, decay: &Decay<T>) -> (T::Lanes, T::Lanes) {
        let one = T::one();
        let voltage = derivative
            * T::Lanes::splat(
                decay.tau_syn / self.duration / decay.tau_mem.mul_add(self.rate, one),
            );
        let current = voltage * T::Lanes::splat(decay.tau_syn.mul_add(self.rate, one).recip());
        (voltage, current)
    }
}

pub(super) fn set_factors<T: LaneReal>(
    factors: &mut Vec<T>,
    rate: T,
    duration: T,
    stream: &Stream<T>,
) {
    factors.clear();
    factors.extend_from_slice(stream.times());
    factors.push(duration);
    for chunk in factors.chunks_mut(LANES) {
        let mut times = [T::zero(); LANES];
        times[..chunk.len()].copy_from_slice(chunk);
        let lanes = exp(T::Lanes::from_array(times) * T::Lanes::splat(-rate)).to_array();
        chunk.copy_from_slice(&lanes[..chunk.len()]);
    }
}
