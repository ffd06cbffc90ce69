use super::{Rest, Roots};
use crate::decay::{Decay, Step};
use crate::lanes::{LaneReal, Lanes};
use crate::math::exp;

/// Crossings for any time constants: Newton in the time s, kept inside a bracket.
pub(crate) struct Exponential<T>(pub(crate) Decay<T>);

/// Newton or bisection steps; a bracket halved this often is narrower than rounding.
const MAX_STEPS: usize = 64;

impl<T: LaneReal> Roots<T> for Exponential<T> {
    /// At the maximum the voltage is the current: I exp(-s/tau_syn).
    #[inline(always)]
    fn peak_above<L: Lanes<Scalar = T>>(&self, u: L, current: L, threshold: L) -> L {
        let s = self.0.time_of_maximum(u, current);
        let height = current * exp(-s / L::splat(self.0.tau_syn));
        height.gt(threshold)
    }

    #[inline(always)]
    fn root<L: Lanes<Scalar = T>>(
        &self,
        u: L,
        current: L,
        threshold: L,
        spiking: L,
        rest: &Rest<L>,
    ) -> (Step<L>, L) {
        let (zero, two) = (L::zero(), L::of(2.0));
        let tau_mem = L::splat(self.0.tau_mem);
        let (gap, rise) = (threshold - u, (current - u) / tau_mem);
        let curvature = (current / L::splat(self.0.tau_syn) + rise) / tau_mem;
        let discriminant = rise.mul_add(rise, -(two * curvature * gap)).fast_max(zero);
        // The crossing lies before the maximum, if there is one; of a current below 0 it is a minimum, which it lies after.
        let peak = self.0.time_of_maximum(u, current);
        let is_maximum = peak.gt(zero) & current.gt(zero);
        let mut high = is_maximum.select(peak, rest.dt).fast_min(rest.dt);
        let mut low = zero;
        let mut s = (two * gap / (rise + discriminant.sqrt())).fast_min(high).fast_max(zero);
        let enough = L::splat(T::epsilon()) * tau_mem;
        let mut at = self.0.step(s);
        // A lane that is done stays as it is, whatever its neighbours need.
        let mut open = spiking;
        for _ in 0..MAX_STEPS {
            let voltage = at.voltage(u, current);
            let f = voltage - threshold;
            let slope = current.mul_add(at.syn, -voltage) / tau_mem;
            let above = f.gt(zero);
            high = above.select(s, high);
            low = above.select(low, s);
            let newton = s - f / slope;
            let inside = newton.gt(low) & high.gt(newton);
            let next = inside.select(newton, (low + high) * L::of(0.5));
            // Newton may land on a bound to rounding: then it is done, not lost.
            let next = (enough.gt((newton - s).abs())).select(newton.fast_max(zero), next);
            let moved = (next - s).abs().gt(enough);
            s = open.select(next, s);
            at = self.0.step(s);
            open = open & moved;
            if open.bits() == 0 {
                break;
            }
        }
        (at, s)
    }

    #[inline(always)]
    fn join<L: Lanes<Scalar = T>>(&self, before: L, mark: L) -> L {
        before + mark
    }

    #[inline(always)]
    fn origin<L: Lanes<Scalar = T>>(&self) -> L {
        L::zero()
    }

    #[inline(always)]
    fn elapsed<L: Lanes<Scalar = T>>(&self, mark: L) -> L {
        mark
    }
}
