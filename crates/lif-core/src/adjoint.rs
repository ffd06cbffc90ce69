//! What a spike, an arrival and a loss term do to the adjoint variables, in reverse time.
//!
//! The superscript + means just after an event in forward time, - just before it. The jump at a spike and the
//! gradient by a weight are Wunderlich & Pehle's (2021); all of it is derived in docs/derivation.md, whose
//! equations are named here.

use crate::Real;
use crate::flow::Adjoint;

/// What an arrival over a synapse of weight `weight` contributes to the derivative of the loss by
/// the time of the spike that was sent (and by the synapse's delay): w (lambda_V - lambda_I); equations 7, 8.
#[inline]
pub fn arrival_error<T: Real>(weight: T, adjoint: Adjoint<T>) -> T {
    weight * (adjoint.v - adjoint.i)
}

/// What an arrival contributes to the derivative of the loss by the weight: -tau_syn lambda_I; equation 7.
#[inline]
pub fn weight_gradient<T: Real>(tau_syn: T, adjoint: Adjoint<T>) -> T {
    -tau_syn * adjoint.i
}

/// What a loss whose derivative by V at this moment is `gradient` adds to lambda_V; section 8.
#[inline]
pub fn voltage_impulse<T: Real>(gradient: T, tau_mem: T) -> T {
    -gradient / tau_mem
}

/// A neuron as it was at one of its spikes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SpikeMoment<T> {
    /// The current I, which the spike does not change.
    pub current: T,
    /// Constant input current b.
    pub bias: T,
    /// The voltage that was reached: the threshold, plus the adaptation B if there is one.
    pub reached: T,
    /// How fast the threshold itself fell, times tau_mem: tau_mem B / tau_b; 0 without adaptation.
    pub threshold_fall: T,
}

impl<T: Real> SpikeMoment<T> {
    /// tau_mem times the slope with which V met the threshold; the denominator of equation 9, or 14.
    #[inline]
    pub fn slope(self) -> T {
        self.current + self.bias - self.reached + self.threshold_fall
    }
}

/// tau_mem V'+ lambda_V+: what the loss changes by if a neuron leaves its reset later, `lambda_v` and
/// `current` being lambda_V+ and I where it leaves it; equation 12.
#[inline]
pub fn release_error<T: Real>(current: T, bias: T, reset: T, lambda_v: T) -> T {
    (current + bias - reset) * lambda_v
}

/// The derivative of the loss by a spike's time divided by the slope, which is lambda_V-, and
/// whether the slope was below `floor` and was replaced by it; equation 9.
///
/// `by_time` collects everything that moves with the spike: the release from the reset
/// ([`release_error`]), the errors of its arrivals and the loss's own derivative.
#[inline]
pub fn spike_jump<T: Real>(by_time: T, slope: T, floor: T) -> (T, bool) {
    let grazing = slope < floor;
    (by_time / if grazing { floor } else { slope }, grazing)
}
