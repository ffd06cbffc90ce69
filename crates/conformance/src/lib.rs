//! What every engine has to pass, written once.
//!
//! [`Case::draw`] makes random networks of every [`Kind`]; [`gradcheck`] compares the reference with
//! finite differences and engines with the reference; [`suite`] checks what an engine does beside
//! gradients; [`grid`] does all of that for clock-driven engines. An engine that refuses a kind of
//! network by [`EngineError::Unsupported`] is counted as refusing it, never skipped in silence.
//!
//! [`EngineError::Unsupported`]: lif_core::engine::EngineError::Unsupported

mod build;
mod candidate;
mod case;
mod compare;
mod draw;
pub mod gradcheck;
pub mod grid;
pub mod suite;

pub use build::{BoxedEngine, Build};
pub use candidate::Candidate;
pub use case::{Case, Kind, LOSSES};
pub use compare::{Errors, Tolerance};
