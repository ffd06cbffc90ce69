//! The clock-driven model of [`lif_core::grid`], fast.
//!
//! Most of the work is not in the time steps but in summing the weights of the inputs that spike,
//! and in adding the adjoint back to their gradients. Inputs that spike at one step are one list
//! ([`GridInput`]); a list of more than half of all inputs is held as what it lacks, and its sum is the
//! sum over all weights less those. So a sample in which each input spikes at one of two times costs
//! one pass over the smaller group each way.
//!
//! Neurons go in blocks of 16 lanes. Layer after layer hears a batch, sample by sample, in chunks of a fixed
//! size; the last goes on to the loss and back sample by sample, those below it go back one after
//! the other. Gradients are then added up row by row, each row's samples in order. So no sum depends
//! on the number of threads.

mod batch;
mod bump;
mod chunk;
mod dynamics;
mod engine;
mod input;
mod layer;
mod loss;
mod resident;
mod rows;
mod source;

pub use engine::GridEngine;
pub use input::GridInput;
