//! The mathematics of EventProp (Wunderlich & Pehle 2021): what happens to a leaky
//! integrate-and-fire neuron between two events and at an event, forward in time and backward.
//!
//! No I/O, no threads, no `unsafe`. Times are in ms; a spike that arrives over a synapse of weight
//! w adds w to the current. Everything is generic over [`Real`], `f32` or `f64`.

pub mod adjoint;
pub mod crossing;
pub mod engine;
pub mod flow;
pub mod grid;
pub mod loss;
pub mod network;
pub mod optimiser;
mod parameters;
mod real;
pub mod reference;
mod spikes;
pub mod update;

pub use network::{DescriptionError, Network};
pub use parameters::{ConnectionParameters, LayerParameters, ParameterId, Parameters, per_neuron};
pub use real::Real;
pub use spikes::{SpikeBatch, SpikeError, SpikeTrain};
