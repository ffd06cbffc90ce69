//! The CPU engine of eventprop: rayon over work, SIMD over neurons.
//!
//! A network is a chain of dense layers (`dense`). Between layers stands, per sample, a stream of
//! arrivals (`stream`) made of the merged spikes of the layer below (`sample`); inside a layer,
//! sixteen neurons at a time (`lanes`) walk it from interval to interval (`decay`) and look for
//! threshold crossings (`crossing`).

mod create;
mod crossing;
mod decay;
mod denormals;
mod dense;
mod engine;
mod general;
mod grid;
mod lanes;
mod machine;
mod math;
mod plan;
mod sample;
mod spare;
mod stream;
mod team;
mod threads;
mod trials;
mod update;

pub use create::Precision;
pub use engine::{CpuEngine, CpuOptions};
pub use general::GeneralEngine;
pub use grid::{GridEngine, GridInput};
pub use lanes::{LaneReal, Lanes};
