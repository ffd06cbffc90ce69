use crate::abi;
use crate::batch::{BatchBuffers, Settings};
use crate::by_arrival::ByArrival;
use crate::constants::{self, Constants};
use crate::data::{Data, longest};
use crate::device::{Buffer, Device, Graph};
use crate::layer::DenseLayer;
use crate::loss;
use crate::norm::Norm;
use crate::plan::{order, plan};
use crate::program::Program;
use crate::queue::{Outcome, Queue, Rates};
use crate::refusals;
use crate::sizes::Room;
use crate::update::check_finite;
use crate::weights::Weights;
use lif_core::engine::{EngineError, Training};
use lif_core::network::Network;
use lif_core::{Parameters, SpikeBatch};

/// Spikes of one neuron in one sample beyond which a network has run away.
pub(crate) const MAX_SPIKES: usize = 10_000;
/// The exact engine on a CUDA device, in single precision: layers that hear any others and themselves, over connections
/// that are dense or convolved, with delays or without, or pooled.
///
/// Parameters, optimiser state and data stay on the device; a batch is one recorded graph of kernels.
/// The same calls give the same bits on the same device.
pub struct CudaEngine {
    pub(crate) network: Network,
    pub(crate) training: Training<f32>,
    /// Everything but the weights and delays.
    pub(crate) parameters: Parameters<f32>,
    pub(crate) plan: Vec<DenseLayer>,
    recurrent_threads: usize,
    by_arrival: ByArrival,
    multiprocessors: u32,
    loss: abi::Loss,
    // Graphs before the buffers they use, buffers before their device.
    graphs: Vec<Recorded>,
    pub(crate) batch: Option<BatchBuffers>,
    pub(crate) room: Room,
    constants: Vec<Constants>,
    learned: Buffer<abi::Learned>,
    pub(crate) weights: Weights,
    pub(crate) data: [Option<Data>; 2],
    /// The most arrivals of a sample that is kept.
    pub(crate) kept_arrivals: usize,
    queue: Queue,
    pub(crate) activity: Vec<Buffer<u64>>,
    norm: Option<Norm>,
    pub(crate) device: Device,
    pub(crate) steps: u64,
    /// The number of samples last run.
    pub(crate) samples: usize,
    pub(crate) losses: Vec<f32>,
    pub(crate) input_gradient: Vec<f32>,
}

/// How a [`CudaEngine`] runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CudaOptions {
    /// The number of the device.
    pub device: usize,
    /// Device memory in bytes that the adjoint of one layer may take: a batch is swept in parts of this size. Unless
    /// told otherwise 256 MiB, or what 64 samples take if that is more; then parts change no result. Where a part holds
    /// fewer, their sum is rounded in another order, and how many it holds depends on the spikes met before.
    pub adjoint_bytes: Option<usize>,
    /// Threads of a block that walks a layer whose neurons hear one another, at most, in whole warps: 1,024 unless told
    /// otherwise, which is the most there can be. Where a layer has more neurons a thread walks several; sums over them
    /// are then rounded in another order.
    pub recurrent_threads: usize,
    /// Where a warp walks a neuron with a lane an arrival.
    pub by_arrival: ByArrival,
}

impl Default for CudaOptions {
    fn default() -> Self {
        let by_arrival = ByArrival::default();
        Self { device: 0, adjoint_bytes: None, recurrent_threads: 1024, by_arrival }
    }
}

/// Where samples come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// A batch of the caller's, copied in.
    Call = 0,
    /// The data set that was uploaded.
    Resident = 1,
}

/// What a graph does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Task {
    Infer,
    Differentiate,
    Update,
    Train,
    /// The last two from losses and derivatives that are there.
    DifferentiateBack,
    TrainBack,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Key {
    task: Task,
    source: Source,
    samples: usize,
}

/// A task as it is started, and what its kernels are told besides their arguments.
struct Recorded {
    key: Key,
    graph: Graph,
    _members: Vec<Option<Buffer<abi::Member>>>,
}

impl CudaEngine {
    /// An engine for `network` with the constants it describes and all weights zero.
    ///
    /// # Errors
    /// [`EngineError::Unsupported`] for a network or training it cannot compute,
    /// [`EngineError::Unavailable`] without a driver, a device, or enough memory.
    pub fn new(
        network: &Network,
        training: Training<f32>,
        options: CudaOptions,
    ) -> Result<Self, EngineError> {
        refusals::check(network, &training)?;
        let device = Device::open(options.device)?;
        let parameters = Parameters::initial(network);
        let plan = plan(network, &training, &parameters, options.recurrent_threads);
        let mut weights = Weights::new(&device, network, &plan)?;
        weights.stored.load(&device, &parameters)?;
        let activity: Result<_, _> = plan.iter().map(|layer| device.zeros(layer.targets)).collect();
        let multiprocessors = device.multiprocessors()?;
        let queue = Queue::new(&device)?;
        let norm = Norm::new(&device, &weights.stored.layout, &training)?;
        Ok(Self {
            graphs: Vec::new(),
            batch: None,
            room: Room::new(&plan, options.adjoint_bytes),
            constants: constants::upload(&device, &plan, &parameters)?,
            learned: constants::learned(&device, network, &weights)?,
            weights,
            data: [None, None],
            kept_arrivals: 0,
            queue,
            activity: activity?,
            norm,
            device,
            steps: 0,
            samples: 0,
            losses: Vec::new(),
            input_gradient: Vec::new(),
            network: network.clone(),
            parameters,
            loss: loss::describe(&*training.objective),
            plan,
            recurrent_threads: options.recurrent_threads,
            by_arrival: options.by_arrival,
            multiprocessors,
            training,
        })
    }

    /// Takes over the constants of `parameters`.
    pub(crate) fn set_constants(
        &mut self,
        parameters: &Parameters<f32>,
    ) -> Result<(), EngineError> {
        self.plan = plan(&self.network, &self.training, parameters, self.recurrent_threads);
        self.constants = constants::upload(&self.device, &self.plan, parameters)?;
        self.parameters.layers.clone_from(&parameters.layers);
        self.graphs.clear();
        Ok(())
    }

    /// Frees the samples of a source.
    pub(crate) fn forget(&mut self, source: Source) -> Result<(), EngineError> {
        self.graphs.clear();
        self.data[source as usize] = None;
        self.device.wait()
    }

    /// Copies a batch in.
    pub(crate) fn stage(
        &mut self,
        spikes: &SpikeBatch<f32>,
        labels: &[u32],
    ) -> Result<(), EngineError> {
        let slot = &mut self.data[Source::Call as usize];
        if !slot.as_ref().is_some_and(|data| data.holds(spikes)) {
            self.graphs.clear();
            // Some more than asked for: batches differ.
            let room = spikes.spike_count() + spikes.spike_count() / 4;
            *slot = Some(Data::new(&self.device, spikes.len(), room)?);
        }
        if let Some(data) = slot {
            data.write(&self.device, spikes, labels, self.network.input().size)?;
        }
        let arrivals = longest(spikes, self.network.duration() as f32);
        self.make_room(spikes.len(), arrivals)?;
        self.set_queue(&[(0, spikes.len())], &(0..spikes.len() as u32).collect::<Vec<_>>(), &[0.0])
    }

    /// Replaces the queue: steps of (first, samples) of `order`, with a learning rate each.
    pub(crate) fn set_queue(
        &mut self,
        steps: &[(usize, usize)],
        order: &[u32],
        rates: &[f64],
    ) -> Result<(), EngineError> {
        if !self.queue.holds(steps.len(), order.len()) {
            self.graphs.clear();
        }
        let rates = Rates { training: &self.training, made: self.steps, rates };
        self.queue.set(&self.device, steps, order, rates)
    }

    /// Makes room for batches of `samples` samples with up to `arrivals` input spikes each.
    pub(crate) fn make_room(&mut self, samples: usize, arrivals: usize) -> Result<(), EngineError> {
        let mut room = self.room.clone();
        room.samples = room.samples.max(samples);
        if arrivals > room.arrivals {
            room.arrivals = arrivals + arrivals / 8;
        }
        self.set_room(room)
    }

    fn set_room(&mut self, room: Room) -> Result<(), EngineError> {
        if self.batch.as_ref().is_some_and(|batch| batch.room == room) {
            return Ok(());
        }
        self.graphs.clear();
        self.batch = None;
        self.device.wait()?;
        let errors = self.training.input_gradients;
        self.batch = Some(BatchBuffers::new(&self.device, &self.plan, &room, errors)?);
        self.room = room;
        Ok(())
    }

    /// Makes room for the spikes that there was none for.
    pub(crate) fn grow(&mut self) -> Result<(), EngineError> {
        let mut room = self.room.clone();
        if let Some(batch) = &self.batch {
            for (index, (slots, events)) in room.spikes.iter_mut().enumerate() {
                let needed = self.device.read(&batch.layer(index).needed, 2)?;
                *slots = (*slots).max((needed[0] as usize).next_power_of_two().min(MAX_SPIKES));
                let more = needed[1] as usize;
                *events = (*events).max(more + more / 4);
            }
        }
        self.set_room(room)
    }

    /// Puts a task for a batch of `samples` into the stream.
    pub(crate) fn start(
        &mut self,
        task: Task,
        source: Source,
        samples: usize,
    ) -> Result<(), EngineError> {
        let key = Key { task, source, samples };
        if !self.graphs.iter().any(|known| known.key == key) {
            let recorded = self.record(key)?;
            self.graphs.push(recorded);
        }
        match self.graphs.iter().find(|known| known.key == key) {
            Some(known) => self.device.start(&known.graph),
            None => Ok(()),
        }
    }

    fn record(&self, key: Key) -> Result<Recorded, EngineError> {
        let Key { task, source, samples } = key;
        let (Some(batch), Some(data)) = (&self.batch, &self.data[source as usize]) else {
            return Err(EngineError::Batch(String::from("nothing was given to compute")));
        };
        let input_errors = self.training.input_gradients && source == Source::Call;
        let settings = Settings {
            duration: self.network.duration() as f32,
            slope_floor: self.training.slope_floor as f32,
            input_errors,
        };
        let descriptions = batch.describe(
            &self.plan,
            &self.constants,
            &self.activity,
            &self.weights,
            settings,
            samples,
        );
        let to_below = &descriptions.to_below;
        let lists = batch.lists.describe(&self.plan, &batch.room, to_below, settings.duration);
        let mut program = Program {
            device: &self.device,
            order: order(&self.plan),
            descriptions,
            lists,
            members: Vec::new(),
            plan: &self.plan,
            batch,
            weights: &self.weights,
            data,
            queue: &self.queue,
            norm: self.norm.as_ref(),
            loss: self.loss,
            constants: &self.constants,
            learned: &self.learned,
            learns_constants: self.training.learning_rates.learns_constants(),
            by_arrival: self.by_arrival,
            multiprocessors: self.multiprocessors,
        };
        program.members = program.describe_members()?;
        let graph = self.device.record(|_| match task {
            Task::Infer => program.infer(),
            Task::Differentiate => {
                program.evaluate().and_then(|()| program.differentiate(input_errors))
            }
            Task::Update => program.update(),
            Task::Train => program.evaluate().and_then(|()| program.train(input_errors)),
            Task::DifferentiateBack => program.differentiate(input_errors),
            Task::TrainBack => program.train(input_errors),
        })?;
        Ok(Recorded { key, graph, _members: program.members })
    }

    /// Forgets faults and counts and goes back to the queue's first step.
    pub(crate) fn reset(&mut self) -> Result<(), EngineError> {
        self.queue.reset(&self.device)?;
        match &mut self.batch {
            Some(batch) => batch.clear_needs(&self.device),
            None => Ok(()),
        }
    }

    /// What happened since [`CudaEngine::reset`].
    pub(crate) fn outcome(&self) -> Result<Outcome, EngineError> {
        self.queue.outcome(&self.device)
    }

    /// Runs one task on the batch that was staged, with as much room as it turns out to need.
    pub(crate) fn run(
        &mut self,
        task: Task,
        source: Source,
        samples: usize,
    ) -> Result<Outcome, EngineError> {
        self.samples = samples;
        loop {
            self.reset()?;
            if task == Task::Infer || !self.has_own_loss() {
                self.start(task, source, samples)?;
            } else {
                self.start_with_own_loss(task, source, &(0..samples as u32).collect::<Vec<_>>())?;
            }
            let outcome = self.outcome()?;
            self.check(&outcome.control)?;
            if outcome.control.capacity == 0 {
                return Ok(outcome);
            }
            self.grow()?;
        }
    }

    /// The error that `control` reports, if any; too little room is none.
    pub(crate) fn check(&self, control: &abi::Control) -> Result<(), EngineError> {
        if control.runaway != abi::NONE {
            let layer = (control.runaway >> 32) as usize;
            return Err(EngineError::Runaway {
                layer: self.network.layers()[layer].name.clone(),
                sample: control.runaway as u32 as usize,
                bound: MAX_SPIKES,
            });
        }
        // Without room for all spikes everything after them is wrong.
        if control.capacity != 0 {
            return Ok(());
        }
        check_finite(control, &self.network, &self.weights.stored.layout)
    }

    /// The input gradients of the batch last differentiated, in the order of its spikes.
    pub(crate) fn read_input_gradient(
        &mut self,
        spikes: &SpikeBatch<f32>,
    ) -> Result<(), EngineError> {
        self.input_gradient.clear();
        let Some(batch) = self.batch.as_ref().filter(|_| self.training.input_gradients) else {
            return Ok(());
        };
        let width = batch.room.arrivals + 2;
        let rows = self.device.read(&batch.input_gradient, spikes.len() * width)?;
        let duration = self.network.duration() as f32;
        for (train, row) in spikes.iter().zip(rows.chunks_exact(width)) {
            let arriving = train.times().partition_point(|&time| time <= duration);
            self.input_gradient.extend(&row[..arriving]);
            self.input_gradient.extend(std::iter::repeat_n(0.0, train.len() - arriving));
        }
        Ok(())
    }
}
