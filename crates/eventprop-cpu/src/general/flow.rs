use crate::decay::Step;
use crate::lanes::Lanes;
use crate::math::{exp, phi};

/// The time constants of a block's neurons, a lane each, ready for use.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Decays<L> {
    /// In ms.
    pub(super) tau_mem: L,
    /// In ms.
    pub(super) tau_syn: L,
    /// 1/tau_mem.
    pub(super) rate_mem: L,
    /// 1/tau_syn.
    pub(super) rate_syn: L,
    /// tau_mem/tau_syn: from the drive of a step to that of its adjoint.
    pub(super) ratio: L,
    /// 1/tau_syn - 1/tau_mem, computed without cancellation.
    difference: L,
    /// tau_syn/(tau_mem - tau_syn); infinite at equal constants, where it is not used.
    gain: L,
}

/// The derivatives of a step's coefficients by the time constants.
pub(super) struct Sensitivity<L> {
    /// Of the voltage's decay by tau_mem.
    pub(super) mem: L,
    /// Of the drive by tau_mem.
    pub(super) drive_by_mem: L,
    /// Of the current's decay by tau_syn.
    pub(super) syn: L,
    /// Of the drive by tau_syn.
    pub(super) drive_by_syn: L,
}

impl<L: Lanes> Decays<L> {
    pub(super) fn new(tau_mem: L, tau_syn: L) -> Self {
        let one = L::of(1.0);
        let difference = (tau_mem - tau_syn) / (tau_mem * tau_syn);
        Self {
            tau_mem,
            tau_syn,
            rate_mem: one / tau_mem,
            rate_syn: one / tau_syn,
            ratio: tau_mem / tau_syn,
            difference,
            gain: one / (tau_mem * difference),
        }
    }

    /// The step over `dt` ms; see [`crate::decay::Decay::step`].
    #[inline(always)]
    pub(super) fn step(&self, dt: L) -> Step<L> {
        let mem = exp(-(dt * self.rate_mem));
        let syn = exp(-(dt * self.rate_syn));
        let z = dt * self.difference;
        let near = syn * (dt * self.rate_mem) * phi(z);
        let far = self.gain * (mem - syn);
        let drive = L::of(0.5).gt(z.abs()).select(near, far);
        Step { mem, syn, drive }
    }

    /// How the step over `dt` ms depends on the time constants. With the drive c = C/tau_mem, C the
    /// convolution of the two decays, dC/d(1/tau_mem) is minus the convolution of C with the
    /// membrane's decay, dC/d(1/tau_syn) minus that with the current's.
    #[inline(always)]
    pub(super) fn sensitivity(&self, dt: L, step: &Step<L>) -> Sensitivity<L> {
        let once = step.drive * self.tau_mem;
        let z = dt * self.difference;
        let is_near = L::of(0.5).gt(z.abs());
        let (mem, syn) = (dt * step.mem, dt * step.syn);
        let with_mem = is_near.select(dt * mem * second_phi(-z), (mem - once) / self.difference);
        let with_syn = is_near.select(dt * syn * second_phi(z), (once - syn) / self.difference);
        let (mem_squared, syn_squared) =
            (self.rate_mem * self.rate_mem, self.rate_syn * self.rate_syn);
        Sensitivity {
            mem: mem * mem_squared,
            drive_by_mem: (self.rate_mem * with_mem - once) * mem_squared,
            syn: syn * syn_squared,
            drive_by_syn: self.rate_mem * with_syn * syn_squared,
        }
    }
}

/// (e^z - 1 - z)/z^2 for |z| <= 1/2.
#[inline(always)]
fn second_phi<L: Lanes>(z: L) -> L {
    let mut factorial = 1.0;
    let mut coefficients = [0.0; 20];
    for (term, coefficient) in coefficients.iter_mut().enumerate() {
        factorial *= (term + 2) as f64;
        *coefficient = 1.0 / factorial;
    }
    let terms = coefficients[..L::PHI_TERMS].iter().rev();
    terms.fold(L::zero(), |sum, &coefficient| sum.mul_add(z, L::of(coefficient)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lanes::LANES;
    use proptest::prelude::*;

    type Lanes64 = <f64 as crate::LaneReal>::Lanes;

    fn step(tau_mem: f64, tau_syn: f64, dt: f64) -> [f64; 3] {
        let step = Decays::new(Lanes64::of(tau_mem), Lanes64::of(tau_syn)).step(Lanes64::of(dt));
        [step.mem, step.syn, step.drive].map(|lanes| lanes.to_array()[LANES - 1])
    }

    proptest! {
        #[test]
        fn sensitivities_are_derivatives(
            tau_mem in 2.0..40.0_f64,
            tau_syn in prop_oneof![2.0..40.0_f64, Just(0.0), Just(1e-9), Just(1e-3)],
            dt in 0.0..60.0_f64,
        ) {
            let tau_syn = if tau_syn < 1.0 { tau_mem * (1.0 + tau_syn) } else { tau_syn };
            let decays = Decays::new(Lanes64::of(tau_mem), Lanes64::of(tau_syn));
            let dt_lanes = Lanes64::of(dt);
            let found = decays.sensitivity(dt_lanes, &decays.step(dt_lanes));
            let h = 1e-3;
            let by = |f: &dyn Fn(f64) -> f64| {
                (8.0 * (f(h) - f(-h)) - (f(2.0 * h) - f(-2.0 * h))) / (12.0 * h)
            };
            let expected = [
                by(&|h| step(tau_mem + h, tau_syn, dt)[0]),
                by(&|h| step(tau_mem + h, tau_syn, dt)[2]),
                by(&|h| step(tau_mem, tau_syn + h, dt)[1]),
                by(&|h| step(tau_mem, tau_syn + h, dt)[2]),
            ];
            let found = [found.mem, found.drive_by_mem, found.syn, found.drive_by_syn];
            for (found, expected) in found.into_iter().zip(expected) {
                let found = found.to_array()[3];
                prop_assert!((found - expected).abs() < 1e-10, "{found} {expected}");
            }
        }
    }
}
