//! Milliseconds here, seconds there.
//!
//! A power of ten has no exact binary value below 1, so a time constant times 1000 over 1000 need not
//! be what it was. Numbers are therefore scaled as decimal numbers: the shortest one that stands for
//! the binary number, its point moved by three places. 20 ms are 0.02 s and 0.02 s are 20 ms, in either
//! precision; so is every number of up to 15 digits (6 in single precision). No rule can bring back
//! all others: there are stretches in which numbers of ms lie twice as close as those of s. For these
//! the writer leaves the ms beside the node, and the reader takes them where they fit.

use crate::graph::Storage;

/// The seconds that `ms` are stored as.
pub(crate) fn seconds(ms: f64, storage: Storage) -> f64 {
    let text = shifted(decimal(ms, storage), -3);
    match storage {
        Storage::Single => text.parse::<f32>().map_or(f64::NAN, f64::from),
        _ => text.parse().unwrap_or(f64::NAN),
    }
}

/// The ms that stored seconds stand for.
pub(crate) fn milliseconds(seconds: f64, storage: Storage) -> f64 {
    shifted(decimal(seconds, storage), 3).parse().unwrap_or(f64::NAN)
}

/// The number that a stored one stands for: in single precision the shortest decimal number that is
/// nearest to it, so that 0.1 is read as 0.1.
pub(crate) fn plain(value: f64, storage: Storage) -> f64 {
    match storage {
        Storage::Single => decimal(value, storage).parse().unwrap_or(f64::NAN),
        _ => value,
    }
}

/// The shortest decimal number that stands for a stored one, as `1.5e-2`.
fn decimal(value: f64, storage: Storage) -> String {
    match storage {
        Storage::Single => format!("{:e}", value as f32),
        _ => format!("{value:e}"),
    }
}

/// The same with another exponent; what is no number stays what it is.
fn shifted(decimal: String, places: i32) -> String {
    let Some((digits, exponent)) = decimal.split_once('e') else { return decimal };
    exponent.parse::<i32>().map_or(decimal.clone(), |e| format!("{digits}e{}", e + places))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn decimal_numbers_stay_what_they_are() {
        for storage in [Storage::Single, Storage::Double] {
            let stored = |x: f64| if storage == Storage::Single { f64::from(x as f32) } else { x };
            for ms in [20.0, 5.0, 2.3, 0.1, 1e-3, 1234.5, 0.7, -0.0, 1e30] {
                let s = seconds(stored(ms), storage);
                assert_eq!(milliseconds(s, storage).to_bits(), ms.to_bits(), "{ms} {storage:?}");
            }
        }
        assert_eq!(seconds(20.0, Storage::Double), 0.02);
        assert_eq!(milliseconds(f64::from(0.02_f32), Storage::Single), 20.0);
        assert!(milliseconds(f64::NAN, Storage::Double).is_nan());
        assert_eq!(milliseconds(f64::INFINITY, Storage::Single), f64::INFINITY);
    }

    proptest! {
        #[test]
        fn fifteen_digits_survive(digits in 1_u64..1_000_000_000_000_000, exponent in -20..5_i32) {
            let ms: f64 = format!("{digits}e{exponent}").parse().unwrap();
            let back = milliseconds(seconds(ms, Storage::Double), Storage::Double);
            prop_assert_eq!(back.to_bits(), ms.to_bits());
        }

        #[test]
        fn any_number_comes_back_to_rounding(ms in 1e-6..1e6_f64) {
            let back = milliseconds(seconds(ms, Storage::Double), Storage::Double);
            prop_assert!((back / ms - 1.0).abs() < 4.0 * f64::EPSILON);
        }
    }
}
