//! Too little device memory: how much is missing, and what would fit.

use crate::probe::unavailable;
use lif_core::engine::EngineError;

/// Checks that a batch of `samples` samples, which takes `bytes(samples)`, fits into `free` bytes.
///
/// # Errors
/// [`EngineError::Unavailable`] says how much is missing and which batch size would fit.
pub(crate) fn check_batch(
    samples: usize,
    free: usize,
    bytes: impl Fn(usize) -> usize,
) -> Result<(), EngineError> {
    let needed = bytes(samples);
    if needed <= free {
        return Ok(());
    }
    let (mut low, mut high) = (0, samples);
    while low + 1 < high {
        let middle = usize::midpoint(low, high);
        if bytes(middle) <= free { low = middle } else { high = middle }
    }
    let advice = match low {
        0 => String::from("not even a batch of one sample would fit"),
        _ => format!("a batch of {low} would fit"),
    };
    unavailable(format!(
        "a batch of {samples} needs {} MiB of device memory, {} MiB more than is free; {advice}",
        mib(needed),
        mib(needed - free),
    ))
}

/// Checks that a data set of `needed` bytes fits into `free` bytes.
///
/// # Errors
/// [`EngineError::Unavailable`] says how much is missing.
pub(crate) fn check_data(needed: usize, free: usize) -> Result<(), EngineError> {
    if needed <= free {
        return Ok(());
    }
    unavailable(format!(
        "the data set needs {} MiB of device memory, {} MiB more than is free",
        mib(needed),
        mib(needed - free)
    ))
}

fn mib(bytes: usize) -> usize {
    bytes.div_ceil(1 << 20)
}
