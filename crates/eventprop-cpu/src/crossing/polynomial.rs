use super::{Interval, Neurons, Rest, Roots, Solver, Spike, all_spikes};
use crate::decay::{Decay, Step};
use crate::lanes::{LANES, LaneReal, Lanes};
use crate::math::ln;

/// Crossings for tau_mem = R tau_syn. With x = exp(-s/tau_mem) the voltage is A x - B x^R, where
/// B = I/(R - 1) and A = u + B: no exponential, and one logarithm a spike for its time.
pub(crate) struct Polynomial<T, const R: usize>(pub(crate) Decay<T>);

/// Newton steps after the first guess. The guess is the root of the second-order expansion; after
/// it each step squares the error, so 3 or 4 are the rule and a grazing crossing needs the most.
const MAX_STEPS: usize = 24;

impl<T: LaneReal, const R: usize> Solver<T> for Polynomial<T, R> {
    #[inline(never)]
    fn spikes(
        &self,
        neurons: &Neurons<T::Lanes>,
        interval: &Interval<T::Lanes>,
        spikes: &mut Vec<Spike<T>>,
    ) -> Option<T::Lanes> {
        all_spikes(self, neurons, interval, spikes)
    }

    fn set_times(&self, spikes: &mut [Spike<T>], start: &dyn Fn(u32) -> T) {
        for chunk in spikes.chunks_mut(LANES) {
            let mut x = [T::one(); LANES];
            for (x, spike) in x.iter_mut().zip(&*chunk) {
                *x = spike.time;
            }
            let elapsed = -ln(T::Lanes::from_array(x)) * T::Lanes::splat(self.0.tau_mem);
            for (spike, elapsed) in chunk.iter_mut().zip(elapsed.to_array()) {
                spike.time = start(spike.interval) + elapsed;
            }
        }
    }
}

impl<T: LaneReal, const R: usize> Roots<T> for Polynomial<T, R> {
    /// The maximum lies at x^(R-1) = A/(R B) and is A x (R-1)/R high: raised to the power R - 1, the
    /// comparison needs no root.
    #[inline(always)]
    fn peak_above(&self, u: T::Lanes, current: T::Lanes, threshold: T::Lanes) -> T::Lanes {
        let b = current * T::Lanes::of(1.0 / (R as f64 - 1.0));
        let a = u + b;
        let high = a * T::Lanes::of((R as f64 - 1.0) / R as f64);
        let bound = b * T::Lanes::of(R as f64) * power::<_, R>(threshold).0;
        (a * power::<_, R>(high).0).gt(bound) & a.gt(T::Lanes::zero())
    }

    /// Newton in y = 1 - x. The voltage is concave in y (for a positive current) and its third
    /// derivative is not negative, so the guess lies before the maximum and Newton cannot leave.
    #[inline(always)]
    fn root(
        &self,
        u: T::Lanes,
        current: T::Lanes,
        threshold: T::Lanes,
        spiking: T::Lanes,
        rest: &Rest<T::Lanes>,
    ) -> (Step<T::Lanes>, T::Lanes) {
        let (zero, one, two) = (T::Lanes::zero(), T::Lanes::of(1.0), T::Lanes::of(2.0));
        let ratio = T::Lanes::of(R as f64);
        let b = current * T::Lanes::of(1.0 / (R as f64 - 1.0));
        let a = u + b;
        let (gap, rise) = (threshold - u, current - u);
        let curvature = ratio * current;
        let discriminant = rise.mul_add(rise, -(two * curvature * gap)).fast_max(zero);
        let y_end = one - rest.step.mem;
        let mut y = (two * gap / (rise + discriminant.sqrt())).fast_min(y_end);
        // A slope this small is that of a voltage which touches the threshold.
        let least_slope = threshold.abs() * T::Lanes::splat(T::epsilon());
        let enough = T::Lanes::splat(T::epsilon());
        for _ in 0..MAX_STEPS {
            let x = one - y;
            let (x_low, _) = power::<_, R>(x);
            let b_low = b * x_low;
            let f = x * (a - b_low) - threshold;
            let slope = ratio.mul_add(b_low, -a).fast_max(least_slope);
            let dy = f / slope;
            y = (y - dy).fast_min(y_end).fast_max(zero);
            // What the next step would change: curvature dy^2/(2 slope).
            let open = (dy * dy * curvature).abs().gt(enough * slope);
            if (open & spiking).bits() == 0 {
                break;
            }
        }
        let x = one - y;
        let (_, x_power) = power::<_, R>(x);
        let drive = T::Lanes::splat(self.0.gain()) * (x - x_power);
        (Step { mem: x, syn: x_power, drive }, x)
    }

    #[inline(always)]
    fn after(&self, rest: &Rest<T::Lanes>, at: &Step<T::Lanes>, _: T::Lanes) -> Rest<T::Lanes> {
        let mem = rest.step.mem / at.mem;
        let (_, syn) = power::<_, R>(mem);
        let drive = T::Lanes::splat(self.0.gain()) * (mem - syn);
        Rest { step: Step { mem, syn, drive }, dt: rest.dt }
    }

    #[inline(always)]
    fn join(&self, before: T::Lanes, mark: T::Lanes) -> T::Lanes {
        before * mark
    }

    #[inline(always)]
    fn origin(&self) -> T::Lanes {
        T::Lanes::of(1.0)
    }
}

/// (x^(R - 1), x^R).
#[inline(always)]
fn power<L: Lanes, const R: usize>(x: L) -> (L, L) {
    let low = if R == 4 { x * (x * x) } else { (2..R).fold(x, |power, _| power * x) };
    (low, low * x)
}
