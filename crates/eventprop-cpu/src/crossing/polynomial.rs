use super::{Rest, Roots};
use crate::decay::{Decay, Step};
use crate::lanes::{LaneReal, Lanes};
use crate::math::ln;

/// Crossings for tau_mem = R tau_syn. With x = exp(-s/tau_mem) the voltage is A x - B x^R, where
/// B = I/(R - 1) and A = u + B: no exponential, and one logarithm a spike for its time.
pub(crate) struct Polynomial<T, const R: usize>(pub(crate) Decay<T>);

/// Newton steps at most. The first guess is the root of the second-order expansion, and each step
/// squares the error: [`Lanes::NEWTON_STEPS`] are often enough, a grazing crossing needs the most.
const MAX_STEPS: usize = 24;

impl<T: LaneReal, const R: usize> Roots<T> for Polynomial<T, R> {
    /// The maximum lies at x^(R-1) = A/(R B) and is A x (R-1)/R high: raised to the power R - 1, the
    /// comparison needs no root.
    #[inline(always)]
    fn peak_above<L: Lanes<Scalar = T>>(&self, u: L, current: L, threshold: L) -> L {
        let b = current * L::of(1.0 / (R as f64 - 1.0));
        let a = u + b;
        let high = a * L::of((R as f64 - 1.0) / R as f64);
        let bound = b * L::of(R as f64) * power::<_, R>(threshold).0;
        (a * power::<_, R>(high).0).gt(bound) & a.gt(L::zero())
    }

    /// Newton in y = 1 - x. The voltage is concave in y (for a positive current) and its third
    /// derivative is not negative, so the guess lies before the maximum and Newton cannot leave.
    #[inline(always)]
    fn root<L: Lanes<Scalar = T>>(
        &self,
        u: L,
        current: L,
        threshold: L,
        spiking: L,
        rest: &Rest<L>,
    ) -> (Step<L>, L) {
        let (zero, one, two) = (L::zero(), L::of(1.0), L::of(2.0));
        let ratio = L::of(R as f64);
        let b = current * L::of(1.0 / (R as f64 - 1.0));
        let a = u + b;
        let (gap, rise) = (threshold - u, current - u);
        let curvature = ratio * current;
        let discriminant = rise.mul_add(rise, -(two * curvature * gap)).fast_max(zero);
        let y_end = one - rest.mem;
        let mut y = (two * gap / (rise + discriminant.sqrt())).fast_min(y_end);
        // A slope this small is that of a voltage which touches the threshold.
        let least_slope = threshold.abs() * L::splat(T::epsilon());
        let enough = L::splat(T::epsilon());
        // A lane that is done stays as it is, whatever its neighbours need.
        let mut open = spiking;
        for step in 1..=MAX_STEPS {
            let x = one - y;
            let (x_low, _) = power::<_, R>(x);
            let b_low = b * x_low;
            let f = x.mul_add(a - b_low, -threshold);
            let slope = ratio.mul_add(b_low, -a).fast_max(least_slope);
            let dy = f / slope;
            y = open.select((y - dy).fast_min(y_end).fast_max(zero), y);
            if step >= L::NEWTON_STEPS {
                // What the next step would change: curvature dy^2/(2 slope).
                open = open & (dy * dy * curvature).abs().gt(enough * slope);
                if open.bits() == 0 {
                    break;
                }
            }
        }
        let x = one - y;
        let (_, x_power) = power::<_, R>(x);
        let drive = L::splat(self.0.gain()) * (x - x_power);
        (Step { mem: x, syn: x_power, drive }, x)
    }

    #[inline(always)]
    fn join<L: Lanes<Scalar = T>>(&self, before: L, mark: L) -> L {
        before * mark
    }

    #[inline(always)]
    fn origin<L: Lanes<Scalar = T>>(&self) -> L {
        L::of(1.0)
    }

    #[inline(always)]
    fn elapsed<L: Lanes<Scalar = T>>(&self, mark: L) -> L {
        -ln(mark) * L::splat(self.0.tau_mem)
    }
}

/// (x^(R - 1), x^R).
#[inline(always)]
fn power<L: Lanes, const R: usize>(x: L) -> (L, L) {
    let low = if R == 4 { x * (x * x) } else { (2..R).fold(x, |power, _| power * x) };
    (low, low * x)
}
