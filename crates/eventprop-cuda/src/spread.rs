//! Which synapses of a layer's matrix a connection's weights belong to.

use crate::abi::Address;
use crate::device::{Buffer, Device, Shape};
use crate::layer::{DenseLayer, Input, Synapses, WARP};
use bytemuck::bytes_of;
use lif_core::Network;
use lif_core::engine::EngineError;

/// Weights of a block that spreads or gathers.
const WARPS: u32 = 4;

/// The synapses of each weight: several if they share it, one if it is the weight of a dense connection, none if
/// it is padding.
pub(crate) struct Spread {
    /// For each weight where its synapses start in `synapses`.
    offsets: Buffer<i32>,
    /// Positions in the matrix, weight by weight.
    synapses: Buffer<i32>,
    /// The number of weights; none of a pooling, whose weight is fixed.
    count: usize,
}

impl Spread {
    pub(crate) fn new(
        device: &Device,
        network: &Network,
        layer: &DenseLayer,
        input: &Input,
    ) -> Result<Self, EngineError> {
        let count = match input.synapses {
            Synapses::Dense => input.sources * input.stride(),
            Synapses::Shared { weights } => weights,
            Synapses::Fixed { .. } => 0,
        };
        let mut of_weight: Vec<Vec<i32>> = vec![Vec::new(); count];
        for source in 0..input.sources {
            let row = (input.first + source) * layer.columns + input.column;
            network.fan_out(input.connection, source, |target, weight| {
                // Where the layout has it: rows of dense weights are padded.
                let weight = match input.synapses {
                    Synapses::Dense => Some(source * input.stride() + target),
                    _ => weight,
                };
                if let Some(weight) = weight {
                    of_weight[weight].push((row + target) as i32);
                }
            });
        }
        let ends = of_weight.iter().scan(0, |end, synapses| {
            *end += synapses.len() as i32;
            Some(*end)
        });
        let offsets: Vec<i32> = std::iter::once(0).chain(ends).collect();
        Ok(Self {
            offsets: device.copy(&offsets)?,
            synapses: device.copy(&of_weight.concat())?,
            count,
        })
    }

    /// Whether there is nothing to learn.
    pub(crate) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Puts the values at `own` into their places in `matrix`.
    pub(crate) fn spread(
        &self,
        device: &Device,
        own: Address,
        matrix: &Buffer<f32>,
    ) -> Result<(), EngineError> {
        self.launch(device, "spread_weights", own, matrix)
    }

    /// Adds up the derivatives in `matrix` to those at `own`.
    pub(crate) fn gather(
        &self,
        device: &Device,
        own: Address,
        matrix: &Buffer<f32>,
    ) -> Result<(), EngineError> {
        self.launch(device, "gather_gradient", own, matrix)
    }

    fn launch(
        &self,
        device: &Device,
        kernel: &'static str,
        own: Address,
        matrix: &Buffer<f32>,
    ) -> Result<(), EngineError> {
        if self.is_empty() {
            return Ok(());
        }
        let count = self.count as i32;
        device.launch(
            kernel,
            Shape { grid: ((self.count as u32).div_ceil(WARPS), 1), block: (WARP as u32, WARPS) },
            &[
                bytes_of(&own),
                bytes_of(&matrix.address()),
                bytes_of(&self.offsets.address()),
                bytes_of(&self.synapses.address()),
                bytes_of(&count),
            ],
        )
    }
}
