//! Which kernels run, in which order.

use super::abi;
use super::batch::Batch;
use super::data::Data;
use crate::abi::{Address, Loss};
use crate::device::{Device, Shape};
use crate::layer::WARP;
use crate::norm::Norm;
use crate::queue::Queue;
use crate::stored::Stored;
use crate::update::{End, Left, change, finish};
use bytemuck::bytes_of;
use lif_core::engine::EngineError;

/// GRID_THREADS of `kernels/grid.cuh`.
const THREADS: u32 = 256;
/// GRID_SUMMERS of `kernels/grid_gradient.cu`.
const SUMMERS: u32 = 32;
/// Warps of a block that looks at the spikes of a sample.
const SEEKERS: u32 = 8;

/// A batch's kernels with their arguments.
pub(super) struct Program<'a> {
    pub(super) device: &'a Device,
    /// Layer after layer, each with what it hears.
    pub(super) layers: Vec<(abi::Grid, abi::Data)>,
    pub(super) loss: Loss,
    pub(super) batch: &'a Batch,
    pub(super) data: &'a Data,
    pub(super) queue: &'a Queue,
    pub(super) stored: &'a Stored,
    /// Whether gradient and update are one kernel, which is of one layer.
    pub(super) learns_at_once: bool,
    /// If gradients are clipped by their norm.
    pub(super) norm: Option<&'a Norm>,
}

impl Program<'_> {
    /// A layer, from what it hears to first spikes and predictions.
    pub(super) fn forward(&self, layer: usize) -> Result<(), EngineError> {
        self.hear(layer)?;
        self.walk("grid_forward", layer, None, &[self.batch.predictions.address()])
    }

    /// The last layer: the same, then the loss, and back.
    pub(super) fn both_ways(&self) -> Result<(), EngineError> {
        self.hear(self.last())?;
        let Batch { losses, predictions, .. } = self.batch;
        let written = [losses.address(), predictions.address()];
        self.walk("grid_walk", self.last(), Some(&self.loss), &written)
    }

    /// The last layer back, from derivatives that are there.
    pub(super) fn backward(&self) -> Result<(), EngineError> {
        self.walk("grid_backward", self.last(), None, &[])
    }

    /// From there back through the others.
    pub(super) fn down(&self) -> Result<(), EngineError> {
        (0..self.last()).rev().try_for_each(|layer| {
            self.pull(layer)?;
            self.walk("grid_backward", layer, None, &[])
        })
    }

    /// The gradient, and the batch's statistics.
    pub(super) fn differentiate(&self) -> Result<(), EngineError> {
        self.gradient()?;
        finish(self.device, End::Batch, self.queue, self.left())
    }

    /// The same and the update.
    pub(super) fn learn(&self) -> Result<(), EngineError> {
        if self.learns_at_once {
            return self.gradient_and_update();
        }
        self.gradient()?;
        change(self.device, self.stored, self.queue, self.norm)?;
        finish(self.device, End::Step, self.queue, self.left())
    }

    /// The derivative by the time of each spike of a batch in the order of its data.
    pub(super) fn input_gradient(&self, by_spike: Address) -> Result<(), EngineError> {
        self.device.launch(
            "grid_input_gradient",
            Shape { grid: (self.samples(), 1), block: (WARP as u32, SEEKERS) },
            &[
                bytes_of(&self.layers[0].0),
                bytes_of(&self.layers[0].1),
                bytes_of(&self.queue.control.address()),
                bytes_of(&by_spike),
            ],
        )
    }

    fn last(&self) -> usize {
        self.layers.len() - 1
    }

    /// What a layer hears, if that is not the input.
    fn hear(&self, layer: usize) -> Result<(), EngineError> {
        let Some(heard) = &self.batch.layers[layer].heard else { return Ok(()) };
        self.device.launch(
            "grid_hear",
            Shape { grid: (self.samples(), 1), block: (THREADS, 1) },
            &[bytes_of(&self.layers[layer - 1].0), bytes_of(&heard.target())],
        )
    }

    /// What the spikes of a layer do in the one above.
    fn pull(&self, layer: usize) -> Result<(), EngineError> {
        let (above, data) = &self.layers[layer + 1];
        self.device.launch(
            "grid_pull",
            Shape { grid: (self.samples(), 1), block: (WARP as u32, SEEKERS) },
            &[
                bytes_of(above),
                bytes_of(data),
                bytes_of(&self.layers[layer].0),
                bytes_of(&self.queue.control.address()),
            ],
        )
    }

    fn walk(
        &self,
        kernel: &'static str,
        layer: usize,
        loss: Option<&Loss>,
        written: &[Address],
    ) -> Result<(), EngineError> {
        let (grid, data) = &self.layers[layer];
        let [control, steps, order] = self.queued();
        let mut arguments = vec![bytes_of(grid), bytes_of(data)];
        arguments.extend(loss.map(bytes_of));
        arguments.extend([bytes_of(&control), bytes_of(&steps), bytes_of(&order)]);
        arguments.extend(written.iter().map(bytes_of));
        let shape = Shape { grid: (self.samples(), 1), block: (THREADS, 1) };
        self.device.launch(kernel, shape, &arguments)
    }

    fn gradient(&self) -> Result<(), EngineError> {
        let [control, steps, order] = self.queued();
        self.layers.iter().try_for_each(|(grid, data)| {
            self.device.launch(
                "grid_gradient",
                tiles(grid, 0),
                &[
                    bytes_of(grid),
                    bytes_of(data),
                    bytes_of(&control),
                    bytes_of(&steps),
                    bytes_of(&order),
                ],
            )
        })
    }

    /// All that is left of a step that learns at once.
    fn gradient_and_update(&self) -> Result<(), EngineError> {
        let [control, steps, order] = self.queued();
        let Batch { losses, predictions, .. } = self.batch;
        let (grid, data) = &self.layers[0];
        self.device.launch(
            "grid_learn",
            tiles(grid, 1),
            &[
                bytes_of(grid),
                bytes_of(data),
                bytes_of(&control),
                bytes_of(&steps),
                bytes_of(&order),
                bytes_of(&self.stored.values.address()),
                bytes_of(&self.stored.first.address()),
                bytes_of(&self.stored.second.address()),
                bytes_of(&losses.address()),
                bytes_of(&predictions.address()),
            ],
        )
    }

    fn queued(&self) -> [Address; 3] {
        let Queue { control, steps, order, .. } = self.queue;
        [control.address(), steps.address(), order.address()]
    }

    fn left(&self) -> Left<'_> {
        let Batch { losses, predictions, .. } = self.batch;
        Left { losses, predictions, labels: &self.data.labels }
    }

    fn samples(&self) -> u32 {
        self.layers[0].0.samples.cast_unsigned()
    }
}

/// A block 32 inputs and four neurons, and `more` in each row of blocks.
fn tiles(grid: &abi::Grid, more: u32) -> Shape {
    let inputs = grid.inputs.cast_unsigned().div_ceil(WARP as u32);
    Shape { grid: (inputs + more, grid.stride.cast_unsigned() / 4), block: (WARP as u32, SUMMERS) }
}
