//! Exponential and logarithm, sixteen at a time: the library's own, so that every build gives the
//! same bits.

use crate::lanes::Lanes;

/// e^x, within 2 ulp (tested); arguments below the range of normal results give the least normal
/// number, not 0.
#[inline(always)]
pub(crate) fn exp<L: Lanes>(x: L) -> L {
    let x = x.fast_min(L::of(L::EXP_MAX)).fast_max(L::of(L::EXP_MIN));
    let n = (x * L::of(std::f64::consts::LOG2_E)).round();
    let r = n.mul_add(L::of(-L::LN_2.0), x);
    let r = n.mul_add(L::of(-L::LN_2.1), r);
    // The first two terms are added last: they carry the result's precision.
    let tail = series(r, L::EXP_TERMS - 2, |term| 1.0 / factorial(term + 2));
    let value = (r * r).mul_add(tail, r) + L::of(1.0);
    value * n.pow2()
}

/// (e^z - 1)/z for |z| <= 1/2, within 2 ulp (tested).
#[inline(always)]
pub(crate) fn phi<L: Lanes>(z: L) -> L {
    series(z, L::PHI_TERMS, |term| 1.0 / factorial(term + 1))
}

/// ln x for positive normal x; absolute error within 2 ulp of 1 or of the result (tested).
#[inline(always)]
pub(crate) fn ln<L: Lanes>(x: L) -> L {
    let (k, m) = x.split();
    let f = (m - L::of(1.0)) / (m + L::of(1.0));
    let tail = series(f * f, L::LN_TERMS, |term| 2.0 / (2 * term + 3) as f64);
    let small = (f * f * f).mul_add(tail, f + f);
    let low = k.mul_add(L::of(L::LN_2.1), small);
    k.mul_add(L::of(L::LN_2.0), low)
}

/// The sum over `terms` terms of coefficient(term) x^term, by Horner's rule.
#[inline(always)]
fn series<L: Lanes>(x: L, terms: usize, coefficient: impl Fn(usize) -> f64) -> L {
    let mut sum = L::of(coefficient(terms - 1));
    for term in (0..terms - 1).rev() {
        sum = sum.mul_add(x, L::of(coefficient(term)));
    }
    sum
}

#[inline(always)]
fn factorial(n: usize) -> f64 {
    (1..=n).map(|factor| factor as f64).product()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lanes::LaneReal;
    use proptest::prelude::*;

    fn lane<T: LaneReal>(f: impl Fn(T::Lanes) -> T::Lanes, x: f64) -> (f64, f64) {
        let x = T::of(x);
        (x.as_f64(), f(T::Lanes::splat(x)).to_array()[7].as_f64())
    }

    proptest! {
        #[test]
        fn exp_is_exact_to_two_ulp(x in -86.0..80.0_f64) {
            let (at, value) = lane::<f32>(exp, x);
            prop_assert!((value / at.exp() - 1.0).abs() <= 2.0 * f64::from(f32::EPSILON));
            let (at, value) = lane::<f64>(exp, x);
            prop_assert!((value / at.exp() - 1.0).abs() <= 2.0 * f64::EPSILON);
        }

        #[test]
        fn phi_is_exact_to_two_ulp(z in -0.5..0.5_f64) {
            let exact = |z: f64| if z == 0.0 { 1.0 } else { z.exp_m1() / z };
            let (at, value) = lane::<f32>(phi, z);
            prop_assert!((value / exact(at) - 1.0).abs() <= 2.0 * f64::from(f32::EPSILON));
            let (at, value) = lane::<f64>(phi, z);
            prop_assert!((value / exact(at) - 1.0).abs() <= 2.0 * f64::EPSILON);
        }

        #[test]
        fn ln_is_exact_to_two_ulp(exponent in -80.0..3.0_f64) {
            let x = exponent.exp();
            let (at, value) = lane::<f32>(ln, x);
            let bound = 2.0 * f64::from(f32::EPSILON) * at.ln().abs().max(1.0);
            prop_assert!((value - at.ln()).abs() <= bound);
            let (at, value) = lane::<f64>(ln, x);
            prop_assert!((value - at.ln()).abs() <= 2.0 * f64::EPSILON * at.ln().abs().max(1.0));
        }
    }
}
