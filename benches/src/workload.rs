//! A network with weights and batches of samples: what an engine is timed on.

use anyhow::{Context, Result};
use eventprop::backend::BoxedEngine;
use eventprop::{Config, engine_for};
use lif_core::engine::{Batch, Engine};
use lif_core::{Network, Parameters, SpikeBatch};

/// A training whose every step does the same work: the weights stay what they are, because the
/// learning rate is 0 (updates included: the optimiser does all its arithmetic and adds nothing).
pub struct Workload {
    config: Config,
    network: Network,
    parameters: Parameters<f32>,
    batches: Vec<(SpikeBatch<f32>, Vec<u32>)>,
}

impl Workload {
    /// The network of `config` with its initial weights, on these batches.
    ///
    /// # Errors
    /// If there is no batch, or the configuration is invalid.
    pub fn new(config: Config, batches: Vec<(SpikeBatch<f32>, Vec<u32>)>) -> Result<Self> {
        anyhow::ensure!(!batches.is_empty(), "a workload needs a batch");
        let network = config.network.build()?;
        let parameters = config.network.initial_parameters(config.training.seed)?;
        Ok(Self { config, network, parameters, batches })
    }

    /// The configuration.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The network.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// The number of batches.
    pub fn batches(&self) -> usize {
        self.batches.len()
    }

    /// Samples a batch.
    pub fn batch_size(&self) -> usize {
        self.batches[0].0.len()
    }

    /// Batch number `position`; after the last the first comes again.
    pub fn batch(&self, position: usize) -> Batch<'_, f32> {
        let (spikes, labels) = &self.batches[position % self.batches.len()];
        Batch { spikes, labels }
    }

    /// The weights the engine starts with.
    pub fn parameters(&self) -> &Parameters<f32> {
        &self.parameters
    }

    /// An engine on `threads` threads with the weights loaded.
    ///
    /// # Errors
    /// If the engine refuses the network or its threads cannot be started.
    pub fn engine(&self, threads: usize) -> Result<BoxedEngine<f32>> {
        let mut config = self.config.clone();
        config.training.threads = threads;
        let mut engine = engine_for(&self.network, &config)?;
        engine.load(&self.parameters)?;
        Ok(engine)
    }

    /// Scales the weights into each hidden layer, from the first, until the layer sends `target`
    /// spikes a sample within 2 % (or the nearest there is).
    ///
    /// # Errors
    /// If the engine fails.
    pub fn calibrate(mut self, target: impl Fn(usize) -> f64) -> Result<Self> {
        let mut engine = self.engine(1)?;
        for layer in 1..self.network.output_index() {
            let connection = layer - 1;
            let start = self.parameters.connections[connection].weights.clone();
            let (wanted, mut low, mut high) = (target(layer), 0.0, 1.0);
            while high < 1e6 && self.spikes_at(&mut engine, layer, &start, high)? < wanted {
                (low, high) = (high, 2.0 * high);
            }
            for _ in 0..25 {
                let middle = 0.5 * (low + high);
                let spikes = self.spikes_at(&mut engine, layer, &start, middle)?;
                if (spikes - wanted).abs() <= 0.02 * wanted {
                    break;
                }
                *(if spikes < wanted { &mut low } else { &mut high }) = middle;
            }
        }
        Ok(self)
    }

    /// Spikes a sample of `layer` with the weights into it `scale` times `start`.
    fn spikes_at(
        &mut self,
        engine: &mut BoxedEngine<f32>,
        layer: usize,
        start: &[f32],
        scale: f32,
    ) -> Result<f64> {
        let weights = &mut self.parameters.connections[layer - 1].weights;
        weights.iter_mut().zip(start).for_each(|(weight, start)| *weight = scale * start);
        engine.load(&self.parameters)?;
        // Enough samples for a mean, few enough to be quick.
        let (mut spikes, mut samples) = (0, 0);
        for position in 0..self.batches.len() {
            let batch = self.batch(position);
            engine.infer(batch.spikes).context("calibrating the activity")?;
            spikes += engine.spikes(layer).spike_count();
            samples += batch.len();
            if samples >= 512 {
                break;
            }
        }
        Ok(spikes as f64 / samples as f64)
    }
}

/// The parts of a training step that are timed apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// From spikes to outputs.
    Forward,
    /// Forward and backward.
    Differentiate,
    /// The optimiser.
    Update,
    /// All of it.
    Step,
}

impl Part {
    /// All parts.
    pub const ALL: [Self; 4] = [Self::Forward, Self::Differentiate, Self::Update, Self::Step];

    /// Its name among the benchmarks.
    pub fn name(self) -> &'static str {
        match self {
            Self::Forward => "forward",
            Self::Differentiate => "differentiate",
            Self::Update => "update",
            Self::Step => "step",
        }
    }

    /// Does it once on `batch`.
    ///
    /// # Errors
    /// Those of the engine.
    pub fn run(self, engine: &mut dyn Engine<f32>, batch: Batch<'_, f32>) -> Result<()> {
        match self {
            Self::Forward => engine.infer(batch.spikes).map(drop)?,
            Self::Differentiate => engine.differentiate(batch).map(drop)?,
            Self::Update => engine.update(0.0).map(drop)?,
            Self::Step => engine.train_step(batch, 0.0).map(drop)?,
        }
        Ok(())
    }
}
