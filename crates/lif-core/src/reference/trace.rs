use super::Reference;
use super::backward::{Task, backward};
use super::neuron::{NeuronState, Population};
use super::recorder::{Recorder, steps};
use super::simulation::{Event, Simulation};
use crate::engine::{Batch, EngineError};
use crate::flow::{Adjoint, State};
use crate::parameters::Parameters;

/// What a neuron and its adjoint did in one sample, as polylines: at a jump, one point before it and
/// one after it at the same time.
#[derive(Clone, Debug, PartialEq)]
pub struct Trace {
    /// The position of the neuron's layer.
    pub layer: usize,
    /// The neuron's position in the layer.
    pub index: usize,
    /// (time in ms, V and I), by time.
    pub state: Vec<(f64, State<f64>)>,
    /// (time in ms, lambda_V and lambda_I), from the duration down to 0.
    pub adjoint: Vec<(f64, Adjoint<f64>)>,
    /// Times of its spikes in ms.
    pub spikes: Vec<f64>,
}

impl Reference {
    /// Follows neurons, given as (layer, index), through the one sample of `batch`, forward and
    /// backward, with a point at least every `step` ms. The gradient inside is left alone.
    ///
    /// # Errors
    /// As [`differentiate`](crate::engine::Engine::differentiate); [`EngineError::Batch`] if there is
    /// not one sample, a neuron does not exist or is an input, or `step` is not positive.
    pub fn trace(
        &self,
        batch: Batch<'_, f64>,
        neurons: &[(usize, usize)],
        step: f64,
    ) -> Result<Vec<Trace>, EngineError> {
        batch.check(&self.network)?;
        let refuse = |reason: String| Err(EngineError::Batch(reason));
        if batch.len() != 1 {
            return refuse(format!("a trace is of one sample, got {}", batch.len()));
        }
        let duration = self.network.duration();
        if step.is_nan() || step < duration * 1e-6 {
            return refuse(format!("a trace needs a step of at least {} ms", duration * 1e-6));
        }
        let population = Population::new(&self.network, &self.parameters);
        let mut positions = Vec::new();
        for &(layer, index) in neurons {
            match self.network.layers().get(layer) {
                Some(own) if layer > 0 && index < own.size => {
                    positions.push(population.first[layer] + index);
                }
                Some(own) if layer > 0 => {
                    let (name, size) = (&own.name, own.size);
                    return refuse(format!("layer \"{name}\" has {size} neurons, none {index}"));
                }
                _ => return refuse(format!("layer {layer} has no neurons to trace")),
            }
        }
        let (simulation, measurement) = self.forward(&population, batch.spikes.get(0), 0)?;
        let mut by_output = vec![0.0; measurement.values.len()];
        self.evaluate(&measurement, batch.labels[0], 0, &mut by_output)?;
        let counts = Self::counts(&population, &simulation);
        let task = Task {
            network: &self.network,
            population: &population,
            parameters: &self.parameters,
            readout: self.training.objective.readout(),
            measurement: &measurement,
            by_output: &by_output,
            slope_floor: self.training.slope_floor,
            rate_pull: &self.rate_pull(&population, &counts, 1),
        };
        let mut recorder =
            Recorder { step, lines: positions.iter().map(|&p| (p, Vec::new())).collect() };
        backward(&task, &simulation, &mut Parameters::zeros(&self.network), &mut recorder);
        let adjoints = recorder.lines.into_iter().map(|(_, line)| line);
        let traces = neurons.iter().zip(positions).zip(adjoints);
        Ok(traces
            .map(|((&(layer, index), position), adjoint)| {
                let (state, spikes) = follow(&population, &simulation, position, step, duration);
                Trace { layer, index, state, adjoint, spikes }
            })
            .collect())
    }
}

/// V and I of a neuron, and the times of its spikes.
fn follow(
    population: &Population,
    simulation: &Simulation,
    position: usize,
    step: f64,
    duration: f64,
) -> (Vec<(f64, State<f64>)>, Vec<f64>) {
    let neuron = &population.neurons[position];
    let (mut line, mut spikes) = (Vec::new(), Vec::new());
    let (mut time, mut state) = (0.0, NeuronState::default());
    let mut advance = |from: f64, to: f64, state: NeuronState| {
        let times = steps(from, to, step);
        line.extend(times.map(|time| (time, neuron.evolve(state, time - from).membrane)));
    };
    for entry in simulation.log.iter().filter(|entry| entry.neuron == position) {
        advance(time, entry.time, state);
        (time, state) = (entry.time, entry.after);
        if matches!(entry.event, Event::Spike(_)) {
            spikes.push(entry.time);
        }
    }
    advance(time, duration, state);
    (line, spikes)
}
