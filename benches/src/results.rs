//! `docs/RESULTS.md`: what the presets reach.
//!
//! Every preset is trained with several seeds; the accuracy that counts is that on the test set after
//! the last epoch. What a training came to is kept in `docs/results/PRESET.json`, epoch by epoch, so
//! that a part run, or one that was cut off, loses nothing; the report is made of these files alone.
//! `results.toml` says which presets there are and what they have to beat.

mod goals;
mod record;
mod report;
mod train;

pub use goals::{Goal, Goals};
pub use record::{Records, Run};
pub use report::report;
pub use train::train;
