use super::neurons::BlockNeurons;
use super::piece::Piece;
use super::state::State;
use crate::lanes::{LaneReal, Lanes};
use lif_core::loss::Readout;

/// The weight that a mean of the voltage gives to time: w(t) = exp(-rate t)/T.
#[derive(Clone, Copy, Debug)]
pub(super) struct Density<T> {
    /// In 1/ms.
    pub(super) rate: T,
    duration: T,
}

impl<T: LaneReal> Density<T> {
    /// The weight of a readout; none if it is no mean of the voltage.
    pub(super) fn of(readout: Readout, duration: T) -> Option<Self> {
        match readout {
            Readout::Mean => Some(Self { rate: T::zero(), duration }),
            Readout::ExpMean => Some(Self { rate: duration.recip(), duration }),
            _ => None,
        }
    }

    /// w at `time`.
    #[inline]
    pub(super) fn at(&self, time: f64) -> T {
        (-self.rate * T::of(time)).exp() / self.duration
    }

    /// The integral of w from `start` to `end`.
    #[inline]
    pub(super) fn between(&self, start: f64, end: f64) -> T {
        let dt = T::of(end - start);
        let z = self.rate * dt;
        let mean = if z == T::zero() { T::one() } else { -(-z).exp_m1() / z };
        self.at(start) * dt * mean
    }
}

/// The integrals of w I and w u over a piece, for neurons that are not refractory, from its state at
/// either end: by parts, (1/tau_syn + rate) integral of w I = - [w I] and
/// (1 + rate tau_mem) integral of w u = integral of w I - tau_mem [w u].
#[inline]
pub(super) fn weighted_integrals<T: LaneReal>(
    density: Density<T>,
    neurons: &BlockNeurons<T>,
    piece: &Piece<T>,
    end: &State<T::Lanes>,
) -> (T::Lanes, T::Lanes) {
    let splat = T::Lanes::splat;
    let (first, last) = (splat(density.at(piece.start)), splat(density.at(piece.end)));
    let (rate, decays) = (splat(density.rate), &neurons.decays);
    let current = (first * piece.state.current - last * end.current) / (decays.rate_syn + rate);
    let change = last * end.u - first * piece.state.u;
    let voltage =
        (current - decays.tau_mem * change) / decays.tau_mem.mul_add(rate, T::Lanes::of(1.0));
    (current, voltage)
}
