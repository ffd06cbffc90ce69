use super::batch::{BatchRunner, Task};
use super::gradient::{Gradient, Jumps};
use super::interval::ConstantsGradient;
use super::lane;
use super::model::Model;
use crate::engine::CpuOptions;
use crate::lanes::LaneReal;
use crate::plan;
use crate::threads::Threads;
use crate::trials::Kind;
use lif_core::engine::{
    Batch, BatchStatistics, Engine, EngineError, OptimiserState, Outputs, Training,
    UpdateStatistics, check_inputs,
};
use lif_core::network::Network;
use lif_core::{Parameters, SpikeBatch, reference, update};

/// The exact engine on the CPU for every network of the problem format.
///
/// Its results do not depend on the number of threads, to the bit.
pub struct GeneralEngine<T: LaneReal> {
    threads: Threads,
    network: Network,
    training: Training<T>,
    parameters: Parameters<T>,
    state: OptimiserState<T>,
    model: Model<T>,
    runner: BatchRunner<T>,
    /// The gradient of the last batch, flat, in the order of [`Parameters::for_each`].
    buffer: Vec<T>,
    losses: Vec<T>,
    input_gradient: Vec<T>,
    activity: Vec<Vec<u64>>,
}

impl<T: LaneReal> GeneralEngine<T> {
    /// An engine for `network` with the constants it describes and all weights and delays 0.
    ///
    /// # Errors
    /// [`EngineError::Unsupported`] if the loss looks at spikes and the output layer has none,
    /// [`EngineError::Unavailable`] if its threads cannot be started.
    pub fn new(
        network: &Network,
        training: Training<T>,
        options: CpuOptions,
    ) -> Result<Self, EngineError> {
        reference::check_readout(plan::NAME, network, &training)?;
        let parameters = Parameters::initial(network);
        let zeros = Parameters::zeros(network);
        let constants = training.needs_constant_gradients();
        let mut engine = Self {
            threads: options.start_threads()?,
            model: Model::new(network, &training, &parameters, constants),
            network: network.clone(),
            training,
            parameters,
            state: OptimiserState { steps: 0, first: zeros.clone(), second: zeros },
            runner: BatchRunner::default(),
            buffer: Vec::new(),
            losses: Vec::new(),
            input_gradient: Vec::new(),
            activity: Vec::new(),
        };
        engine.forget_activity();
        Ok(engine)
    }

    fn forget_activity(&mut self) {
        let layers = self.network.layers().iter();
        self.activity =
            layers.map(|layer| vec![0; if layer.is_lif() { layer.size } else { 0 }]).collect();
    }

    fn jumps(&self, samples: usize) -> Jumps<T> {
        let rate = |layer: usize| {
            let rate = self.training.rate_target(layer)?;
            Some((T::of(rate.target), T::of(rate.strength / samples as f64)))
        };
        Jumps {
            slope_floor: T::of(self.training.slope_floor),
            rates: (0..self.network.layers().len()).map(rate).collect(),
        }
    }

    /// Takes the gradient over from the runner.
    fn collect_gradient(&mut self) {
        let mut flat = Parameters::zeros(&self.network);
        if let Some(Gradient { weights, delays, constants }) = self.runner.gradient() {
            self.model.synapses.unload(weights, delays, &mut flat);
            unload_constants(&self.model, constants, &mut flat);
        }
        self.buffer.clear();
        flat.for_each(|_, values| self.buffer.extend_from_slice(values));
    }
}

/// Writes the gradient by the constants of each block's neurons to `gradient`.
fn unload_constants<T: LaneReal>(
    model: &Model<T>,
    constants: &[ConstantsGradient<T>],
    gradient: &mut Parameters<T>,
) {
    for (block, own) in constants.iter().enumerate() {
        let layer = model.blocks[block].layer;
        let flat = &mut gradient.layers[layer];
        for position in 0..model.blocks[block].lanes {
            let neuron = model.layouts[layer].neuron(block, position);
            let lists = [
                (&mut flat.tau_mem, &own.tau_mem),
                (&mut flat.tau_syn, &own.tau_syn),
                (&mut flat.threshold, &own.threshold),
                (&mut flat.bias, &own.bias),
                (&mut flat.adaptation_beta, &own.beta),
                (&mut flat.adaptation_tau, &own.tau_b),
            ];
            for (list, lanes) in lists {
                let slot = if list.len() == 1 { list.first_mut() } else { list.get_mut(neuron) };
                if let Some(slot) = slot {
                    *slot += lane(lanes, position);
                }
            }
        }
    }
}

impl<T: LaneReal> Engine<T> for GeneralEngine<T> {
    fn name(&self) -> &'static str {
        plan::NAME
    }

    fn network(&self) -> &Network {
        &self.network
    }

    fn parameters(&self) -> Parameters<T> {
        self.parameters.clone()
    }

    fn load(&mut self, parameters: &Parameters<T>) -> Result<(), EngineError> {
        update::check_shape(&self.parameters, parameters)?;
        self.parameters.clone_from(parameters);
        self.model.load(&self.network, parameters);
        Ok(())
    }

    fn optimiser_state(&self) -> OptimiserState<T> {
        self.state.clone()
    }

    fn load_optimiser_state(&mut self, state: &OptimiserState<T>) -> Result<(), EngineError> {
        update::check_shape(&self.parameters, &state.first)?;
        update::check_shape(&self.parameters, &state.second)?;
        self.state.clone_from(state);
        Ok(())
    }

    fn infer(&mut self, spikes: &SpikeBatch<T>) -> Result<Outputs<T>, EngineError> {
        check_inputs(spikes, &self.network)?;
        let Self { threads, runner, network, model, .. } = self;
        let attempt = threads.attempt(Kind::Inference, spikes.len());
        threads.run(|| runner.run(network, model, spikes, None, threads))?;
        drop(attempt);
        let runs = self.runner.runs().iter();
        let values: Vec<T> = runs.flat_map(|run| run.outputs.iter().copied()).collect();
        let predict = |outputs: &[T]| {
            self.model.readout.predict(outputs, self.model.duration).map(|class| class as u32)
        };
        let predictions = values.chunks_exact(self.model.classes).map(predict).collect();
        Ok(Outputs { values, predictions })
    }

    fn differentiate(&mut self, batch: Batch<'_, T>) -> Result<BatchStatistics, EngineError> {
        batch.check(&self.network)?;
        let task = Task {
            objective: &*self.training.objective,
            labels: batch.labels,
            jumps: self.jumps(batch.len()),
            input_gradients: self.training.input_gradients,
        };
        let Self { threads, runner, network, model, .. } = self;
        let attempt = threads.attempt(Kind::Differentiation, batch.len());
        let statistics =
            threads.run(|| runner.run(network, model, batch.spikes, Some(&task), threads))?;
        drop(attempt);
        self.losses.clear();
        self.input_gradient.clear();
        for run in self.runner.runs() {
            self.losses.extend_from_slice(&run.losses);
            self.input_gradient.extend_from_slice(&run.input_gradient);
            for (counts, spikes) in self.activity.iter_mut().zip(&run.spikes) {
                for neuron in spikes.iter().flat_map(|train| train.indices()) {
                    counts[*neuron as usize] += 1;
                }
            }
        }
        self.collect_gradient();
        Ok(statistics)
    }

    fn gradient(&self) -> Parameters<T> {
        let (mut gradient, mut rest) = (Parameters::zeros(&self.network), &self.buffer[..]);
        gradient.for_each_mut(|_, values| {
            // Before the first batch the buffer is empty and the gradient zero.
            if let Some((own, after)) = rest.split_at_checked(values.len()) {
                values.copy_from_slice(own);
                rest = after;
            }
        });
        gradient
    }

    fn input_gradient(&self) -> &[T] {
        &self.input_gradient
    }

    fn losses(&self) -> &[T] {
        &self.losses
    }

    fn spikes(&self, layer: usize) -> SpikeBatch<T> {
        let mut batch = SpikeBatch::new();
        for run in self.runner.runs() {
            run.spikes
                .get(layer)
                .into_iter()
                .flat_map(SpikeBatch::iter)
                .for_each(|train| batch.push_train(train));
        }
        batch
    }

    fn gradient_buffer(&mut self) -> &mut [T] {
        &mut self.buffer
    }

    fn update(&mut self, learning_rate: f64) -> Result<UpdateStatistics, EngineError> {
        let mut gradient = self.gradient();
        let rates = &self.training.learning_rates;
        let statistics = update::clip(&mut gradient, self.training.clip, rates);
        self.state.steps += 1;
        let rule = self.training.optimiser.rule(self.state.steps, learning_rate);
        let (network, state) = (&self.network, &mut self.state);
        update::apply(network, &mut self.parameters, &gradient, state, rule, rates)?;
        self.model.load(&self.network, &self.parameters);
        Ok(statistics)
    }

    fn take_activity(&mut self) -> Vec<Vec<u64>> {
        let activity = std::mem::take(&mut self.activity);
        self.forget_activity();
        activity
    }
}
