//! A layer that every neuron of the layer below reaches. All neurons of a [`Tile`] walk a sample
//! together, from arrival to arrival, sixteen to a block.

mod adjoints;
mod backward;
mod columns;
mod cut;
mod forward;
mod injections;
mod jumps;
mod readout;
mod solver;
mod spiking;
mod weights;

pub(crate) use adjoints::Adjoints;
pub(crate) use columns::Columns;
pub(crate) use forward::{State, Tile};
pub(crate) use injections::Injection;
pub(crate) use jumps::JumpSettings;
pub(crate) use readout::{Measure, ReadoutLayer};
pub(crate) use solver::{Solver, solver};
pub(crate) use spiking::SpikingLayer;
pub(crate) use weights::{Blocks, Rows, pack_targets};

use cut::Cut;
