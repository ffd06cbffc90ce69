//! What happens to a neuron between two events: the closed-form solution of
//!
//! tau_mem V' = -V + I + b,  tau_syn I' = -I
//!
//! and its transpose, which carries the adjoint variables the other way (Wunderlich & Pehle 2021,
//! equations 1 and 5). Both are stable for equal and nearly equal time constants.

use crate::Real;

/// Voltage and current of a neuron.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct State<T> {
    /// Membrane voltage V.
    pub v: T,
    /// Synaptic current I.
    pub i: T,
}

/// The adjoint variables of a neuron: `-tau_mem` times `v` is the derivative of the loss by V,
/// `-tau_syn` times `i` that by I.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Adjoint<T> {
    /// lambda_V.
    pub v: T,
    /// lambda_I.
    pub i: T,
}

/// The time constants of a neuron, in ms.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TimeConstants<T> {
    /// Of the membrane, positive.
    pub tau_mem: T,
    /// Of the synaptic current, positive.
    pub tau_syn: T,
}

/// The coefficients of a step over a time without an event. They serve both directions.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Flow<T> {
    /// exp(-dt/tau_mem).
    pub em: T,
    /// exp(-dt/tau_syn).
    pub es: T,
    /// What a unit of current at the start adds to the voltage at the end:
    /// tau_syn/(tau_mem - tau_syn) (em - es).
    pub c: T,
}

impl<T: Real> TimeConstants<T> {
    /// The coefficients of a step over `dt` >= 0 ms.
    #[inline]
    pub fn flow(self, dt: T) -> Flow<T> {
        let (em, es) = ((-dt / self.tau_mem).exp(), (-dt / self.tau_syn).exp());
        // (em - es) over the difference of the rates, from the slower decay: nothing cancels at
        // equal constants and nothing overflows at very different ones.
        let spread = (dt * self.rate_difference()).abs();
        Flow { em, es, c: dt / self.tau_mem * em.max(es) * mean_decay(spread) }
    }

    /// 1/tau_syn - 1/tau_mem.
    #[inline]
    pub fn rate_difference(self) -> T {
        (self.tau_mem - self.tau_syn) / (self.tau_mem * self.tau_syn)
    }

    /// tau_mem / tau_syn: what turns [`Flow::c`] into its transpose.
    #[inline]
    pub fn ratio(self) -> T {
        self.tau_mem / self.tau_syn
    }

    /// dV/dt of a neuron in `state` with constant input `bias`.
    #[inline]
    pub fn slope(self, state: State<T>, bias: T) -> T {
        (state.i - state.v + bias) / self.tau_mem
    }

    /// The time after which V is extremal, if it is so at a time after now; it is so at most once.
    #[inline]
    pub fn extremum(self, state: State<T>, bias: T) -> Option<T> {
        // V'(s) = em (V'(0) - I w(s) / (tau_mem tau_syn)) with w as in `elapsed`.
        self.elapsed(self.tau_syn * (state.i - state.v + bias) / state.i)
    }

    /// The time s > 0 at which w(s) = integral of exp(-s d) ds over [0, s], d the difference of the
    /// rates, takes the value `w`: what a linear equation in em, es and c reduces to.
    #[inline]
    pub fn elapsed(self, w: T) -> Option<T> {
        let d = self.rate_difference();
        let s = if d == T::zero() { w } else { -(-d * w).ln_1p() / d };
        (s > T::zero() && s.is_finite()).then_some(s)
    }
}

impl<T: Real> Flow<T> {
    /// The state at the end of the step from that at its start.
    #[inline]
    pub fn forward(self, state: State<T>, bias: T) -> State<T> {
        State {
            v: self.c.mul_add(state.i, self.em.mul_add(state.v - bias, bias)),
            i: self.es * state.i,
        }
    }

    /// The adjoint at the start of the step from that at its end; `ratio` is tau_mem / tau_syn.
    #[inline]
    pub fn backward(self, adjoint: Adjoint<T>, ratio: T) -> Adjoint<T> {
        Adjoint {
            v: self.em * adjoint.v,
            i: (self.c * ratio).mul_add(adjoint.v, self.es * adjoint.i),
        }
    }
}

/// The mean of exp(-y) over [0, y], y >= 0.
#[inline]
pub(crate) fn mean_decay<T: Real>(y: T) -> T {
    if y == T::zero() { T::one() } else { -(-y).exp_m1() / y }
}
