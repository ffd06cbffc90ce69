//! Malformed input for every parser: valid files, altered without sense or with some.
//!
//! A parser must return, with a value or an error: no panic, no hang, no memory beyond what the bytes
//! warrant. `cargo test` runs some thousand inputs of each, `cargo xtask fuzz --inputs N` as many as
//! you like; the same seed makes the same inputs.

mod corpus;
mod mutate;
mod sign;
mod target;

pub use target::{TARGETS, Target};

use mutate::Mutator;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

/// An input must be answered within this time, on the busiest machine.
pub const TIME_LIMIT: Duration = Duration::from_secs(5);

/// What a run of one target came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The inputs that ran.
    pub inputs: u64,
    /// Those that the parser took for right.
    pub accepted: u64,
    /// The longest time one took.
    pub slowest: Duration,
}

/// An input that broke a parser.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// What happened.
    pub what: String,
    /// The input.
    pub input: Vec<u8>,
}

/// Runs inputs `first..first + count` of `seed` through `target`.
///
/// # Errors
/// The first input that makes the parser panic or take too long.
pub fn run(target: &Target, seed: u64, first: u64, count: u64) -> Result<Report, Broken> {
    let corpus = target.corpus();
    let mut report = Report { inputs: 0, accepted: 0, slowest: Duration::ZERO };
    let mut mutator = Mutator::new(&corpus, target.words());
    for number in first..first + count {
        let input = mutator.input(seed, number);
        let broken = |what: String| Broken { what, input: input.to_vec() };
        let try_once = || {
            let start = Instant::now();
            let outcome = catch_unwind(AssertUnwindSafe(|| target.accepts(input)));
            let accepted =
                outcome.map_err(|_| broken(format!("input {number} of seed {seed} panics")))?;
            Ok::<_, Broken>((accepted, start.elapsed()))
        };
        let (accepted, mut time) = try_once()?;
        if time > TIME_LIMIT {
            // A busy machine may have stopped us meanwhile; a slow input is slow each time.
            time = try_once()?.1.min(try_once()?.1);
        }
        if time > TIME_LIMIT {
            return Err(broken(format!("input {number} of seed {seed} takes {time:?}")));
        }
        report.inputs += 1;
        report.accepted += u64::from(accepted);
        report.slowest = report.slowest.max(time);
    }
    Ok(report)
}
