//! The CPU engine of eventprop: rayon over work, SIMD over neurons.

mod grid;

pub use grid::{GridEngine, GridInput};
