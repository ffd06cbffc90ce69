use crate::lanes::{LaneReal, Lanes};
use crate::math::{exp, ln, phi};

/// How a layer's voltage and current decay: its two time constants, ready for use.
///
/// Voltages are counted from the bias: u = V - b, so tau_mem u' = -u + I and tau_syn I' = -I.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Decay<T> {
    /// Membrane time constant in ms.
    pub(crate) tau_mem: T,
    /// Synaptic time constant in ms.
    pub(crate) tau_syn: T,
    /// 1/tau_syn - 1/tau_mem, computed without cancellation.
    difference: T,
    /// tau_syn/(tau_mem - tau_syn); infinite at equal constants, where it is not used.
    gain: T,
}

/// What an interval does: u <- mem u + drive I, I <- syn I. In lanes or common to all of them.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub(crate) struct Step<L> {
    /// Decay of the voltage.
    pub(crate) mem: L,
    /// Decay of the current.
    pub(crate) syn: L,
    /// What the current adds to the voltage.
    pub(crate) drive: L,
}

impl<T: LaneReal> Decay<T> {
    pub(crate) fn new(tau_mem: T, tau_syn: T) -> Self {
        let difference = (tau_mem - tau_syn) / (tau_mem * tau_syn);
        Self { tau_mem, tau_syn, difference, gain: (tau_mem * difference).recip() }
    }

    /// The ratio tau_mem/tau_syn if it is an integer for which crossings are roots of a polynomial.
    pub(crate) fn integer_ratio(&self) -> Option<u32> {
        let ratio = self.tau_mem / self.tau_syn;
        (2..=10).find(|&integer| ratio == T::of(f64::from(integer)))
    }

    /// The factor from [`Step::drive`] to what lambda_V adds to lambda_I in the reversed step.
    pub(crate) fn adjoint_ratio(&self) -> T {
        self.tau_mem / self.tau_syn
    }

    /// tau_syn/(tau_mem - tau_syn).
    pub(crate) fn gain(&self) -> T {
        self.gain
    }

    /// The steps over `dt` ms. The drive is es expm1(dt d)/(tau_mem d) near equal constants, the
    /// difference of the exponentials elsewhere.
    #[inline(always)]
    pub(crate) fn step<L: Lanes<Scalar = T>>(&self, dt: L) -> Step<L> {
        let mem = exp(-dt / L::splat(self.tau_mem));
        let syn = exp(-dt / L::splat(self.tau_syn));
        let z = dt * L::splat(self.difference);
        let near = syn * (dt / L::splat(self.tau_mem)) * phi(z);
        let far = L::splat(self.gain) * (mem - syn);
        let drive = L::of(0.5).gt(z.abs()).select(near, far);
        Step { mem, syn, drive }
    }

    /// The time from (u, I) to the extremum of the voltage, where it equals the current:
    /// ln(1 + z)/d with d = 1/tau_syn - 1/tau_mem and z = tau_mem d (I - u)/(I + tau_mem d u).
    #[inline(always)]
    pub(crate) fn time_of_maximum<L: Lanes<Scalar = T>>(&self, u: L, current: L) -> L {
        let difference = L::splat(self.difference);
        let tau_mem = L::splat(self.tau_mem);
        let scale = tau_mem * difference;
        let linear = (current - u) / scale.mul_add(u, current);
        let z = scale * linear;
        // ln(1 + z)/z by its series where z is small, so that equal constants are no exception.
        let terms = [1.0, -0.5, 1.0 / 3.0, -0.25, 0.2, -1.0 / 6.0, 1.0 / 7.0, -0.125];
        let series = terms.iter().rev().fold(L::zero(), |sum, &term| sum.mul_add(z, L::of(term)));
        let near = tau_mem * linear * series;
        let far = ln(L::of(1.0) + z) / difference;
        L::of(0.01).gt(z.abs()).select(near, far)
    }
}

impl<L: Lanes> Step<L> {
    /// The step that changes nothing.
    #[inline(always)]
    pub(crate) fn identity() -> Self {
        Self { mem: L::of(1.0), syn: L::of(1.0), drive: L::zero() }
    }

    /// This step, then `next`.
    #[inline(always)]
    pub(crate) fn then(self, next: Self) -> Self {
        Self {
            mem: self.mem * next.mem,
            syn: self.syn * next.syn,
            drive: self.drive.mul_add(next.mem, self.syn * next.drive),
        }
    }

    /// The voltage after the step.
    #[inline(always)]
    pub(crate) fn voltage(&self, u: L, current: L) -> L {
        u.mul_add(self.mem, current * self.drive)
    }
}
