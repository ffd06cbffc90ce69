//! Weights, their gradient and the optimiser's moments: four buffers of one layout on the device, all
//! layers one after the other, rows padded.

use crate::device::{Buffer, Device};
use crate::plan::DenseLayer;
use lif_core::Parameters;
use lif_core::engine::EngineError;

/// The four buffers.
pub(crate) struct Weights {
    pub(crate) weights: Buffer<f32>,
    pub(crate) gradient: Buffer<f32>,
    pub(crate) first: Buffer<f32>,
    pub(crate) second: Buffer<f32>,
    pub(crate) layout: Layout,
}

/// Where each layer's matrix lies.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    matrices: Vec<Matrix>,
}

#[derive(Clone, Copy, Debug)]
struct Matrix {
    connection: usize,
    layer: usize,
    first: usize,
    sources: usize,
    targets: usize,
    stride: usize,
}

impl Weights {
    /// Zeros.
    pub(crate) fn new(device: &Device, layers: &[DenseLayer]) -> Result<Self, EngineError> {
        let layout = Layout::new(layers);
        let zeros = || device.zeros(layout.len());
        Ok(Self {
            weights: zeros()?,
            gradient: zeros()?,
            first: zeros()?,
            second: zeros()?,
            layout,
        })
    }
}

impl Layout {
    pub(crate) fn new(layers: &[DenseLayer]) -> Self {
        let mut first = 0;
        let matrices = layers.iter().map(|layer| {
            let DenseLayer { connection, layer, sources, targets, stride, .. } = *layer;
            let matrix = Matrix { connection, layer, first, sources, targets, stride };
            first += sources * stride;
            matrix
        });
        Self { matrices: matrices.collect() }
    }

    /// Values in a buffer, padding included.
    pub(crate) fn len(&self) -> usize {
        self.matrices.iter().map(|matrix| matrix.sources * matrix.stride).sum()
    }

    /// Weights without padding.
    pub(crate) fn weights(&self) -> usize {
        self.matrices.iter().map(|matrix| matrix.sources * matrix.targets).sum()
    }

    /// Where the matrix of layer number `index` above the input starts.
    pub(crate) fn first(&self, index: usize) -> usize {
        self.matrices[index].first
    }

    /// The layer that a position belongs to.
    pub(crate) fn layer_of(&self, position: usize) -> usize {
        let found = self.matrices.iter().rev().find(|matrix| matrix.first <= position);
        found.map_or(0, |matrix| matrix.layer)
    }

    /// The weights of `parameters` as a buffer holds them.
    pub(crate) fn pack(&self, parameters: &Parameters<f32>) -> Vec<f32> {
        let mut packed = vec![0.0; self.len()];
        for matrix in &self.matrices {
            let weights = &parameters.connections[matrix.connection].weights;
            let rows = packed[matrix.first..].chunks_exact_mut(matrix.stride);
            for (row, weights) in rows.zip(weights.chunks_exact(matrix.targets)) {
                row[..matrix.targets].copy_from_slice(weights);
            }
        }
        packed
    }

    /// Replaces the weights of `parameters` by those of a buffer.
    pub(crate) fn unpack(
        &self,
        packed: &[f32],
        mut parameters: Parameters<f32>,
    ) -> Parameters<f32> {
        for matrix in &self.matrices {
            let weights = &mut parameters.connections[matrix.connection].weights;
            let rows = packed[matrix.first..].chunks_exact(matrix.stride);
            for (row, weights) in rows.zip(weights.chunks_exact_mut(matrix.targets)) {
                weights.copy_from_slice(&row[..matrix.targets]);
            }
        }
        parameters
    }
}
