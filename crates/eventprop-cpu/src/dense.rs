//! A layer that every neuron of the layer below reaches, computed block by block: sixteen neurons
//! keep their state in registers through all arrivals of a sample, for one sample after the other.
//!
//! A task is a block (forward, two) and a run of the batch's samples ([`Cut`]); it owns what it writes.

mod adjoints;
mod backward;
mod cut;
mod forward;
mod readout;
mod spiking;
mod weights;

pub(crate) use forward::{Walked, walk};
pub(crate) use readout::{Measure, ReadoutLayer};
pub(crate) use spiking::{JumpSettings, SpikingLayer};
pub(crate) use weights::{Blocks, pack_targets};

use cut::Cut;
