//! What host and device share: the structs of `kernels/grid.cuh`, field by field.

use crate::abi::Address;
use bytemuck::{Pod, Zeroable};

/// The inputs of a sample, as spans of the lists of a data set.
#[derive(Clone, Copy, Debug, Default, Pod, Zeroable)]
#[repr(C, align(16))]
pub(crate) struct Sample {
    pub(crate) first_run: i32,
    pub(crate) runs: i32,
    pub(crate) first_piece: i32,
    pub(crate) pieces: i32,
}

/// What reaches the current at one step.
#[derive(Clone, Copy, Debug, Default, Pod, Zeroable)]
#[repr(C)]
pub(crate) struct Run {
    pub(crate) step: i32,
    pub(crate) first_piece: i32,
    pub(crate) pieces: i32,
}

/// A part of a run.
#[derive(Clone, Copy, Debug, Default, Pod, Zeroable)]
#[repr(C)]
pub(crate) struct Piece {
    pub(crate) first: i32,
    pub(crate) end: i32,
}

/// Spikes of many samples.
#[derive(Clone, Copy, Debug, Default, Pod, Zeroable)]
#[repr(C)]
pub(crate) struct Data {
    pub(crate) samples: Address,
    pub(crate) runs: Address,
    pub(crate) pieces: Address,
    pub(crate) sources: Address,
    pub(crate) input_starts: Address,
    pub(crate) runs_of_inputs: Address,
    pub(crate) labels: Address,
    pub(crate) is_batch: i32,
    pub(crate) unused: i32,
}

/// The same as a layer below leaves it.
#[derive(Clone, Copy, Debug, Default, Pod, Zeroable)]
#[repr(C)]
pub(crate) struct Heard {
    pub(crate) samples: Address,
    pub(crate) runs: Address,
    pub(crate) pieces: Address,
    pub(crate) sources: Address,
    pub(crate) input_starts: Address,
    pub(crate) runs_of_inputs: Address,
    pub(crate) runs_of_steps: Address,
}

/// A layer on the grid and a batch of it.
#[derive(Clone, Copy, Debug, Default, Pod, Zeroable)]
#[repr(C)]
pub(crate) struct Grid {
    pub(crate) samples: i32,
    pub(crate) inputs: i32,
    pub(crate) neurons: i32,
    pub(crate) stride: i32,
    pub(crate) steps: i32,
    pub(crate) words: i32,
    pub(crate) runs: i32,
    pub(crate) pieces: i32,
    pub(crate) is_first: i32,
    pub(crate) silent_step: i32,
    pub(crate) stops_at_silence: i32,
    pub(crate) membrane: f32,
    pub(crate) keeps_voltage: f32,
    pub(crate) synapse: f32,
    pub(crate) keeps_current: f32,
    pub(crate) threshold: f32,
    pub(crate) weights: Address,
    pub(crate) gradient: Address,
    pub(crate) outputs: Address,
    pub(crate) derivatives: Address,
    pub(crate) fired: Address,
    pub(crate) counts: Address,
    pub(crate) mu: Address,
    pub(crate) differences: Address,
    pub(crate) pulls: Address,
    pub(crate) scratch: Address,
    pub(crate) silent: Address,
    pub(crate) activity: Address,
}

const _: () = {
    assert!(size_of::<Sample>() == 16 && size_of::<Run>() == 12 && size_of::<Piece>() == 8);
    assert!(size_of::<Data>() == 64 && size_of::<Heard>() == 56 && size_of::<Grid>() == 160);
};
