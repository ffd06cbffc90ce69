//! What the kernels of a batch's step are given.

use crate::abi::{self, Layer};
use crate::batch::{BatchBuffers, Descriptions};
use crate::by_arrival::ByArrival;
use crate::constants::Constants;
use crate::data::Data;
use crate::device::{Buffer, Device, Shape};
use crate::layer::{DenseLayer, WARP};
use crate::norm::Norm;
use crate::queue::Queue;
use crate::weights::Weights;

/// Threads of a block where nothing else decides.
pub(crate) const THREADS: u32 = 256;
/// Warps of a block that walks neurons: WALKERS of `kernels/walk.cuh`.
pub(crate) const WARPS: usize = 4;

/// A batch's kernels with their arguments.
pub(crate) struct Program<'a> {
    pub(crate) device: &'a Device,
    pub(crate) plan: &'a [DenseLayer],
    /// The layers that are walked, in this order.
    pub(crate) order: Vec<usize>,
    pub(crate) descriptions: Descriptions,
    /// By position of a layer in the network: the lists that its spikes are put into.
    pub(crate) lists: Vec<Vec<Layer>>,
    /// By layer above the input: those walked with it, for walks that ask.
    pub(crate) members: Vec<Option<Buffer<abi::Member>>>,
    pub(crate) batch: &'a BatchBuffers,
    pub(crate) weights: &'a Weights,
    pub(crate) data: &'a Data,
    pub(crate) queue: &'a Queue,
    /// If gradients are clipped by their norm.
    pub(crate) norm: Option<&'a Norm>,
    pub(crate) loss: abi::Loss,
    pub(crate) constants: &'a [Constants],
    /// The lists of constants among all parameters.
    pub(crate) learned: &'a Buffer<abi::Learned>,
    /// Whether any of them changes.
    pub(crate) learns_constants: bool,
    pub(crate) by_arrival: ByArrival,
    /// Those of the device.
    pub(crate) multiprocessors: u32,
}

impl Program<'_> {
    pub(crate) fn block_a_sample(&self) -> Shape {
        Shape { grid: (self.descriptions.layers[0].samples as u32, 1), block: (THREADS, 1) }
    }

    pub(crate) fn warp_a_sample(&self) -> Shape {
        let warps = WARPS as u32;
        Shape { grid: (self.samples().div_ceil(warps), 1), block: (WARP as u32, warps) }
    }

    pub(crate) fn samples(&self) -> u32 {
        self.descriptions.layers[0].samples as u32
    }

    pub(crate) fn output(&self) -> &Layer {
        &self.descriptions.layers[self.plan.len() - 1]
    }
}
