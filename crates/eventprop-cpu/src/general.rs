//! The engine for every network of the problem format.
//!
//! Neurons lie sixteen to a block ([`layout`]), so that a spike reaches whole blocks over rows of
//! weights ([`synapses`]). Layers among which spikes go round form a component ([`components`]); the
//! components of a sample are run one after the other ([`sample`]), the blocks of a component event
//! by event ([`simulate`]). What happened to each block is kept ([`record`]), measured at the output
//! ([`readout`]) and read backward by the adjoint ([`backward`]). Samples are spread over threads in
//! runs that do not depend on their number ([`batch`]).

mod backward;
mod batch;
mod components;
mod density;
mod engine;
mod flow;
mod gradient;
mod interval;
mod layout;
mod model;
mod neurons;
mod piece;
mod queue;
mod readout;
mod record;
mod sample;
mod simulate;
mod state;
mod sweep;
mod synapses;
mod walk;
mod walker;

pub use engine::GeneralEngine;

use crate::lanes::Lanes;

/// One lane.
#[inline(always)]
fn lane<L: Lanes>(lanes: &L, lane: usize) -> L::Scalar {
    L::scalars(std::slice::from_ref(lanes))[lane]
}

/// One lane, to be changed.
#[inline(always)]
fn lane_mut<L: Lanes>(lanes: &mut L, lane: usize) -> &mut L::Scalar {
    &mut L::scalars_mut(std::slice::from_mut(lanes))[lane]
}
