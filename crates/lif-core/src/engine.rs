//! What every engine can be asked to do. The training loop knows nothing else of them.

mod bump;
mod resident;

pub use bump::Bump;
pub use resident::{BatchError, Resident, Trained};

use crate::loss::{Loss, Objective};
use crate::network::Network;
use crate::optimiser::{Clip, LearningRates, Optimiser};
use crate::parameters::Parameters;
use crate::spikes::SpikeBatch;
use crate::{Real, spikes::SpikeTrain};
use std::ops::AddAssign;
use std::sync::Arc;

/// Computes one network: outputs, gradients, updates.
///
/// An engine owns the parameters, their gradient and the optimiser's state wherever it computes.
/// It is built from a [`Network`] and a [`Training`]; what it cannot do it refuses there, by name
/// ([`EngineError::Unsupported`]).
///
/// The order of calls in training is [`differentiate`](Engine::differentiate), a sum over machines
/// in [`gradient_buffer`](Engine::gradient_buffer) if there are several, [`update`](Engine::update);
/// or [`train_step`](Engine::train_step), which is both and may be faster.
pub trait Engine<T: Real>: Send {
    /// The name that selects it: `reference`, `cpu`, `cuda`.
    fn name(&self) -> &'static str;

    /// The network it computes.
    fn network(&self) -> &Network;

    /// A copy of the parameters.
    fn parameters(&self) -> Parameters<T>;

    /// Replaces the parameters and keeps the optimiser's state.
    ///
    /// # Errors
    /// [`EngineError::Shape`] if they are not of the network's shape.
    fn load(&mut self, parameters: &Parameters<T>) -> Result<(), EngineError>;

    /// A copy of the optimiser's state.
    fn optimiser_state(&self) -> OptimiserState<T>;

    /// Replaces the optimiser's state.
    ///
    /// # Errors
    /// [`EngineError::Shape`] if it is not of the network's shape.
    fn load_optimiser_state(&mut self, state: &OptimiserState<T>) -> Result<(), EngineError>;

    /// Runs the network forward and measures the readout of every output neuron.
    ///
    /// # Errors
    /// If an input index is out of range or the activity runs away.
    fn infer(&mut self, spikes: &SpikeBatch<T>) -> Result<Outputs<T>, EngineError>;

    /// Runs the network forward and its adjoint backward. The gradient of the batch's mean loss is
    /// kept inside.
    ///
    /// # Errors
    /// If an input index or a label is out of range, the activity runs away, or a loss is not finite.
    fn differentiate(&mut self, batch: Batch<'_, T>) -> Result<BatchStatistics, EngineError>;

    /// A copy of the gradient that [`differentiate`](Engine::differentiate) left; [`update`](Engine::update) may
    /// use it up.
    fn gradient(&self) -> Parameters<T>;

    /// The gradient by the time of each input spike of the last batch, in the batch's order. Empty
    /// unless [`Training::input_gradients`] is set.
    fn input_gradient(&self) -> &[T];

    /// The loss of each sample of the batch last differentiated.
    fn losses(&self) -> &[T];

    /// The spikes of layer `layer` in the batch last run; none for layers that do not spike.
    fn spikes(&self, layer: usize) -> SpikeBatch<T>;

    /// How many of them each neuron sent, over all samples; empty for layers that do not spike.
    fn spike_counts(&self, layer: usize) -> Vec<u64> {
        let layers = self.network().layers();
        let spiking = layers.get(layer).filter(|layer| layer.is_lif());
        let mut counts = vec![0; spiking.map_or(0, |layer| layer.size)];
        if !counts.is_empty() {
            let sent = self.spikes(layer);
            for train in sent.iter() {
                train.indices().iter().for_each(|&neuron| counts[neuron as usize] += 1);
            }
        }
        counts
    }

    /// The gradient as one contiguous buffer, in an order of the engine's own: the place where
    /// several machines add theirs up, between `differentiate` and `update`.
    fn gradient_buffer(&mut self) -> &mut [T];

    /// Changes the parameters by the gradient at `learning_rate`.
    ///
    /// # Errors
    /// If a parameter would no longer be finite.
    fn update(&mut self, learning_rate: f64) -> Result<UpdateStatistics, EngineError>;

    /// [`differentiate`](Engine::differentiate), then [`update`](Engine::update).
    ///
    /// # Errors
    /// Those of the two.
    fn train_step(
        &mut self,
        batch: Batch<'_, T>,
        learning_rate: f64,
    ) -> Result<(BatchStatistics, UpdateStatistics), EngineError> {
        let batch = self.differentiate(batch)?;
        Ok((batch, self.update(learning_rate)?))
    }

    /// The number of spikes of each neuron, `[layer][neuron]`, since the last call, in samples
    /// differentiated (inference does not count); empty for layers that do not spike and for the
    /// input.
    fn take_activity(&mut self) -> Vec<Vec<u64>>;

    /// Training on samples that stay where the engine computes, if it has it.
    fn resident(&mut self) -> Option<&mut dyn Resident<T>> {
        None
    }

    /// What it does about silent neurons of a batch before it differentiates it, for those who
    /// differentiate it in parts; none where it does nothing.
    fn bump(&mut self) -> Option<&mut dyn Bump<T>> {
        None
    }
}

/// How a network is to be trained: everything an engine needs to know beside the network.
#[derive(Clone)]
pub struct Training<T> {
    /// The loss.
    pub objective: Arc<dyn Objective<T>>,
    /// The optimiser.
    pub optimiser: Optimiser,
    /// Which parameters learn, and how fast.
    pub learning_rates: LearningRates,
    /// What is done to a gradient before it is used.
    pub clip: Option<Clip>,
    /// The slope tau_mem V' at a spike below which the adjoint divides by this floor instead and
    /// the spike counts as grazing; 0 for the exact gradient. In units of the threshold.
    pub slope_floor: f64,
    /// Rate regularisers of layers.
    pub rate_targets: Vec<RateTarget>,
    /// Whether gradients by input spike times are wanted.
    pub input_gradients: bool,
    /// Whether gradients by the neurons' constants (time constants, threshold, bias, adaptation) are
    /// wanted even where the constants do not learn. Without it an engine may leave them 0.
    pub constant_gradients: bool,
}

impl<T: Real> Training<T> {
    /// The exact gradient of `loss` by everything there is, with plain gradient descent: what a
    /// gradient check needs.
    pub fn exact(loss: Loss) -> Self {
        Self {
            objective: Arc::new(loss),
            optimiser: Optimiser::SGD,
            learning_rates: LearningRates::default(),
            clip: None,
            slope_floor: 0.0,
            rate_targets: Vec::new(),
            input_gradients: true,
            constant_gradients: true,
        }
    }

    /// Whether the gradient by the neurons' constants has to be right: because it is wanted, or
    /// because they learn.
    pub fn needs_constant_gradients(&self) -> bool {
        self.constant_gradients || self.learning_rates.learns_constants()
    }

    /// The pull on a layer's spike counts, if there is one: several add up to one.
    pub fn rate_target(&self, layer: usize) -> Option<RateTarget> {
        let own = self.rate_targets.iter().filter(|rate| rate.layer == layer);
        let (strength, weighted) = own.fold((0.0, 0.0), |(strength, weighted), rate| {
            (strength + rate.strength, weighted + rate.strength * rate.target)
        });
        (strength != 0.0).then(|| RateTarget { layer, target: weighted / strength, strength })
    }
}

/// Draws the spike count of each neuron of a layer towards a target (Nowotny, Turner & Knight
/// 2025): after a spike's jump in reverse time, lambda_V -= strength (count - target) / batch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RateTarget {
    /// The position of the layer.
    pub layer: usize,
    /// Spikes a neuron and sample.
    pub target: f64,
    /// Strength of the pull.
    pub strength: f64,
}

/// Input spikes with their labels.
#[derive(Clone, Copy, Debug)]
pub struct Batch<'a, T> {
    /// One train a sample.
    pub spikes: &'a SpikeBatch<T>,
    /// One label a sample: an index into the output layer.
    pub labels: &'a [u32],
}

impl<'a, T: Real> Batch<'a, T> {
    /// The number of samples.
    pub fn len(&self) -> usize {
        self.spikes.len()
    }

    /// Whether there is no sample.
    pub fn is_empty(&self) -> bool {
        self.spikes.is_empty()
    }

    /// Checks that the batch fits `network`: one label a sample, labels and input indices in range.
    ///
    /// # Errors
    /// [`EngineError::Batch`], naming the first thing out of range.
    pub fn check(&self, network: &Network) -> Result<(), EngineError> {
        if self.labels.len() != self.spikes.len() {
            let (labels, samples) = (self.labels.len(), self.spikes.len());
            return Err(EngineError::Batch(format!("{labels} labels for {samples} samples")));
        }
        let classes = network.output().size;
        if let Some(sample) = self.labels.iter().position(|&label| label as usize >= classes) {
            let label = self.labels[sample];
            let reason = format!("sample {sample} has label {label}, the output {classes} neurons");
            return Err(EngineError::Batch(reason));
        }
        check_inputs(self.spikes, network)
    }
}

/// Checks that every input index exists in `network`.
///
/// # Errors
/// [`EngineError::Batch`], naming the first that does not.
pub fn check_inputs<T: Real>(spikes: &SpikeBatch<T>, network: &Network) -> Result<(), EngineError> {
    let inputs = network.input().size;
    let out_of_range = |train: SpikeTrain<'_, T>| {
        // The greatest is found sixteen at a time.
        let greatest = train.indices().iter().fold(0, |greatest, &index| greatest.max(index));
        let is_wrong = |&index: &u32| index as usize >= inputs;
        is_wrong(&greatest).then(|| train.indices().iter().copied().find(is_wrong)).flatten()
    };
    match spikes.iter().enumerate().find_map(|(s, train)| Some((s, out_of_range(train)?))) {
        Some((sample, index)) => Err(EngineError::Batch(format!(
            "sample {sample} has a spike of input {index}, the network {inputs} inputs"
        ))),
        None => Ok(()),
    }
}

/// What the output layer measured for a batch.
#[derive(Clone, Debug, PartialEq)]
pub struct Outputs<T> {
    /// `[sample][output neuron]`, flat.
    pub values: Vec<T>,
    /// The class each sample is taken for, if any (see [`crate::loss::Readout::predict`]).
    pub predictions: Vec<Option<u32>>,
}

/// What happened in a batch that was differentiated.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct BatchStatistics {
    /// The number of samples.
    pub samples: usize,
    /// The sum of the samples' losses.
    pub loss: f64,
    /// The samples whose label was predicted.
    pub correct: usize,
    /// Spikes so close to grazing the threshold that the slope floor acted.
    pub grazing: u64,
    /// How often the input weights of a neuron were raised because it was silent in some sample
    /// (clock-driven engines only).
    pub bumps: u64,
    /// The neurons that stayed silent however often that was done; their weights were put back.
    pub bump_gave_up: u64,
}

impl AddAssign for BatchStatistics {
    fn add_assign(&mut self, batch: Self) {
        let Self { samples, loss, correct, grazing, bumps, bump_gave_up } = batch;
        self.samples += samples;
        self.loss += loss;
        self.correct += correct;
        self.grazing += grazing;
        self.bumps += bumps;
        self.bump_gave_up += bump_gave_up;
    }
}

/// What happened in an update.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct UpdateStatistics {
    /// Gradient components that were clipped (all of them, where the norm was).
    pub clipped: u64,
}

impl AddAssign for UpdateStatistics {
    fn add_assign(&mut self, update: Self) {
        self.clipped += update.clipped;
    }
}

/// The state of an optimiser.
#[derive(Clone, Debug, PartialEq)]
pub struct OptimiserState<T> {
    /// The number of updates made.
    pub steps: u64,
    /// First moments (Adam's m, the momentum of SGD).
    pub first: Parameters<T>,
    /// Second moments (Adam's v).
    pub second: Parameters<T>,
}

/// Why an engine could not do what it was asked.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// The description asks for what the engine's model does not have.
    #[error(transparent)]
    Description(#[from] crate::DescriptionError),
    /// The engine does not have a capability that the network or training needs.
    #[error("backend {engine}: {capability} not supported")]
    Unsupported {
        /// The engine's name.
        engine: &'static str,
        /// The capability, with its verb: "delays are".
        capability: String,
    },
    /// The engine cannot run on this machine.
    #[error("backend {engine}: {reason}")]
    Unavailable {
        /// The engine's name.
        engine: &'static str,
        /// Why.
        reason: String,
    },
    /// Parameters are not of the network's shape.
    #[error("parameters do not fit the network: {0}")]
    Shape(String),
    /// A batch does not fit the network.
    #[error("{0}")]
    Batch(String),
    /// A layer spiked more often than the stated bound.
    #[error(
        "layer \"{layer}\" ran away in sample {sample} of the batch: more than {bound} spikes of one neuron"
    )]
    Runaway {
        /// The layer's name.
        layer: String,
        /// The sample's position in the batch.
        sample: usize,
        /// The bound, in spikes a neuron and sample.
        bound: usize,
    },
    /// A loss or a gradient is NaN or infinite.
    #[error("{what} is not finite (layer \"{layer}\", sample {sample} of the batch)")]
    NotFinite {
        /// The quantity: "the loss", "the gradient".
        what: &'static str,
        /// The layer where it was seen first.
        layer: String,
        /// The sample's position in the batch.
        sample: usize,
    },
}
