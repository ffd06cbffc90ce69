//! When a neuron next reaches its threshold, if nothing arrives meanwhile.
//!
//! The correctness argument is the bracketing: the interval is cut at the turning points of the
//! distance to the threshold, so that it is monotone on each piece and a crossing can neither be
//! missed nor be taken for another. The root finder then only has to converge.

use crate::Real;
use crate::flow::{State, TimeConstants, mean_decay};

/// A neuron on its way to the threshold: it spikes where V - B = threshold, from below.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Approach<T> {
    /// Its time constants.
    pub time_constants: TimeConstants<T>,
    /// Voltage and current at the start.
    pub state: State<T>,
    /// Constant input current.
    pub bias: T,
    /// Threshold.
    pub threshold: T,
    /// The adaptation at the start, where the neuron has one.
    pub adaptation: Option<Decay<T>>,
}

/// A quantity that decays exponentially.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Decay<T> {
    /// Its value at the start.
    pub value: T,
    /// Its time constant in ms.
    pub tau: T,
}

impl<T: Real> Approach<T> {
    /// The first time s in [0, dt] at which the neuron reaches its threshold from below.
    ///
    /// A neuron that starts at or above its threshold (by rounding; an engine resets at spikes) and
    /// rises spikes at 0.
    #[inline]
    pub fn first_crossing(&self, dt: T) -> Option<T> {
        let (distance, slope) = self.distance(T::zero());
        if distance >= T::zero() && slope > T::zero() {
            return Some(T::zero());
        }
        let mut before = (T::zero(), distance);
        for &end in self.turning_points(dt).iter().flatten() {
            let after = (end, self.distance(end).0);
            if before.1 < T::zero() && after.1 >= T::zero() {
                return Some(solve(|s| self.distance(s), before.0, end, self.threshold.abs()));
            }
            before = after;
        }
        None
    }

    /// The largest value of V - B - threshold over [0, dt].
    pub fn highest(&self, dt: T) -> T {
        let ends = self.turning_points(dt).into_iter().flatten();
        ends.map(|s| self.distance(s).0).fold(self.distance(T::zero()).0, T::max)
    }

    /// V - B - threshold after a time s, and its derivative.
    #[inline]
    fn distance(&self, s: T) -> (T, T) {
        let state = self.time_constants.flow(s).forward(self.state, self.bias);
        let (b, fall) = self.adaptation.map_or((T::zero(), T::zero()), |b| b.after(s));
        (state.v - b - self.threshold, self.time_constants.slope(state, self.bias) + fall)
    }

    /// (V - B)' after a time s, times exp(r s), and the derivative of that. r is the slowest of the
    /// rates: the sign is right however long after all else has decayed, where V itself is the bias
    /// but for rounding.
    fn turning(&self, s: T, decay: Decay<T>) -> (T, T) {
        let TimeConstants { tau_mem, tau_syn } = self.time_constants;
        let (m, n, b) = (tau_mem.recip(), tau_syn.recip(), decay.tau.recip());
        let slowest = m.min(n).min(b);
        let left = |rate: T| (-(rate - slowest) * s).exp();
        let spread = mean_decay((s * self.time_constants.rate_difference()).abs());
        let pull = self.state.i * n;
        let initial = self.time_constants.slope(self.state, self.bias);
        let rise = initial * left(m) - pull * m * s * left(m.min(n)) * spread;
        let fall = decay.value * b * left(b);
        let slope = rise + fall;
        let curvature = -(rise + pull * left(n)) * m - fall * b;
        (slope, curvature + slowest * slope)
    }

    /// The ends of the pieces of [0, dt] on which V - B is monotone, ascending.
    #[inline]
    fn turning_points(&self, dt: T) -> [Option<T>; 3] {
        let inside = |s: &T| *s < dt;
        match self.adaptation {
            None => {
                let turn = self.time_constants.extremum(self.state, self.bias).filter(inside);
                [turn, Some(dt), None]
            }
            Some(decay) => {
                // exp(s/tau_b) (V - B)' is monotone on either side of `split`: at most one zero each.
                let split = self.split(decay.tau).filter(inside).unwrap_or(dt);
                let turn = |from, to| self.turn_between(from, to, decay);
                [turn(T::zero(), split), turn(split, dt), Some(dt)]
            }
        }
    }

    /// The one time at which the derivative of exp(s/tau_b) (V - B)' can be 0: there
    /// (1/tau_b - 1/tau_mem) V' = I / (tau_mem tau_syn).
    fn split(&self, tau_b: T) -> Option<T> {
        let TimeConstants { tau_mem, tau_syn } = self.time_constants;
        let rate = tau_b.recip() - tau_mem.recip();
        let drive = self.state.i / (tau_mem * tau_syn);
        let slope = self.time_constants.slope(self.state, self.bias);
        let w = (rate * slope - drive) / (drive * (rate - self.time_constants.rate_difference()));
        self.time_constants.elapsed(w)
    }

    /// The time in (from, to) at which V - B turns, given that it does at most once.
    fn turn_between(&self, from: T, to: T, decay: Decay<T>) -> Option<T> {
        let (start, end) = (self.turning(from, decay).0, self.turning(to, decay).0);
        if start < T::zero() && end > T::zero() {
            Some(solve(|s| self.turning(s, decay), from, to, -start))
        } else if start > T::zero() && end < T::zero() {
            let falling = |s| {
                let (slope, curvature) = self.turning(s, decay);
                (-slope, -curvature)
            };
            Some(solve(falling, from, to, start))
        } else {
            None
        }
    }
}

impl<T: Real> Decay<T> {
    /// Its value after a time s, and how fast it falls then.
    #[inline]
    fn after(self, s: T) -> (T, T) {
        let value = self.value * (-s / self.tau).exp();
        (value, value / self.tau)
    }
}

/// The root of `f` (value, derivative) in [low, high], where f(low) < 0 <= f(high): Newton's method
/// inside a bracket, with a bisection wherever it would leave the bracket or converge slowly. Values
/// of f are sums of terms of size `scale` and no better than its rounding error.
#[inline]
fn solve<T: Real>(f: impl Fn(T) -> (T, T), mut low: T, mut high: T, scale: T) -> T {
    let (half, resolution) = (T::of(0.5), T::epsilon() * scale);
    let mut x = half * (low + high);
    let mut last_step = high - low;
    // Bisection alone halves the bracket each time: more rounds than mantissa and exponent can use
    // up for any bracket met in practice.
    for _ in 0..200 {
        let (value, slope) = f(x);
        if value == T::zero() {
            return x;
        }
        if value < T::zero() {
            low = x;
        } else {
            high = x;
        }
        let newton = x - value / slope;
        if value.abs() <= resolution {
            return if newton >= low && newton <= high { newton } else { x };
        }
        let fast = (value + value).abs() < (last_step * slope).abs();
        let next =
            if newton >= low && newton <= high && fast { newton } else { half * (low + high) };
        last_step = (next - x).abs();
        if last_step <= T::epsilon() * x.abs() {
            return next;
        }
        x = next;
    }
    x
}
