//! The optimisers over rows of lanes.

use crate::lanes::{LaneReal, Lanes};
use lif_core::optimiser::UpdateRule;

/// Changes `weights` by `gradient`, cut to [-clip, clip] first; returns how many components were
/// cut.
///
/// The four slices have the same length.
pub(crate) fn update_rows<T: LaneReal>(
    rule: &UpdateRule<T>,
    clip: Option<T>,
    weights: &mut [T::Lanes],
    gradient: &[T::Lanes],
    first: &mut [T::Lanes],
    second: &mut [T::Lanes],
) -> u64 {
    match clip {
        None => {
            apply(rule, weights, gradient, first, second, |g| g);
            0
        }
        Some(bound) => {
            let (low, high) = (T::Lanes::splat(-bound), T::Lanes::splat(bound));
            let mut clipped = 0;
            apply(rule, weights, gradient, first, second, |g| {
                clipped += u64::from((g.abs().gt(high)).bits().count_ones());
                g.fast_min(high).fast_max(low)
            });
            clipped
        }
    }
}

#[inline(always)]
fn apply<T: LaneReal>(
    rule: &UpdateRule<T>,
    weights: &mut [T::Lanes],
    gradient: &[T::Lanes],
    first: &mut [T::Lanes],
    second: &mut [T::Lanes],
    mut clip: impl FnMut(T::Lanes) -> T::Lanes,
) {
    let splat = T::Lanes::splat;
    let rows = weights.iter_mut().zip(gradient).zip(first.iter_mut().zip(second));
    match *rule {
        UpdateRule::Sgd { learning_rate, momentum } => {
            for ((weight, &gradient), (m, _)) in rows {
                *m = m.mul_add(splat(momentum), clip(gradient));
                *weight = m.mul_add(splat(-learning_rate), *weight);
            }
        }
        UpdateRule::Adam { beta1, beta2, epsilon, rate, root_scale, decay } => {
            let (one, kept) = (T::one(), T::one() - decay);
            for ((weight, &gradient), (m, v)) in rows {
                let g = clip(gradient);
                *m = m.mul_add(splat(beta1), g * splat(one - beta1));
                *v = v.mul_add(splat(beta2), g * g * splat(one - beta2));
                let root = v.sqrt().mul_add(splat(root_scale), splat(epsilon));
                let step = *m * splat(-rate) / root;
                *weight = weight.mul_add(splat(kept), step);
            }
        }
    }
}
