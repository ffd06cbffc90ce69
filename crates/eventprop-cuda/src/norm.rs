//! The norm of a gradient, where it is clipped by that: of the parameters that learn.

use crate::abi::{Address, Span};
use crate::device::{Buffer, Device, Shape};
use crate::layout::Layout;
use bytemuck::bytes_of;
use lif_core::engine::{EngineError, Training};
use lif_core::optimiser::Clip;

/// Blocks that add up the gradient's squares: NORM_BLOCKS of `kernels/update.cu`.
const BLOCKS: usize = 32;
/// NORM_THREADS.
pub(crate) const THREADS: u32 = 256;

/// What it takes to know it.
pub(crate) struct Norm {
    spans: Buffer<Span>,
    parts: Buffer<f64>,
    /// How many parameters it is of.
    pub(crate) count: usize,
}

impl Norm {
    /// That of the gradient by what learns in `training`, if it is asked for.
    pub(crate) fn new(
        device: &Device,
        layout: &Layout,
        training: &Training<f32>,
    ) -> Result<Option<Self>, EngineError> {
        if !matches!(training.clip, Some(Clip::Norm(_))) {
            return Ok(None);
        }
        let (spans, count) = layout.learned(&training.learning_rates);
        Ok(Some(Self { spans: device.copy(&spans)?, parts: device.zeros(BLOCKS)?, count }))
    }

    /// Leaves the norm of `gradient` in `control`.
    pub(crate) fn find(
        &self,
        device: &Device,
        gradient: Address,
        control: Address,
    ) -> Result<(), EngineError> {
        let parts = self.parts.address();
        let (spans, count) = (self.spans.address(), self.spans.len() as i32);
        device.launch(
            "gradient_squares",
            Shape { grid: (BLOCKS as u32, 1), block: (THREADS, 1) },
            &[bytes_of(&gradient), bytes_of(&spans), bytes_of(&count), bytes_of(&parts)],
        )?;
        device.launch(
            "gradient_norm",
            Shape { grid: (1, 1), block: (THREADS, 1) },
            &[bytes_of(&parts), bytes_of(&control)],
        )
    }
}
