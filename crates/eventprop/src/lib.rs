//! Spiking neural networks trained with exact EventProp gradients.

pub mod backend;
pub mod problem;

pub use lif_core;
