use super::batch::{Batch, Room, Shape};
use super::data::{Data, Most, arriving};
use crate::abi::{Control, Loss};
use crate::device::{Buffer, Device, Graph};
use crate::host_loss::evaluate;
use crate::layout::Layout;
use crate::loss;
use crate::name::NAME;
use crate::norm::Norm;
use crate::queue::{Queue, Rates};
use crate::stored::Stored;
use crate::update::check_finite;
use lif_core::engine::{EngineError, Training};
use lif_core::grid::{BatchInParts, GridLayer, GridModel, GridSpec, check_training};
use lif_core::{Network, SpikeBatch};

/// The clock-driven model of [`lif_core::grid`] on a CUDA device, in single precision: a stack of LIF layers.
///
/// Outputs are first-spike steps (not ms); the loss is evaluated on them as they are. The class named
/// is the earliest to spike, the lowest among equals, also where all are silent.
///
/// Parameters, optimiser state and data stay on the device. The same calls give the same bits on the same device.
pub struct CudaGridEngine {
    pub(super) model: GridModel,
    pub(super) training: Training<f32>,
    pub(super) loss: Loss,
    // Graphs before the buffers they use, buffers before their device.
    /// By steps, and samples of each.
    pub(super) graphs: Vec<((usize, usize), Graph)>,
    pub(super) batch: Option<Batch>,
    pub(super) room: Room,
    pub(super) data: [Option<Data>; 2],
    pub(super) stored: Stored,
    pub(super) queue: Queue,
    /// By layer after the input.
    pub(super) neurons: Vec<Neurons>,
    pub(super) norm: Option<Norm>,
    pub(super) device: Device,
    /// Updates made.
    pub(super) updates: u64,
    /// The number of samples last run.
    pub(super) samples: usize,
    pub(super) losses: Vec<f32>,
    pub(super) input_gradient: Vec<f32>,
    /// Weights are kept as they lie on the device, those of all layers.
    pub(super) in_parts: BatchInParts<Vec<f32>>,
}

/// What is known of the neurons of a layer beyond a batch.
pub(super) struct Neurons {
    /// Marks of those that were silent in some sample of a pass.
    pub(super) silent: Buffer<i32>,
    /// Spikes since they were last asked for.
    pub(super) activity: Buffer<u64>,
}

/// Where samples come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// A batch of the caller's, copied in.
    Call = 0,
    /// The data set that is kept.
    Kept = 1,
}

/// What is done with a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Task {
    /// Through a layer, to its first spikes.
    Forward(usize),
    /// Through the last layer to the losses and back, losses that only the host knows excepted.
    BothWays,
    /// Back through the last layer from derivatives.
    Backward,
    /// Back through those below it.
    Down,
    /// The gradient of what went back.
    Differentiate,
    /// The same, and the update.
    Learn,
}

impl CudaGridEngine {
    /// An engine for `network` on the grid `spec`, with all weights zero, on device number `device`.
    ///
    /// # Errors
    /// [`EngineError::Description`] for what no clock-driven model has (see [`GridModel::new`]),
    /// [`EngineError::Unsupported`] for what this engine does not do (see [`check_training`]),
    /// [`EngineError::Unavailable`] without a driver, a device, or enough memory.
    pub fn new(
        network: &Network,
        spec: GridSpec,
        training: Training<f32>,
        device: usize,
    ) -> Result<Self, EngineError> {
        let model = GridModel::new(network, spec)?;
        check_training(NAME, &model, &training)?;
        let device = Device::open(device)?;
        let loss = loss::describe(&*training.objective);
        let keeps_scratch = !is_known(&training);
        let shapes = Shape::of(&model, training.input_gradients, keeps_scratch);
        let matrix = |(layer, shape): (&GridLayer, &Shape)| {
            (layer.connection, [shape.inputs, shape.neurons, shape.stride])
        };
        let layout = Layout::of_weights(model.layers().iter().zip(&shapes).map(matrix));
        let neurons = shapes.iter().map(|shape| {
            let (silent, activity) = (device.zeros(shape.stride)?, device.zeros(shape.stride)?);
            Ok(Neurons { silent, activity })
        });
        Ok(Self {
            graphs: Vec::new(),
            batch: None,
            neurons: neurons.collect::<Result<_, EngineError>>()?,
            room: Room { samples: 1, most: Most::default(), shapes },
            data: [None, None],
            norm: Norm::new(&device, &layout, &training)?,
            stored: Stored::zeros(&device, layout)?,
            queue: Queue::new(&device)?,
            device,
            updates: 0,
            samples: 0,
            losses: Vec::new(),
            input_gradient: Vec::new(),
            in_parts: BatchInParts::default(),
            loss,
            model,
            training,
        })
    }

    /// Whether kernels know the loss; else the host evaluates it between the way forward and the way back.
    pub(super) fn knows_loss(&self) -> bool {
        is_known(&self.training)
    }

    /// Whether silent neurons of a batch are woken before it is differentiated.
    pub(super) fn wakes(&self) -> bool {
        self.model.spec().bump > 0.0 && self.in_parts.is_whole()
    }

    /// Frees the data of a source, and what was recorded with it.
    pub(super) fn forget(&mut self, source: Source) -> Result<(), EngineError> {
        self.graphs.clear();
        self.data[source as usize] = None;
        self.device.wait()
    }

    /// Makes room for batches of `samples` samples of a source.
    pub(super) fn make_room(&mut self, samples: usize, source: Source) -> Result<(), EngineError> {
        let most = self.data[source as usize].as_ref().map_or(Most::default(), |data| data.most);
        let room = self.room.or(samples, most);
        if self.batch.as_ref().is_some_and(|batch| batch.room == room) {
            return Ok(());
        }
        self.graphs.clear();
        self.batch = None;
        self.device.wait()?;
        self.batch = Some(Batch::new(&self.device, room.clone())?);
        self.room = room;
        Ok(())
    }

    /// Replaces the queue: steps of (first, samples) of `order`, with a learning rate each.
    pub(super) fn set_queue(
        &mut self,
        steps: &[(usize, usize)],
        order: &[u32],
        rates: &[f64],
    ) -> Result<(), EngineError> {
        if !self.queue.holds(steps.len(), order.len()) {
            self.graphs.clear();
        }
        let rates = Rates { training: &self.training, made: self.updates, rates };
        self.queue.set(&self.device, steps, order, rates)
    }

    /// Evaluates the loss of each sample after a way forward, where kernels do not know it.
    pub(super) fn evaluate(&mut self, labels: &[u32]) -> Result<(), EngineError> {
        let Some(batch) = &mut self.batch else { return Ok(()) };
        let Some(last) = batch.layers.last_mut() else { return Ok(()) };
        let len = labels.len() * self.room.output().stride;
        let outputs = self.device.read(&last.outputs, len)?;
        let objective = &*self.training.objective;
        let evaluated = evaluate(objective, self.model.network(), &outputs, labels)?;
        self.device.write(&evaluated.derivatives, &mut last.derivatives)?;
        self.device.write(&evaluated.losses, &mut batch.losses)
    }

    /// Reads back the derivatives by the times of `spikes`, the batch of the caller's last differentiated.
    pub(super) fn read_input_gradient(
        &mut self,
        spikes: &SpikeBatch<f32>,
    ) -> Result<(), EngineError> {
        self.input_gradient.clear();
        if !self.training.input_gradients {
            return Ok(());
        }
        let Some(program) = self.program(Source::Call, spikes.len(), false) else {
            return Ok(());
        };
        let by_spike: Buffer<f32> = self.device.unset(program.data.spikes())?;
        program.input_gradient(by_spike.address())?;
        let read = self.device.read(&by_spike, by_spike.len())?;
        let mut rest = &read[..];
        for train in spikes.iter() {
            let (own, after) = rest.split_at(arriving(&self.model, train));
            self.input_gradient.extend_from_slice(own);
            self.input_gradient.extend(std::iter::repeat_n(0.0, train.len() - own.len()));
            rest = after;
        }
        Ok(())
    }

    /// The error that `outcome` reports, if any; a silent neuron is none.
    pub(super) fn check(&self, outcome: &Control) -> Result<(), EngineError> {
        check_finite(outcome, self.model.network(), &self.stored.layout)
    }

    /// The number of the last layer.
    pub(super) fn last(&self) -> usize {
        self.neurons.len() - 1
    }

    /// Whether a step's gradient and update are one kernel, which counts it too.
    pub(super) fn learns_at_once(&self) -> bool {
        self.neurons.len() == 1 && self.norm.is_none()
    }
}

/// Whether kernels know the loss. Of one that leaves samples alone whose label is silent the steps of silence are not what
/// it is told of.
fn is_known(training: &Training<f32>) -> bool {
    training.objective.known().is_some_and(|known| !known.skips_silent_label)
}
