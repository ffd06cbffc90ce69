/// The convolution of decays over [0, t]: exp(-r_1 s) * exp(-r_2 s) * ... at t, for the rates r.
///
/// Every integral that a gradient by a constant needs is one of these. A convolution of n decays is
/// t^(n-1) times the divided difference of exp at the points -r t.
pub(super) fn convolve<const N: usize>(rates: [f64; N], t: f64) -> f64 {
    let mut points = rates.map(|rate| -rate * t);
    points.sort_by(f64::total_cmp);
    t.powi(N as i32 - 1) * divided_difference(&points)
}

/// The divided difference of exp at ascending `points`, which may coincide.
fn divided_difference(points: &[f64]) -> f64 {
    let (lowest, highest) = (points[0], points[points.len() - 1]);
    // The difference of two smaller ones loses digits where the points lie close together; the
    // series converges fast just there (McCurdy, Ng & Parlett 1984).
    if highest - lowest > 1.0 {
        let upper = divided_difference(&points[1..]);
        (upper - divided_difference(&points[..points.len() - 1])) / (highest - lowest)
    } else {
        series(points)
    }
}

/// exp(m) sum_k h_k / (n - 1 + k)!, with h_k the complete homogeneous symmetric polynomial of degree
/// k in the n points' offsets from their middle m.
fn series(points: &[f64]) -> f64 {
    /// Offsets are at most 1/2: the terms left out are below 2^-20 / 20!.
    const TERMS: usize = 20;
    let middle = 0.5 * (points[0] + points[points.len() - 1]);
    let mut polynomials = [0.0; TERMS];
    polynomials[0] = 1.0;
    for point in points {
        for k in 1..TERMS {
            polynomials[k] += (point - middle) * polynomials[k - 1];
        }
    }
    let mut factor = (1..points.len()).map(|k| 1.0 / k as f64).product::<f64>();
    let mut sum = 0.0;
    for (k, polynomial) in polynomials.iter().enumerate() {
        sum += factor * polynomial;
        factor /= (points.len() + k) as f64;
    }
    middle.exp() * sum
}

#[cfg(test)]
mod tests {
    use super::convolve;
    use proptest::prelude::*;

    proptest! {
        /// One rate more is one integration more: exp(-r t) * f solves y' = f - r y.
        #[test]
        fn satisfies_its_differential_equation(
            rates in [0.001..2.0_f64, 0.001..2.0, 0.001..2.0],
            near in any::<bool>(),
            t in 0.5..20.0_f64,
        ) {
            let [a, b, c] = if near { [rates[0], rates[0] * (1.0 + 1e-9), rates[0]] } else { rates };
            let y = |t: f64| convolve([a, b, c, a], t);
            let h = 0.002 * t;
            let slope = (8.0 * (y(t + h) - y(t - h)) - (y(t + 2.0 * h) - y(t - 2.0 * h))) / (12.0 * h);
            let expected = convolve([b, c, a], t) - a * y(t);
            let scale = convolve([b, c, a], t) + a * y(t);
            prop_assert!((slope - expected).abs() <= 1e-5 * scale, "{slope} {expected}");
        }

        /// Against the sum over simple poles, where the rates lie apart.
        #[test]
        fn equals_partial_fractions(t in 0.1..50.0_f64) {
            let (a, b, c) = (0.05, 0.2, 0.9);
            let expected = (-a * t).exp() / ((b - a) * (c - a))
                + (-b * t).exp() / ((a - b) * (c - b))
                + (-c * t).exp() / ((a - c) * (b - c));
            let found = convolve([c, a, b], t);
            prop_assert!((found - expected).abs() <= 1e-11 * found.abs().max(0.01));
        }
    }
}
