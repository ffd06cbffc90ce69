//! Samples changed at random in each epoch, so that a network sees more than the data set holds.
//!
//! What happens to a sample is drawn per (seed, epoch, sample). Parameters are checked on
//! construction.

mod blend;
mod elastic;
mod events;
mod images;

pub use blend::Blend;
pub use events::{EventAugmentation, EventAugmenter};
pub use images::{ImageAugmentation, ImageAugmenter};

/// A parameter of an augmentation that makes no sense.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("augmentation: {name} is {value}; it must be {range}")]
pub struct AugmentationError {
    name: &'static str,
    value: f64,
    range: &'static str,
}

/// Checks that `value` is finite and not negative.
fn check_amount(name: &'static str, value: f64) -> Result<(), AugmentationError> {
    if value.is_finite() && value >= 0.0 {
        Ok(())
    } else {
        Err(AugmentationError { name, value, range: "a finite number, at least 0" })
    }
}
