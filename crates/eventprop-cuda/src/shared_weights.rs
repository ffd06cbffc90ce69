//! Convolutions and poolings as dense matrices on the device: kernels walk every arrival with every
//! neuron, so a sparse matrix costs them nothing but its memory.

use crate::abi::Address;
use crate::device::{Buffer, Device, Shape};
use crate::plan::{DenseLayer, NAME, Synapses, WARP};
use bytemuck::bytes_of;
use lif_core::Network;
use lif_core::engine::EngineError;

/// Weights of a block that spreads or gathers.
const WARPS: u32 = 4;

/// The matrix of a layer whose synapses share weights, or have a fixed one.
pub(crate) struct SharedWeights {
    matrix: Buffer<f32>,
    gradient: Buffer<f32>,
    /// For each weight where its synapses start in `synapses`; none for a fixed weight.
    offsets: Buffer<i32>,
    /// Positions in the matrix, weight by weight.
    synapses: Buffer<i32>,
    weights: usize,
}

impl SharedWeights {
    /// The matrix of a layer; none for a layer that is dense by itself.
    ///
    /// # Errors
    /// [`EngineError::Unavailable`] if the device has too little memory for it.
    pub(crate) fn new(
        device: &Device,
        network: &Network,
        layer: &DenseLayer,
    ) -> Result<Option<Self>, EngineError> {
        let (weights, fixed) = match layer.synapses {
            Synapses::Dense => return Ok(None),
            Synapses::Shared { weights } => (weights, 0.0),
            Synapses::Fixed { weight } => (0, weight),
        };
        let len = layer.sources * layer.stride;
        check_size(layer, len, device.free_memory()?)?;
        let mut matrix = vec![0.0_f32; len];
        let mut of_weight: Vec<Vec<i32>> = vec![Vec::new(); weights];
        for source in 0..layer.sources {
            network.fan_out(layer.connection, source, |target, weight| {
                let position = source * layer.stride + target;
                match weight {
                    Some(weight) => of_weight[weight].push(position as i32),
                    None => matrix[position] = fixed,
                }
            });
        }
        let ends = of_weight.iter().scan(0, |end, synapses| {
            *end += synapses.len() as i32;
            Some(*end)
        });
        let offsets: Vec<i32> = std::iter::once(0).chain(ends).collect();
        Ok(Some(Self {
            matrix: device.copy(&matrix)?,
            gradient: device.zeros(len)?,
            offsets: device.copy(&offsets)?,
            synapses: device.copy(&of_weight.concat())?,
            weights,
        }))
    }

    /// The addresses of the matrix and of its gradient.
    pub(crate) fn addresses(&self) -> (Address, Address) {
        (self.matrix.address(), self.gradient.address())
    }

    /// Whether the weights are fixed: no gradient is wanted.
    pub(crate) fn are_fixed(&self) -> bool {
        self.weights == 0
    }

    /// Puts the weights at `weights` into the matrix.
    pub(crate) fn spread(&self, device: &Device, weights: Address) -> Result<(), EngineError> {
        self.launch(device, "spread_weights", weights, &self.matrix)
    }

    /// Adds up the matrix's gradient to that of the weights, at `gradient`.
    pub(crate) fn gather(&self, device: &Device, gradient: Address) -> Result<(), EngineError> {
        self.launch(device, "gather_gradient", gradient, &self.gradient)
    }

    fn launch(
        &self,
        device: &Device,
        kernel: &'static str,
        weights: Address,
        matrix: &Buffer<f32>,
    ) -> Result<(), EngineError> {
        if self.are_fixed() {
            return Ok(());
        }
        let count = self.weights as i32;
        device.launch(
            kernel,
            Shape { grid: ((self.weights as u32).div_ceil(WARPS), 1), block: (WARP as u32, WARPS) },
            &[
                bytes_of(&weights),
                bytes_of(&matrix.address()),
                bytes_of(&self.offsets.address()),
                bytes_of(&self.synapses.address()),
                bytes_of(&count),
            ],
        )
    }
}

/// Positions are 32-bit numbers; the matrix, its gradient and the list of synapses must fit.
fn check_size(layer: &DenseLayer, len: usize, free: usize) -> Result<(), EngineError> {
    let bytes = 12_usize.saturating_mul(len);
    let DenseLayer { sources, targets, .. } = layer;
    let reason = if i32::try_from(len).is_err() {
        format!("a matrix of {sources} x {targets} synapses is more than this engine numbers")
    } else if bytes > free {
        let mib = |bytes: usize| bytes.div_ceil(1 << 20);
        format!(
            "the {sources} x {targets} synapses of a convolution need {} MiB of device memory, {} MiB \
             more than is free; a smaller layer or --backend cpu would fit",
            mib(bytes),
            mib(bytes - free),
        )
    } else {
        return Ok(());
    };
    Err(EngineError::Unavailable { engine: NAME, reason })
}
