//! The reference engine: any network, in double precision, exact.
//!
//! Written to be read. One queue of events in time order runs a sample forward
//! (`reference/simulation.rs`) and writes a log; the backward pass reads the log from its end
//! (`reference/backward.rs`). It defines what is right: finite differences check it
//! ([`finite_difference`]), and it checks the fast engines. It uses one thread, and memory in
//! proportion to the synaptic events of one sample.

mod backward;
mod convolution;
pub mod finite_difference;
mod interval;
mod margins;
mod neuron;
mod queue;
mod readout;
mod recorder;
mod simulation;
mod synapses;
mod trace;

pub use margins::Margins;
pub use trace::Trace;

use crate::engine::{
    Batch, BatchStatistics, Engine, EngineError, OptimiserState, Outputs, Training,
    UpdateStatistics, check_inputs,
};
use crate::network::{ConnectionKind, Network};
use crate::parameters::Parameters;
use crate::spikes::{SpikeBatch, SpikeTrain};
use crate::update;
use neuron::Population;
use readout::Measurement;
use recorder::Recorder;
use simulation::Simulation;

/// The name that selects it.
pub const NAME: &str = "reference";

/// How many synaptic events a sample may log, about: 2^25 entries take some 3 GB.
const MAX_LOG: usize = 1 << 25;

/// The reference engine; see the [module](self).
pub struct Reference {
    network: Network,
    training: Training<f64>,
    parameters: Parameters<f64>,
    gradient: Parameters<f64>,
    state: OptimiserState<f64>,
    buffer: Vec<f64>,
    losses: Vec<f64>,
    input_gradient: Vec<f64>,
    spikes: Vec<SpikeBatch<f64>>,
    activity: Vec<Vec<u64>>,
}

impl Reference {
    /// An engine for `network` with the description's constants and all weights and delays 0.
    ///
    /// # Errors
    /// [`EngineError::Unsupported`] if the loss looks at spikes and the output layer has none.
    pub fn new(network: &Network, training: Training<f64>) -> Result<Self, EngineError> {
        check_readout(NAME, network, &training)?;
        let zeros = Parameters::zeros(network);
        let mut engine = Self {
            network: network.clone(),
            training,
            parameters: Parameters::initial(network),
            gradient: zeros.clone(),
            state: OptimiserState { steps: 0, first: zeros.clone(), second: zeros },
            buffer: Vec::new(),
            losses: Vec::new(),
            input_gradient: Vec::new(),
            spikes: Vec::new(),
            activity: Vec::new(),
        };
        engine.forget_activity();
        Ok(engine)
    }

    /// How robust the spikes of a batch are against small changes: see [`Margins`].
    ///
    /// # Errors
    /// As [`Engine::infer`].
    pub fn margins(&self, spikes: &SpikeBatch<f64>) -> Result<Margins, EngineError> {
        let population = Population::new(&self.network, &self.parameters);
        let mut margins = Margins::default();
        for sample in 0..spikes.len() {
            let (simulation, measurement) =
                self.forward(&population, spikes.get(sample), sample)?;
            margins.narrow(&self.network, &population, &simulation, &measurement);
        }
        Ok(margins)
    }

    /// The mean loss of a batch at the present parameters, and a number that stays the same as long
    /// as no spike appears, vanishes or changes place with an arrival at its neuron, and no maximum
    /// moves to another piece of the voltage: between such changes the loss is smooth.
    ///
    /// # Errors
    /// As [`Engine::differentiate`].
    pub fn loss(&self, batch: Batch<'_, f64>) -> Result<(f64, u64), EngineError> {
        batch.check(&self.network)?;
        let population = Population::new(&self.network, &self.parameters);
        let (mut sum, mut signature) = (0.0, 0);
        for (sample, &label) in batch.labels.iter().enumerate() {
            let (simulation, measurement) =
                self.forward(&population, batch.spikes.get(sample), sample)?;
            let mut unused = vec![0.0; measurement.values.len()];
            sum += self.evaluate(&measurement, label, sample, &mut unused)?;
            signature = margins::signature(signature, &simulation, &measurement);
        }
        Ok((sum / batch.len() as f64, signature))
    }

    fn forward(
        &self,
        population: &Population,
        inputs: SpikeTrain<'_, f64>,
        sample: usize,
    ) -> Result<(Simulation, Measurement), EngineError> {
        let bound = spike_bound(&self.network);
        let simulation =
            simulation::simulate(&self.network, population, &self.parameters, inputs, bound)
                .map_err(|runaway| {
                    let layer = self.network.layers()[runaway.layer].name.clone();
                    EngineError::Runaway { layer, sample, bound }
                })?;
        let readout = self.training.objective.readout();
        let measurement = readout::measure(readout, &self.network, population, &simulation);
        Ok((simulation, measurement))
    }

    /// The loss of a sample; its derivatives by the measured values go to `by_output`.
    fn evaluate(
        &self,
        measurement: &Measurement,
        label: u32,
        sample: usize,
        by_output: &mut [f64],
    ) -> Result<f64, EngineError> {
        let objective = &self.training.objective;
        let loss =
            objective.evaluate_in_batch(sample, &measurement.values, label as usize, by_output);
        if loss.is_finite() { Ok(loss) } else { Err(self.not_finite("the loss", sample)) }
    }

    fn not_finite(&self, what: &'static str, sample: usize) -> EngineError {
        EngineError::NotFinite { what, layer: self.network.output().name.clone(), sample }
    }

    fn predict(&self, measurement: &Measurement) -> Option<u32> {
        let readout = self.training.objective.readout();
        readout.predict(&measurement.values, self.network.duration()).map(|class| class as u32)
    }

    fn forget_spikes(&mut self) {
        self.spikes = self.network.layers().iter().map(|_| SpikeBatch::new()).collect();
    }

    /// Appends the spikes of a sample to every layer's batch.
    fn record(&mut self, simulation: &Simulation) -> Result<(), EngineError> {
        let sent = &simulation.spikes[simulation.inputs..];
        for (layer, batch) in self.spikes.iter_mut().enumerate() {
            let own = sent.iter().filter(|spike| spike.layer == layer);
            batch
                .push_sorted(own.map(|spike| (spike.time, spike.index as u32)))
                .map_err(|error| EngineError::Batch(error.to_string()))?;
        }
        Ok(())
    }

    /// The spikes of each neuron of the population in one sample.
    fn counts(population: &Population, simulation: &Simulation) -> Vec<u64> {
        let mut counts = vec![0; population.neurons.len()];
        for spike in &simulation.spikes[simulation.inputs..] {
            counts[population.first[spike.layer] + spike.index] += 1;
        }
        counts
    }

    /// What the rate targets take from lambda_V at each spike of each neuron.
    fn rate_pull(&self, population: &Population, counts: &[u64], samples: usize) -> Vec<f64> {
        let mut pull = vec![0.0; counts.len()];
        for target in &self.training.rate_targets {
            for (neuron, description) in population.neurons.iter().enumerate() {
                if description.layer == target.layer {
                    let excess = counts[neuron] as f64 - target.target;
                    pull[neuron] += target.strength * excess / samples as f64;
                }
            }
        }
        pull
    }

    fn forget_activity(&mut self) {
        let layers = self.network.layers().iter();
        self.activity =
            layers.map(|layer| vec![0; if layer.is_lif() { layer.size } else { 0 }]).collect();
    }
}

impl Engine<f64> for Reference {
    fn name(&self) -> &'static str {
        NAME
    }

    fn network(&self) -> &Network {
        &self.network
    }

    fn parameters(&self) -> Parameters<f64> {
        self.parameters.clone()
    }

    fn load(&mut self, parameters: &Parameters<f64>) -> Result<(), EngineError> {
        update::check_shape(&self.parameters, parameters)?;
        self.parameters = parameters.clone();
        Ok(())
    }

    fn optimiser_state(&self) -> OptimiserState<f64> {
        self.state.clone()
    }

    fn load_optimiser_state(&mut self, state: &OptimiserState<f64>) -> Result<(), EngineError> {
        update::check_shape(&self.parameters, &state.first)?;
        update::check_shape(&self.parameters, &state.second)?;
        self.state = state.clone();
        Ok(())
    }

    fn infer(&mut self, spikes: &SpikeBatch<f64>) -> Result<Outputs<f64>, EngineError> {
        check_inputs(spikes, &self.network)?;
        let population = Population::new(&self.network, &self.parameters);
        self.forget_spikes();
        let mut outputs = Outputs { values: Vec::new(), predictions: Vec::new() };
        for sample in 0..spikes.len() {
            let (simulation, measurement) =
                self.forward(&population, spikes.get(sample), sample)?;
            outputs.predictions.push(self.predict(&measurement));
            outputs.values.extend(measurement.values);
            self.record(&simulation)?;
        }
        Ok(outputs)
    }

    fn differentiate(&mut self, batch: Batch<'_, f64>) -> Result<BatchStatistics, EngineError> {
        batch.check(&self.network)?;
        let population = Population::new(&self.network, &self.parameters);
        let readout = self.training.objective.readout();
        let mut gradient = Parameters::zeros(&self.network);
        let mut statistics = BatchStatistics { samples: batch.len(), ..Default::default() };
        self.forget_spikes();
        self.losses.clear();
        self.input_gradient.clear();
        for (sample, &label) in batch.labels.iter().enumerate() {
            let (simulation, measurement) =
                self.forward(&population, batch.spikes.get(sample), sample)?;
            let mut by_output = vec![0.0; measurement.values.len()];
            let loss = self.evaluate(&measurement, label, sample, &mut by_output)?;
            by_output.iter_mut().for_each(|g| *g /= batch.len() as f64);
            let counts = Self::counts(&population, &simulation);
            let task = backward::Task {
                network: &self.network,
                population: &population,
                parameters: &self.parameters,
                readout,
                measurement: &measurement,
                by_output: &by_output,
                slope_floor: self.training.slope_floor,
                rate_pull: &self.rate_pull(&population, &counts, batch.len()),
            };
            let backward =
                backward::backward(&task, &simulation, &mut gradient, &mut Recorder::default());
            if !is_finite(&gradient) || backward.input_gradient.iter().any(|g| !g.is_finite()) {
                return Err(self.not_finite("the gradient", sample));
            }
            statistics.loss += loss;
            statistics.correct += usize::from(self.predict(&measurement) == Some(label));
            statistics.grazing += backward.grazing;
            self.losses.push(loss);
            if self.training.input_gradients {
                self.input_gradient.extend(backward.input_gradient);
            }
            for (neuron, count) in population.neurons.iter().zip(counts) {
                if let Some(sum) = self.activity[neuron.layer].get_mut(neuron.index) {
                    *sum += count;
                }
            }
            self.record(&simulation)?;
        }
        self.buffer.clear();
        gradient.for_each(|_, values| self.buffer.extend_from_slice(values));
        self.gradient = gradient;
        Ok(statistics)
    }

    fn gradient(&self) -> Parameters<f64> {
        let (mut gradient, mut rest) = (self.gradient.clone(), &self.buffer[..]);
        gradient.for_each_mut(|_, values| {
            // Before the first batch the buffer is empty and the gradient zero.
            if let Some((own, after)) = rest.split_at_checked(values.len()) {
                values.copy_from_slice(own);
                rest = after;
            }
        });
        gradient
    }

    fn input_gradient(&self) -> &[f64] {
        &self.input_gradient
    }

    fn losses(&self) -> &[f64] {
        &self.losses
    }

    fn spikes(&self, layer: usize) -> SpikeBatch<f64> {
        self.spikes.get(layer).cloned().unwrap_or_default()
    }

    fn gradient_buffer(&mut self) -> &mut [f64] {
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
        Ok(statistics)
    }

    fn take_activity(&mut self) -> Vec<Vec<u64>> {
        let activity = std::mem::take(&mut self.activity);
        self.forget_activity();
        activity
    }
}

/// Refuses a loss that looks at spikes of a layer that never spikes.
///
/// # Errors
/// [`EngineError::Unsupported`] in the name of `engine`.
pub fn check_readout<T: crate::Real>(
    engine: &'static str,
    network: &Network,
    training: &Training<T>,
) -> Result<(), EngineError> {
    let output = network.output();
    if training.objective.readout().needs_spikes() && !output.spikes() {
        let name = &output.name;
        let capability = format!("losses on spikes of layer \"{name}\", which never spikes, are");
        return Err(EngineError::Unsupported { engine, capability });
    }
    Ok(())
}

/// The most spikes a neuron may send in one sample: 10,000, and fewer in networks so large that this
/// activity of all neurons would log more than some 2^25 events, but never fewer than 200.
pub fn spike_bound(network: &Network) -> usize {
    let synapses: usize = network
        .connections()
        .iter()
        .map(|connection| {
            let (from, to) = (&network.layers()[connection.from], &network.layers()[connection.to]);
            let targets = match &connection.kind {
                ConnectionKind::Dense => to.size,
                ConnectionKind::Conv2d(window) | ConnectionKind::SumPool2d { window, .. } => {
                    let channels = to.shape.map_or(1, |shape| shape[0]);
                    channels.saturating_mul(window.kernel[0].saturating_mul(window.kernel[1]))
                }
            };
            from.size.saturating_mul(targets)
        })
        .fold(1, usize::saturating_add);
    (MAX_LOG / synapses).clamp(200, 10_000)
}

fn is_finite(parameters: &Parameters<f64>) -> bool {
    let mut finite = true;
    parameters.for_each(|_, values| finite &= values.iter().all(|value| value.is_finite()));
    finite
}
