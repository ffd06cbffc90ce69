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

/// The matrices of a layer whose synapses share weights and delays, or have a fixed weight.
pub(crate) struct SharedWeights {
    weights: Matrix,
    delays: Option<Matrix>,
    /// For each weight where its synapses start in `synapses`; none for a fixed weight.
    offsets: Buffer<i32>,
    /// Positions in the matrix, weight by weight.
    synapses: Buffer<i32>,
    /// The number of weights.
    count: usize,
}

/// A value a synapse, and the derivatives by them.
struct Matrix {
    values: Buffer<f32>,
    gradient: Buffer<f32>,
}

impl SharedWeights {
    /// The matrices of a layer; none for a layer that is dense by itself.
    ///
    /// # Errors
    /// [`EngineError::Unavailable`] if the device has too little memory for it.
    pub(crate) fn new(
        device: &Device,
        network: &Network,
        layer: &DenseLayer,
    ) -> Result<Option<Self>, EngineError> {
        let (count, fixed) = match layer.synapses {
            Synapses::Dense => return Ok(None),
            Synapses::Shared { weights } => (weights, 0.0),
            Synapses::Fixed { weight } => (0, weight),
        };
        let len = layer.sources * layer.stride;
        check_size(layer, len, device.free_memory()?)?;
        let mut matrix = vec![0.0_f32; len];
        let mut of_weight: Vec<Vec<i32>> = vec![Vec::new(); count];
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
            weights: Matrix { values: device.copy(&matrix)?, gradient: device.zeros(len)? },
            // Without a synapse there is no weight, and no matter when it is heard.
            delays: match layer.delays {
                true => Some(Matrix { values: device.zeros(len)?, gradient: device.zeros(len)? }),
                false => None,
            },
            offsets: device.copy(&offsets)?,
            synapses: device.copy(&of_weight.concat())?,
            count,
        }))
    }

    /// The addresses of the matrix of weights and of its gradient.
    pub(crate) fn addresses(&self) -> (Address, Address) {
        self.weights.addresses()
    }

    /// The same of the delays, if there are any.
    pub(crate) fn delays(&self) -> Option<(Address, Address)> {
        self.delays.as_ref().map(Matrix::addresses)
    }

    /// Whether the weights are fixed: no gradient is wanted.
    pub(crate) fn are_fixed(&self) -> bool {
        self.count == 0
    }

    /// Puts the weights at `weights` and the delays at `delays` into their matrices.
    pub(crate) fn spread(
        &self,
        device: &Device,
        (weights, delays): (Address, Option<Address>),
    ) -> Result<(), EngineError> {
        self.launch(device, "spread_weights", weights, &self.weights.values)?;
        self.delays.iter().zip(delays).try_for_each(|(matrix, delays)| {
            self.launch(device, "spread_weights", delays, &matrix.values)
        })
    }

    /// Adds up the matrices' gradients to those at `weights` and `delays`.
    pub(crate) fn gather(
        &self,
        device: &Device,
        (weights, delays): (Address, Option<Address>),
    ) -> Result<(), EngineError> {
        self.launch(device, "gather_gradient", weights, &self.weights.gradient)?;
        self.delays.iter().zip(delays).try_for_each(|(matrix, delays)| {
            self.launch(device, "gather_gradient", delays, &matrix.gradient)
        })
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
        let count = self.count as i32;
        device.launch(
            kernel,
            Shape { grid: ((self.count as u32).div_ceil(WARPS), 1), block: (WARP as u32, WARPS) },
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

impl Matrix {
    fn addresses(&self) -> (Address, Address) {
        (self.values.address(), self.gradient.address())
    }
}

/// Positions are 32-bit numbers; the matrices, their gradients and the list of synapses must fit.
fn check_size(layer: &DenseLayer, len: usize, free: usize) -> Result<(), EngineError> {
    let bytes = if layer.delays { 20_usize } else { 12 }.saturating_mul(len);
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
