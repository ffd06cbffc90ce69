//! The memory of a batch on the device.

use super::abi;
use super::data::Most;
use super::heard::Heard;
use crate::device::{Buffer, Device};
use crate::memory::check_batch;
use crate::probe::unavailable;
use lif_core::engine::EngineError;
use lif_core::grid::{GridLayer, GridModel};

/// GRID_SHARED of `kernels/grid.cuh`.
const SHARED: usize = 4096;

/// What a batch may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Room {
    pub(super) samples: usize,
    /// Of a sample's input.
    pub(super) most: Most,
    /// What does not change from batch to batch, layer after layer.
    pub(super) shapes: Vec<Shape>,
}

/// A layer, and what is asked of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) inputs: usize,
    pub(super) neurons: usize,
    /// Neurons of a row, padded to a multiple of four.
    pub(super) stride: usize,
    pub(super) steps: usize,
    /// Whether it hears a layer of neurons, and is heard by one.
    hears: bool,
    is_heard: bool,
    /// Whether the derivatives by the spikes that arrive are wanted.
    differences: bool,
    /// Whether what a sample needs must outlast a kernel.
    keeps_scratch: bool,
}

/// See `kernels/grid.cuh`.
pub(super) struct Batch {
    pub(super) room: Room,
    pub(super) layers: Vec<OfLayer>,
    pub(super) losses: Buffer<f32>,
    pub(super) predictions: Buffer<i32>,
}

/// What the batch leaves of a layer.
pub(super) struct OfLayer {
    /// Its input, if that is a layer of neurons.
    pub(super) heard: Option<Heard>,
    pub(super) outputs: Buffer<f32>,
    pub(super) derivatives: Buffer<f32>,
    pub(super) fired: Buffer<u32>,
    pub(super) counts: Buffer<i32>,
    mu: Buffer<f32>,
    differences: Option<Buffer<f32>>,
    pulls: Option<Buffer<f32>>,
    scratch: Option<Buffer<f32>>,
}

impl Shape {
    /// The layers of `model`; the last keeps scratch where its loss is evaluated elsewhere.
    pub(super) fn of(model: &GridModel, input_gradients: bool, keeps_scratch: bool) -> Vec<Self> {
        let last = model.layers().len() - 1;
        let shape = |(position, &GridLayer { inputs, neurons, .. })| Self {
            inputs,
            neurons,
            stride: usize::next_multiple_of(neurons, 4),
            steps: model.steps(),
            hears: position > 0,
            is_heard: position < last,
            differences: position > 0 || input_gradients,
            keeps_scratch: position < last || keeps_scratch,
        };
        model.layers().iter().enumerate().map(shape).collect()
    }

    /// Words of 32 steps.
    pub(super) fn words(&self) -> usize {
        self.steps.div_ceil(32)
    }

    /// The most that it hears in a sample, the input having no more than `input`.
    fn most(&self, input: Most) -> Most {
        if self.hears { Heard::most(self.steps) } else { input }
    }

    /// Values that a sample needs on its way, where shared memory has no room for them.
    fn scratch(&self, input: Most) -> Option<usize> {
        let Most { runs, pieces } = self.most(input);
        let values = (pieces + runs + self.steps) * self.stride;
        (self.keeps_scratch || values > SHARED).then_some(values)
    }

    /// Bytes of a sample.
    fn bytes(&self, input: Most) -> usize {
        let adjoints = if self.differences { 2 } else { 1 };
        let pulls = if self.is_heard { self.steps } else { 0 };
        let by_neuron = 3 + self.words() + adjoints * self.most(input).runs + pulls;
        let heard = if self.hears { Heard::bytes(self.steps, self.inputs) } else { 0 };
        4 * (self.stride * by_neuron + self.scratch(input).unwrap_or(0)) + heard
    }

    /// The most values of a sample that kernels number.
    fn numbers(&self, input: Most) -> usize {
        let spikes = if self.hears { self.steps * self.inputs } else { 0 };
        self.scratch(input).unwrap_or(0).max(spikes)
    }
}

impl Room {
    /// Room for what either has room for.
    pub(super) fn or(&self, samples: usize, most: Most) -> Self {
        Self {
            samples: self.samples.max(samples),
            most: Most {
                runs: self.most.runs.max(most.runs),
                pieces: self.most.pieces.max(most.pieces),
            },
            shapes: self.shapes.clone(),
        }
    }

    /// The last layer.
    pub(super) fn output(&self) -> &Shape {
        &self.shapes[self.shapes.len() - 1]
    }

    /// Bytes of a sample.
    fn bytes(&self) -> usize {
        8 + self.shapes.iter().map(|shape| shape.bytes(self.most)).sum::<usize>()
    }
}

impl Batch {
    /// Memory for batches that `room` has room for.
    ///
    /// # Errors
    /// [`EngineError::Unavailable`] says how much is missing and which batch size would fit, or that none would.
    pub(super) fn new(device: &Device, room: Room) -> Result<Self, EngineError> {
        for shape in &room.shapes {
            let values = shape.numbers(room.most);
            let spikes = if shape.hears { shape.steps * shape.inputs * room.samples } else { 0 };
            if i32::try_from(values).is_err() {
                return unavailable(format!(
                    "a sample needs {values} values on its way, more than this engine numbers; \
                     fewer neurons or a longer dt would do"
                ));
            }
            if i32::try_from(spikes).is_err() {
                let fits = i32::MAX as usize / (shape.steps * shape.inputs);
                return unavailable(format!(
                    "{spikes} spikes of a layer at a time are more than this engine numbers; \
                     a batch of {fits} would do"
                ));
            }
        }
        check_batch(room.samples, device.free_memory()?, |samples| samples * room.bytes())?;
        let layers = room.shapes.iter().map(|shape| OfLayer::new(device, &room, shape));
        Ok(Self {
            layers: layers.collect::<Result<_, _>>()?,
            losses: device.unset(room.samples)?,
            predictions: device.unset(room.samples)?,
            room,
        })
    }
}

impl OfLayer {
    fn new(device: &Device, room: &Room, shape: &Shape) -> Result<Self, EngineError> {
        let &Room { samples, most, .. } = room;
        let rows = samples * shape.stride;
        let adjoints = rows * shape.most(most).runs;
        let optional = |len: Option<usize>| len.map(|len| device.unset(len)).transpose();
        let heard = || Heard::new(device, samples, shape.steps, shape.inputs);
        Ok(Self {
            heard: shape.hears.then(heard).transpose()?,
            // Their padding is read to the host.
            outputs: device.zeros(rows)?,
            fired: device.zeros(rows * shape.words())?,
            derivatives: device.unset(rows)?,
            counts: device.zeros(rows)?,
            mu: device.unset(adjoints)?,
            differences: optional(shape.differences.then_some(adjoints))?,
            pulls: optional(shape.is_heard.then_some(rows * shape.steps))?,
            scratch: optional(shape.scratch(most).map(|values| samples * values))?,
        })
    }

    /// The same as kernels are told it, for a batch of `samples`; what does not belong to the batch is 0.
    pub(super) fn describe(&self, room: &Room, shape: &Shape, samples: usize) -> abi::Grid {
        let most = shape.most(room.most);
        let optional = |buffer: &Option<Buffer<f32>>| buffer.as_ref().map_or(0, Buffer::address);
        abi::Grid {
            samples: samples as i32,
            inputs: shape.inputs as i32,
            neurons: shape.neurons as i32,
            stride: shape.stride as i32,
            steps: shape.steps as i32,
            words: shape.words() as i32,
            runs: most.runs as i32,
            pieces: most.pieces as i32,
            outputs: self.outputs.address(),
            derivatives: self.derivatives.address(),
            fired: self.fired.address(),
            counts: self.counts.address(),
            mu: self.mu.address(),
            differences: optional(&self.differences),
            pulls: optional(&self.pulls),
            scratch: optional(&self.scratch),
            ..abi::Grid::default()
        }
    }
}
