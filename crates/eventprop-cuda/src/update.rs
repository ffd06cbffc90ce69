//! From a gradient to changed parameters, and the end of a step: kernels that every engine on the device starts.

use crate::abi::{Control, NONE};
use crate::device::{Buffer, Device, Shape};
use crate::layout::Layout;
use crate::norm::{Norm, THREADS};
use crate::queue::Queue;
use crate::stored::Stored;
use bytemuck::bytes_of;
use lif_core::Network;
use lif_core::engine::EngineError;

/// Changes weights and delays by their gradient, as the queue's step says; after its norm, if that matters.
pub(crate) fn change(
    device: &Device,
    stored: &Stored,
    queue: &Queue,
    norm: Option<&Norm>,
) -> Result<(), EngineError> {
    let (control, spans) = (queue.control.address(), stored.layout.spans());
    let count = spans.first_constant as i32;
    if let Some(norm) = norm {
        norm.find(device, stored.gradient.address(), control)?;
    }
    let of_norm = norm.map_or(0, |norm| norm.count) as i32;
    if count == 0 {
        return Ok(());
    }
    device.launch(
        "update_parameters",
        Shape { grid: ((count as u32).div_ceil(THREADS), 1), block: (THREADS, 1) },
        &[
            bytes_of(&stored.values.address()),
            bytes_of(&stored.gradient.address()),
            bytes_of(&stored.first.address()),
            bytes_of(&stored.second.address()),
            bytes_of(&count),
            bytes_of(&of_norm),
            bytes_of(&(spans.first_delay as i32)),
            bytes_of(&control),
            bytes_of(&queue.steps.address()),
        ],
    )
}

/// What ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// A batch's differentiation.
    Batch,
    /// The same and the update.
    Step,
}

/// What a batch left, and the labels of all samples.
#[derive(Clone, Copy)]
pub(crate) struct Left<'a> {
    pub(crate) losses: &'a Buffer<f32>,
    pub(crate) predictions: &'a Buffer<i32>,
    pub(crate) labels: &'a Buffer<i32>,
}

/// Adds up a batch's statistics; after a step, on to the next.
pub(crate) fn finish(
    device: &Device,
    end: End,
    queue: &Queue,
    left: Left<'_>,
) -> Result<(), EngineError> {
    device.launch(
        match end {
            End::Batch => "finish_batch",
            End::Step => "finish_step",
        },
        Shape { grid: (1, 1), block: (THREADS, 1) },
        &[
            bytes_of(&queue.control.address()),
            bytes_of(&left.losses.address()),
            bytes_of(&left.predictions.address()),
            bytes_of(&queue.steps.address()),
            bytes_of(&queue.order.address()),
            bytes_of(&left.labels.address()),
        ],
    )
}

/// The end of an update by itself.
pub(crate) fn finish_update(device: &Device, queue: &Queue) -> Result<(), EngineError> {
    let control = queue.control.address();
    device.launch("finish_update", Shape { grid: (1, 1), block: (1, 1) }, &[bytes_of(&control)])
}

/// The error that `control` reports of a loss or a parameter that is not finite, if there is one.
pub(crate) fn check_finite(
    control: &Control,
    network: &Network,
    layout: &Layout,
) -> Result<(), EngineError> {
    let not_finite = |what, layer: usize, sample| {
        let layer = network.layers()[layer].name.clone();
        Err(EngineError::NotFinite { what, layer, sample })
    };
    if control.loss_not_finite != NONE {
        return not_finite("the loss", network.output_index(), control.loss_not_finite as usize);
    }
    if control.parameter_not_finite != NONE {
        let layer = layout.layer_of(control.parameter_not_finite as usize);
        return not_finite("a parameter after the update", layer, 0);
    }
    Ok(())
}
