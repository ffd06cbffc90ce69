//! The optimisers over rows of lanes.

use crate::lanes::{LaneReal, Lanes};
use lif_core::optimiser::UpdateRule;

/// Some rows of a connection's weights, what the optimiser keeps of them, and the gradient by them.
pub(crate) struct Piece<'a, T: LaneReal> {
    /// How many rows.
    pub(crate) rows: usize,
    pub(crate) weights: &'a mut [T::Lanes],
    /// How many runs the gradient is the sum of: one or two.
    pub(crate) runs: usize,
    /// `[run][column]`: these rows of each column in which the gradient lies, from left to right.
    pub(crate) gradient: Vec<&'a mut [T::Lanes]>,
    pub(crate) first: &'a mut [T::Lanes],
    pub(crate) second: &'a mut [T::Lanes],
}

/// What came of an update.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Changed {
    /// How many components of the gradient were cut.
    pub(crate) clipped: u64,
    /// Whether all weights are numbers still.
    pub(crate) is_finite: bool,
}

impl Changed {
    /// That of no weights.
    pub(crate) const NOTHING: Self = Self { clipped: 0, is_finite: true };

    /// That of one and another.
    pub(crate) fn and(self, other: Self) -> Self {
        Self { clipped: self.clipped + other.clipped, is_finite: self.is_finite && other.is_finite }
    }
}

impl<T: LaneReal> Piece<'_, T> {
    /// Changes the weights by the gradient, cut to [-clip, clip] first. Leaves zeros for the gradient: here it is at hand,
    /// later it would have to be fetched once more.
    pub(crate) fn update(self, rule: &UpdateRule<T>, clip: Option<T>) -> Changed {
        let Self { rows, runs, mut weights, mut gradient, mut first, mut second } = self;
        let columns = gradient.len() / runs;
        let (sums, others) = gradient.split_at_mut(columns);
        // One column lies as the weights do: all its rows are taken for one.
        let rows = if columns == 1 { 1 } else { rows };
        let mut changed = Changed::NOTHING;
        for row in 0..rows {
            for (column, sum) in sums.iter_mut().enumerate() {
                let width = sum.len() / rows;
                let row = row * width..(row + 1) * width;
                let [weights, first, second] =
                    [&mut weights, &mut first, &mut second].map(|rest| take(rest, width));
                let sum = taken(&mut sum[row.clone()]);
                changed = changed.and(match others.get_mut(column) {
                    Some(other) => {
                        let sum = sum.zip(taken(&mut other[row])).map(|(a, b)| a + b);
                        update_rows(rule, clip, weights, sum, first, second)
                    }
                    None => update_rows(rule, clip, weights, sum, first, second),
                });
            }
        }
        changed
    }
}

/// What was there; zeros are left.
fn taken<L: Lanes>(lanes: &mut [L]) -> impl Iterator<Item = L> {
    lanes.iter_mut().map(std::mem::take)
}

/// Takes the first `count` off a slice.
pub(crate) fn take<'a, V>(rest: &mut &'a mut [V], count: usize) -> &'a mut [V] {
    let (taken, others) = std::mem::take(rest).split_at_mut(count);
    *rest = others;
    taken
}

fn update_rows<T: LaneReal>(
    rule: &UpdateRule<T>,
    clip: Option<T>,
    weights: &mut [T::Lanes],
    gradient: impl Iterator<Item = T::Lanes>,
    first: &mut [T::Lanes],
    second: &mut [T::Lanes],
) -> Changed {
    let mut clipped = 0;
    let is_finite = match clip {
        None => apply(rule, weights, gradient, first, second, |g| g),
        Some(bound) => {
            let (low, high) = (T::Lanes::splat(-bound), T::Lanes::splat(bound));
            apply(rule, weights, gradient, first, second, |g| {
                clipped += u64::from((g.abs().gt(high)).bits().count_ones());
                g.fast_min(high).fast_max(low)
            })
        }
    };
    Changed { clipped, is_finite }
}

/// Returns whether all weights are numbers still.
#[inline(always)]
fn apply<T: LaneReal>(
    rule: &UpdateRule<T>,
    weights: &mut [T::Lanes],
    gradient: impl Iterator<Item = T::Lanes>,
    first: &mut [T::Lanes],
    second: &mut [T::Lanes],
    mut clip: impl FnMut(T::Lanes) -> T::Lanes,
) -> bool {
    let splat = T::Lanes::splat;
    // 0 times a number is 0, and 0 times anything else is not.
    let (zero, mut check) = (T::Lanes::zero(), T::Lanes::zero());
    let rows = weights.iter_mut().zip(gradient).zip(first.iter_mut().zip(second));
    match *rule {
        UpdateRule::Sgd { learning_rate, momentum } => {
            for ((weight, gradient), (m, _)) in rows {
                let g = clip(gradient);
                *m = m.mul_add(splat(momentum), g);
                *weight = m.mul_add(splat(-learning_rate), *weight);
                check = weight.mul_add(zero, check);
            }
        }
        UpdateRule::Adam { beta1, beta2, epsilon, rate, root_scale, decay } => {
            let (one, kept) = (T::one(), T::one() - decay);
            for ((weight, gradient), (m, v)) in rows {
                let g = clip(gradient);
                *m = m.mul_add(splat(beta1), g * splat(one - beta1));
                *v = v.mul_add(splat(beta2), g * g * splat(one - beta2));
                let root = v.sqrt().mul_add(splat(root_scale), splat(epsilon));
                let step = *m * splat(-rate) / root;
                *weight = weight.mul_add(splat(kept), step);
                check = weight.mul_add(zero, check);
            }
        }
    }
    check.sum().is_finite()
}
