//! Benchmarks of eventprop: what is measured, how it is counted, and the reports made of it.
//!
//! `benches/engines` times the [`workload`]s and the machine's [`ceilings`] with criterion; the
//! program `bench-report` reads its [`estimates`] and writes `docs/BENCHMARKS.md` ([`report`]). The
//! program `bench-instructions` guards against regressions by counting instructions
//! ([`instructions`]), which noise cannot move; `bench-compare` runs other libraries on the same machine
//! and data ([`compare`]). `cargo xtask bench` and `cargo xtask compare` start them; `bench-gpu` adds to
//! the report what `cargo xtask gpu-pack` measured elsewhere. The program `results`, started by `cargo xtask results`, trains the presets and writes `docs/RESULTS.md`
//! ([`results`]).

pub mod ceilings;
pub mod compare;
pub mod estimates;
pub mod instructions;
pub mod machine;
pub mod real;
pub mod report;
pub mod results;
pub mod synthetic;
pub mod work;
pub mod workload;

use std::path::PathBuf;

/// The root of the repository.
pub fn root() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}
