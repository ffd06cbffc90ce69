//! The memory of a batch on the device.

use super::abi;
use super::data::Most;
use crate::device::{Buffer, Device};
use crate::memory::check_batch;
use crate::probe::unavailable;
use lif_core::engine::EngineError;
use lif_core::grid::GridModel;

/// GRID_SHARED of `kernels/grid.cuh`.
const SHARED: usize = 4096;

/// What a batch may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Room {
    pub(super) samples: usize,
    pub(super) most: Most,
    /// What does not change from batch to batch.
    pub(super) shape: Shape,
}

/// The layer, and what is asked of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) neurons: usize,
    /// Neurons of a row, padded to a multiple of four.
    pub(super) stride: usize,
    pub(super) steps: usize,
    pub(super) input_gradients: bool,
    /// Whether what a sample needs must outlast a kernel.
    pub(super) keeps_scratch: bool,
}

/// See `kernels/grid.cuh`.
pub(super) struct Batch {
    pub(super) room: Room,
    pub(super) outputs: Buffer<f32>,
    pub(super) derivatives: Buffer<f32>,
    pub(super) fired: Buffer<u32>,
    pub(super) losses: Buffer<f32>,
    pub(super) predictions: Buffer<i32>,
    counts: Buffer<i32>,
    mu: Buffer<f32>,
    differences: Option<Buffer<f32>>,
    scratch: Option<Buffer<f32>>,
}

impl Shape {
    pub(super) fn new(model: &GridModel, input_gradients: bool, keeps_scratch: bool) -> Self {
        let neurons = model.layers()[0].neurons;
        let stride = neurons.next_multiple_of(4);
        Self { neurons, stride, steps: model.steps(), input_gradients, keeps_scratch }
    }

    /// Words of 32 steps.
    pub(super) fn words(&self) -> usize {
        self.steps.div_ceil(32)
    }
}

impl Room {
    /// Room for what either has room for.
    pub(super) fn or(self, samples: usize, most: Most) -> Self {
        Self {
            samples: self.samples.max(samples),
            most: Most {
                runs: self.most.runs.max(most.runs),
                pieces: self.most.pieces.max(most.pieces),
            },
            ..self
        }
    }

    /// Values of a row of neurons, of all samples.
    fn rows(&self) -> usize {
        self.samples * self.shape.stride
    }

    /// Values that a sample needs on its way, where shared memory has no room for them.
    fn scratch(&self) -> Option<usize> {
        let Shape { neurons, steps, keeps_scratch, .. } = self.shape;
        let values = (self.most.pieces + self.most.runs + steps) * neurons;
        (keeps_scratch || values > SHARED).then_some(values)
    }

    fn bytes(&self) -> usize {
        let adjoints = if self.shape.input_gradients { 2 } else { 1 };
        let by_neuron = 3 + self.shape.words() + adjoints * self.most.runs;
        4 * (self.rows() * by_neuron + self.samples * (2 + self.scratch().unwrap_or(0)))
    }
}

impl Batch {
    /// Memory for batches that `room` has room for.
    ///
    /// # Errors
    /// [`EngineError::Unavailable`] says how much is missing and which batch size would fit, or that none would.
    pub(super) fn new(device: &Device, room: Room) -> Result<Self, EngineError> {
        if let Some(values) = room.scratch().filter(|&values| i32::try_from(values).is_err()) {
            return unavailable(format!(
                "a sample needs {values} values on its way, more than this engine numbers; \
                 fewer neurons or a longer dt would do"
            ));
        }
        check_batch(room.samples, device.free_memory()?, |samples| {
            Room { samples, ..room }.bytes()
        })?;
        let (rows, adjoints) = (room.rows(), room.rows() * room.most.runs);
        let differences = room.shape.input_gradients.then_some(adjoints);
        let scratch = room.scratch().map(|values| room.samples * values);
        let optional = |len: Option<usize>| len.map(|len| device.unset(len)).transpose();
        Ok(Self {
            // Their padding is read to the host.
            outputs: device.zeros(rows)?,
            fired: device.zeros(rows * room.shape.words())?,
            derivatives: device.unset(rows)?,
            losses: device.unset(room.samples)?,
            predictions: device.unset(room.samples)?,
            counts: device.unset(rows)?,
            mu: device.unset(adjoints)?,
            differences: optional(differences)?,
            scratch: optional(scratch)?,
            room,
        })
    }

    /// The same as kernels are told it, for a batch of `samples`; what does not belong to the batch is 0.
    pub(super) fn describe(&self, samples: usize) -> abi::Grid {
        let Room { most, shape, .. } = self.room;
        let optional = |buffer: &Option<Buffer<f32>>| buffer.as_ref().map_or(0, Buffer::address);
        abi::Grid {
            samples: samples as i32,
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
            scratch: optional(&self.scratch),
            ..abi::Grid::default()
        }
    }
}
