//! The optimisers over rows of lanes.

use crate::dense::Columns;
use crate::lanes::{LaneReal, Lanes};
use lif_core::optimiser::UpdateRule;

/// Some weights, the gradient by them, and what the optimiser keeps of them: slices of one length.
pub(crate) struct Piece<'a, T: LaneReal> {
    pub(crate) weights: &'a mut [T::Lanes],
    pub(crate) gradient: &'a [T::Lanes],
    pub(crate) first: &'a mut [T::Lanes],
    pub(crate) second: &'a mut [T::Lanes],
    /// Where the gradient is instead, if its columns lie apart.
    pub(crate) apart: Option<Apart<'a, T>>,
}

/// The columns of a connection's gradient, for a piece of some of its rows.
#[derive(Clone, Copy)]
pub(crate) struct Apart<'a, T: LaneReal> {
    pub(crate) columns: Columns<'a, T>,
    /// The piece's first row.
    pub(crate) row: usize,
    /// All rows of the connection.
    pub(crate) rows: usize,
}

impl<T: LaneReal> Piece<'_, T> {
    /// Two pieces, the first of `len` blocks.
    pub(crate) fn split_at(self, len: usize) -> (Self, Self) {
        let (weights, other_weights) = self.weights.split_at_mut(len);
        let (gradient, other_gradient) = self.gradient.split_at(len);
        let (first, other_first) = self.first.split_at_mut(len);
        let (second, other_second) = self.second.split_at_mut(len);
        let apart = self.apart;
        let other = Self {
            weights: other_weights,
            gradient: other_gradient,
            first: other_first,
            second: other_second,
            apart,
        };
        (Self { weights, gradient, first, second, apart }, other)
    }

    /// Changes the weights by the gradient, cut to [-clip, clip] first; returns how many components
    /// were cut.
    pub(crate) fn update(self, rule: &UpdateRule<T>, clip: Option<T>) -> u64 {
        let Some(Apart { columns, row, rows }) = self.apart else {
            return update_rows(rule, clip, self.weights, self.gradient, self.first, self.second);
        };
        let (mut rest, mut clipped) = (self, 0);
        for row in row..rows {
            if rest.weights.is_empty() {
                break;
            }
            for gradient in columns.row(row, rows) {
                let (own, others) = rest.split_at(gradient.len());
                clipped += update_rows(rule, clip, own.weights, gradient, own.first, own.second);
                rest = others;
            }
        }
        clipped
    }
}

fn update_rows<T: LaneReal>(
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
