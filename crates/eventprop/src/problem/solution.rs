use super::Problem;
use super::file::indices;
use super::nested::NestedArray;
use crate::names::{parameter_name, parameter_shape};
use lif_core::engine::{Batch, Engine, EngineError, Training};
use lif_core::network::{Layer, Network};
use lif_core::reference::Reference;
use lif_core::reference::finite_difference::{self, Component};
use lif_core::{LayerParameters, ParameterId, Parameters, Real, SpikeBatch};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

/// The answer to a problem: what a result file holds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Solution {
    /// The mean loss.
    pub loss: f64,
    /// The loss of each sample.
    pub losses: Vec<f64>,
    /// Per sample, the spikes of each lif layer by name, as (time in ms, neuron), by time.
    pub spikes: Vec<Named<Vec<(f64, u32)>>>,
    /// The gradient of the mean loss.
    pub gradients: Gradients,
}

/// The gradient of the mean loss by everything in a problem.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Gradients {
    /// In the problem's order.
    pub connections: Vec<ConnectionGradient>,
    /// Every lif and li layer by name.
    pub layers: Named<LayerGradient>,
    /// Per sample, by the time of each input spike, in the problem's order.
    pub samples: Vec<Vec<f64>>,
}

/// The gradient by a connection: nothing for a pooling.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ConnectionGradient {
    /// By its weights.
    #[serde(skip_serializing_if = "Option::is_none")]
    weights: Option<NestedArray>,
    /// By its delays, where it has them.
    #[serde(skip_serializing_if = "Option::is_none")]
    delays: Option<NestedArray>,
}

/// The gradient by a layer's constants.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LayerGradient {
    /// By tau_mem.
    pub tau_mem: OneOrManyGradient,
    /// By tau_syn.
    pub tau_syn: OneOrManyGradient,
    /// By the threshold; none for leaky integrators.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub threshold: Option<OneOrManyGradient>,
    /// By the bias of each neuron.
    pub bias: Vec<f64>,
    /// By the adaptation, where the layer has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub adaptation: Option<AdaptationGradient>,
}

/// A gradient by a constant: one number if the layer has one value, else one a neuron.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum OneOrManyGradient {
    /// By the layer's one value.
    One(f64),
    /// By each neuron's.
    Many(Vec<f64>),
}

/// The gradient by the constants of a threshold adaptation.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct AdaptationGradient {
    /// By beta.
    pub beta: f64,
    /// By its time constant.
    pub tau: f64,
}

/// Values by name, in the order of a network's layers.
#[derive(Clone, Debug, PartialEq)]
pub struct Named<V>(pub Vec<(String, V)>);

/// Why there is no solution.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum SolveError {
    /// The engine gave up.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// Finite differences mean nothing at a point where the loss is not smooth.
    #[error(
        "finite differences do not converge at {path}{}: under every perturbation a spike appears or \
         vanishes, or the loss has a kink there, as that of the highest voltage of an output that stays \
         at 0",
        and_others(*others)
    )]
    Unresolved {
        /// The first component without a derivative, as a JSON path.
        path: String,
        /// How many others there are.
        others: usize,
    },
}

/// Lets `engine`, built for the problem's network and loss with input gradients, solve it. Its
/// parameters are replaced by the problem's.
///
/// # Errors
/// Those of the engine.
pub fn solve<T: Real>(
    problem: &Problem,
    engine: &mut dyn Engine<T>,
) -> Result<Solution, EngineError> {
    engine.load(&problem.parameters.cast())?;
    let inputs = SortedInputs::<T>::new(problem)?;
    engine.differentiate(inputs.batch())?;
    let by_time: Vec<f64> = engine.input_gradient().iter().map(|g| g.as_f64()).collect();
    let losses = engine.losses().iter().map(|loss| loss.as_f64()).collect();
    Ok(Solution::new(problem, losses, engine, &engine.gradient().cast(), inputs.in_file(&by_time)))
}

/// Solves a problem by finite differences of the reference engine's loss.
///
/// # Errors
/// [`SolveError::Unresolved`] where the loss is not smooth; those of the engine.
pub fn solve_by_finite_differences(problem: &Problem) -> Result<Solution, SolveError> {
    let mut engine = Reference::new(&problem.network, Training::exact(problem.loss))?;
    engine.load(&problem.parameters)?;
    let inputs = SortedInputs::<f64>::new(problem)?;
    engine.differentiate(inputs.batch())?;
    let losses = engine.losses().to_vec();
    let found = finite_difference::differentiate(&mut engine, inputs.batch())?;
    if let Some(&component) = found.unresolved.first() {
        let path = match component {
            Component::Parameter(id, position) => {
                let name = parameter_name(&problem.network, id);
                match problem.parameters.list(id).len() {
                    1 => name,
                    len => name + &indices(position, &parameter_shape(&problem.network, id, len)),
                }
            }
            Component::InputTime(position) => {
                let place = inputs.places().nth(position);
                place.map_or("samples".into(), |(sample, spike)| {
                    format!("samples[{sample}].spikes[{spike}][0]")
                })
            }
        };
        return Err(SolveError::Unresolved { path, others: found.unresolved.len() - 1 });
    }
    let by_time = inputs.in_file(&found.input_gradient);
    Ok(Solution::new(problem, losses, &engine, &found.gradient, by_time))
}

fn and_others(others: usize) -> String {
    if others == 0 { String::new() } else { format!(" and {others} more") }
}

impl Solution {
    fn new<T: Real>(
        problem: &Problem,
        losses: Vec<f64>,
        engine: &dyn Engine<T>,
        gradient: &Parameters<f64>,
        samples: Vec<Vec<f64>>,
    ) -> Self {
        let network = &problem.network;
        let trains: Vec<_> = network
            .layers()
            .iter()
            .enumerate()
            .filter(|(_, layer)| layer.is_lif())
            .map(|(position, layer)| (layer, engine.spikes(position)))
            .collect();
        let of_sample = |sample: usize| {
            Named::collect(trains.iter().map(|(layer, spikes)| {
                let train = spikes.get(sample).iter().map(|(time, neuron)| (time.as_f64(), neuron));
                (*layer, train.collect())
            }))
        };
        Self {
            loss: losses.iter().sum::<f64>() / losses.len() as f64,
            spikes: (0..losses.len()).map(of_sample).collect(),
            losses,
            gradients: Gradients {
                connections: (0..network.connections().len())
                    .map(|position| ConnectionGradient::new(network, position, gradient))
                    .collect(),
                layers: Named::collect(
                    network
                        .layers()
                        .iter()
                        .zip(&gradient.layers)
                        .skip(1)
                        .map(|(layer, gradient)| (layer, LayerGradient::new(gradient))),
                ),
                samples,
            },
        }
    }
}

impl ConnectionGradient {
    /// By its weights: flat, row-major; empty for a pooling.
    pub fn weights(&self) -> &[f64] {
        self.weights.as_ref().map_or(&[], |array| &array.values)
    }

    /// By its delays, of the shape of the weights; empty without delays.
    pub fn delays(&self) -> &[f64] {
        self.delays.as_ref().map_or(&[], |array| &array.values)
    }

    fn new(network: &Network, position: usize, gradient: &Parameters<f64>) -> Self {
        let own = &gradient.connections[position];
        let nested = |id, values: &[f64]| {
            let shape = parameter_shape(network, id, values.len());
            (!values.is_empty()).then(|| NestedArray { shape, values: values.to_vec() })
        };
        Self {
            weights: nested(ParameterId::Weights(position), &own.weights),
            delays: nested(ParameterId::Delays(position), &own.delays),
        }
    }
}

impl LayerGradient {
    fn new(gradient: &LayerParameters<f64>) -> Self {
        let one_or_many = |values: &[f64]| match values {
            [value] => OneOrManyGradient::One(*value),
            values => OneOrManyGradient::Many(values.to_vec()),
        };
        let adaptation = gradient.adaptation_beta.first().zip(gradient.adaptation_tau.first());
        Self {
            tau_mem: one_or_many(&gradient.tau_mem),
            tau_syn: one_or_many(&gradient.tau_syn),
            threshold: (!gradient.threshold.is_empty()).then(|| one_or_many(&gradient.threshold)),
            bias: gradient.bias.clone(),
            adaptation: adaptation.map(|(&beta, &tau)| AdaptationGradient { beta, tau }),
        }
    }
}

impl OneOrManyGradient {
    /// Its numbers.
    pub fn values(&self) -> &[f64] {
        match self {
            Self::One(value) => std::slice::from_ref(value),
            Self::Many(values) => values,
        }
    }
}

impl<V> Named<V> {
    fn collect<'a>(values: impl Iterator<Item = (&'a Layer, V)>) -> Self {
        Self(values.map(|(layer, value)| (layer.name.clone(), value)).collect())
    }

    /// The value called `name`.
    pub fn get(&self, name: &str) -> Option<&V> {
        self.0.iter().find(|(own, _)| own == name).map(|(_, value)| value)
    }
}

impl<V: Serialize> Serialize for Named<V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

/// A problem's samples sorted by time for an engine, and the way back.
struct SortedInputs<T> {
    spikes: SpikeBatch<T>,
    labels: Vec<u32>,
    /// Per sample, which spike of the file each sorted one is.
    order: Vec<Vec<usize>>,
}

impl<T: Real> SortedInputs<T> {
    fn new(problem: &Problem) -> Result<Self, EngineError> {
        let mut inputs = Self {
            spikes: SpikeBatch::new(),
            labels: problem.samples.iter().map(|sample| sample.label).collect(),
            order: Vec::new(),
        };
        for sample in &problem.samples {
            let mut order: Vec<usize> = (0..sample.spikes.len()).collect();
            order.sort_by(|&a, &b| sample.spikes[a].0.total_cmp(&sample.spikes[b].0));
            let sorted = order.iter().map(|&k| (T::of(sample.spikes[k].0), sample.spikes[k].1));
            let pushed = inputs.spikes.push_sorted(sorted);
            pushed.map_err(|error| EngineError::Batch(error.to_string()))?;
            inputs.order.push(order);
        }
        Ok(inputs)
    }

    fn batch(&self) -> Batch<'_, T> {
        Batch { spikes: &self.spikes, labels: &self.labels }
    }

    /// Sample and position there of each spike of the batch.
    fn places(&self) -> impl Iterator<Item = (usize, usize)> {
        let samples = self.order.iter().enumerate();
        samples.flat_map(|(sample, order)| order.iter().map(move |&spike| (sample, spike)))
    }

    /// One value a sorted spike, put back into the file's order.
    fn in_file(&self, sorted: &[f64]) -> Vec<Vec<f64>> {
        let restore = |(sample, order): (usize, &Vec<usize>)| {
            let mut values = vec![0.0; order.len()];
            for (&place, &value) in order.iter().zip(&sorted[self.spikes.range(sample)]) {
                values[place] = value;
            }
            values
        };
        self.order.iter().enumerate().map(restore).collect()
    }
}
