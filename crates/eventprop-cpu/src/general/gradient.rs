use super::interval::ConstantsGradient;
use crate::lanes::LaneReal;

/// The gradient of a run of samples, in rows of lanes.
#[derive(Debug, Default)]
pub(super) struct Gradient<T: LaneReal> {
    /// By weights; rows of poolings are scratch.
    pub(super) weights: Vec<T::Lanes>,
    /// By delays; empty where no connection has them.
    pub(super) delays: Vec<T::Lanes>,
    /// By the constants of each block's neurons; empty unless wanted.
    pub(super) constants: Vec<ConstantsGradient<T>>,
}

/// How the jumps of lambda_V depart from the exact adjoint.
#[derive(Debug)]
pub(super) struct Jumps<T> {
    /// The least slope tau_mem V' to divide by, in units of the threshold.
    pub(super) slope_floor: T,
    /// By layer: (target, strength / batch) of the rate regularisers.
    pub(super) rates: Vec<Option<(T, T)>>,
}

/// A jump that is not a number, at a spike of this layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NotFinite {
    pub(super) layer: usize,
}
