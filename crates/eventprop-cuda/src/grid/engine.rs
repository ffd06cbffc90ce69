use super::abi;
use super::batch::{Batch, Room, Shape};
use super::data::{Data, Most, arriving};
use super::parts::InParts;
use super::program::Program;
use crate::abi::{Control, Loss};
use crate::device::{Buffer, Device, Graph};
use crate::host_loss::evaluate;
use crate::layout::Layout;
use crate::loss;
use crate::name::NAME;
use crate::probe::unavailable;
use crate::queue::{Queue, Rates};
use crate::stored::Stored;
use crate::update::{NORM_BLOCKS, check_finite};
use lif_core::engine::{EngineError, Training};
use lif_core::grid::{GridModel, GridSpec, GridVariant, check_training};
use lif_core::optimiser::Clip;
use lif_core::{Network, SpikeBatch};

/// The clock-driven model of [`lif_core::grid`] on a CUDA device, in single precision, for an input and one layer of LIF
/// neurons.
///
/// Outputs are first-spike steps (not ms); the loss is evaluated on them as they are. The class named
/// is the earliest to spike, the lowest among equals, also where all are silent.
///
/// Parameters, optimiser state and data stay on the device. The same calls give the same bits on the same device.
pub struct CudaGridEngine {
    pub(super) model: GridModel,
    pub(super) training: Training<f32>,
    loss: Loss,
    // Graphs before the buffers they use, buffers before their device.
    /// By steps, and samples of each.
    graphs: Vec<((usize, usize), Graph)>,
    pub(super) batch: Option<Batch>,
    pub(super) room: Room,
    pub(super) data: [Option<Data>; 2],
    pub(super) stored: Stored,
    pub(super) queue: Queue,
    pub(super) silent: Buffer<i32>,
    pub(super) activity: Buffer<u64>,
    norm_parts: Buffer<f64>,
    pub(super) device: Device,
    /// Updates made.
    pub(super) updates: u64,
    /// The number of samples last run.
    pub(super) samples: usize,
    pub(super) losses: Vec<f32>,
    pub(super) input_gradient: Vec<f32>,
    /// None where batches are differentiated as a whole.
    pub(super) in_parts: Option<InParts>,
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
    /// To its first spikes.
    Forward,
    /// To the losses and back, losses that only the host knows excepted.
    BothWays,
    /// Back from derivatives.
    Backward,
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
    /// [`EngineError::Unsupported`] for what this engine does not do (see [`check_training`]) and for more than one layer of neurons,
    /// [`EngineError::Unavailable`] without a driver, a device, or enough memory.
    pub fn new(
        network: &Network,
        spec: GridSpec,
        training: Training<f32>,
        device: usize,
    ) -> Result<Self, EngineError> {
        let model = GridModel::new(network, spec)?;
        if model.layers().len() > 1 {
            let capability = "on a grid, more than one layer is".into();
            return Err(EngineError::Unsupported { engine: NAME, capability });
        }
        check_training(NAME, &model, &training)?;
        let device = Device::open(device)?;
        let loss = loss::describe(&*training.objective);
        let keeps_scratch = !is_known(&training);
        let shape = Shape::new(&model, training.input_gradients, keeps_scratch);
        let inputs = model.layers()[0].inputs;
        let layout = Layout::of_one(inputs, shape.neurons, shape.stride);
        if i32::try_from(layout.len()).is_err() {
            let neurons = shape.neurons;
            return unavailable(format!(
                "a matrix of {inputs} x {neurons} weights is more than this engine numbers"
            ));
        }
        Ok(Self {
            graphs: Vec::new(),
            batch: None,
            room: Room { samples: 1, most: Most::default(), shape },
            data: [None, None],
            stored: Stored::zeros(&device, layout)?,
            queue: Queue::new(&device)?,
            silent: device.zeros(shape.stride)?,
            activity: device.zeros(shape.stride)?,
            norm_parts: device.zeros(NORM_BLOCKS)?,
            device,
            updates: 0,
            samples: 0,
            losses: Vec::new(),
            input_gradient: Vec::new(),
            in_parts: None,
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
        self.model.spec().bump > 0.0 && self.in_parts.is_none()
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
        self.batch = Some(Batch::new(&self.device, room)?);
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

    /// Puts a task for a batch of `samples` into the stream.
    pub(super) fn start(
        &self,
        task: Task,
        source: Source,
        samples: usize,
    ) -> Result<(), EngineError> {
        let Some(program) = self.program(source, samples, false) else { return Ok(()) };
        match task {
            Task::Forward => program.forward(),
            Task::BothWays => program.both_ways(),
            Task::Backward => program.backward(),
            Task::Differentiate => program.differentiate(),
            Task::Learn => program.learn(),
        }
    }

    /// Puts `steps` whole steps on `samples` of the kept samples each into the stream: one graph, recorded once. Where a neuron
    /// is silent that is to be woken, it and the steps after it change nothing.
    pub(super) fn start_steps(&mut self, steps: usize, samples: usize) -> Result<(), EngineError> {
        let (key, stops) = ((steps, samples), self.wakes());
        let graph = match self.graphs.iter().position(|&(known, _)| known == key) {
            Some(graph) => graph,
            None => {
                let Some(program) = self.program(Source::Kept, samples, stops) else {
                    return Ok(());
                };
                let graph = self.device.record(|_| {
                    (0..steps).try_for_each(|_| {
                        program.both_ways()?;
                        program.learn()
                    })
                })?;
                self.graphs.push((key, graph));
                self.graphs.len() - 1
            }
        };
        self.device.start(&self.graphs[graph].1)
    }

    /// Evaluates the loss of each sample after a way forward, where kernels do not know it.
    pub(super) fn evaluate(&mut self, labels: &[u32]) -> Result<(), EngineError> {
        let Some(batch) = &mut self.batch else { return Ok(()) };
        let outputs = self.device.read(&batch.outputs, labels.len() * self.room.shape.stride)?;
        let objective = &*self.training.objective;
        let evaluated = evaluate(objective, self.model.network(), &outputs, labels)?;
        self.device.write(&evaluated.derivatives, &mut batch.derivatives)?;
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

    pub(super) fn norm_parts(&self) -> Option<&Buffer<f64>> {
        matches!(self.training.clip, Some(Clip::Norm(_))).then_some(&self.norm_parts)
    }

    /// None where nothing was given to compute.
    fn program(
        &self,
        source: Source,
        samples: usize,
        stops_at_silence: bool,
    ) -> Option<Program<'_>> {
        let batch = self.batch.as_ref()?;
        let (layer, spec) = (&self.model.layers()[0], self.model.spec());
        let (membrane, synapse) = (layer.membrane_rate, layer.synaptic_rate);
        let grid = abi::Grid {
            inputs: layer.inputs as i32,
            is_first: i32::from(spec.variant == GridVariant::First),
            silent_step: spec.variant.silent_step(self.model.steps()) as i32,
            stops_at_silence: i32::from(stops_at_silence),
            membrane: membrane as f32,
            keeps_voltage: (1.0 - membrane) as f32,
            synapse: synapse as f32,
            keeps_current: (1.0 - synapse) as f32,
            threshold: layer.threshold as f32,
            weights: self.stored.values.address(),
            gradient: self.stored.gradient.address(),
            silent: self.silent.address(),
            activity: self.activity.address(),
            ..batch.describe(samples)
        };
        Some(Program {
            device: &self.device,
            grid,
            loss: self.loss,
            batch,
            data: self.data[source as usize].as_ref()?,
            queue: &self.queue,
            stored: &self.stored,
            norm_parts: self.norm_parts(),
        })
    }
}

/// Whether kernels know the loss. Of one that leaves samples alone whose label is silent the steps of silence are not what
/// it is told of.
fn is_known(training: &Training<f32>) -> bool {
    training.objective.known().is_some_and(|known| !known.skips_silent_label)
}
