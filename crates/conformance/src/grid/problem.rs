use super::Build;
use crate::BoxedEngine;
use lif_core::engine::{Batch, EngineError, Training};
use lif_core::grid::{GridSpec, GridVariant};
use lif_core::loss::{Loss, Objective};
use lif_core::network::{ConnectionSpec, LayerSpec};
use lif_core::{Network, Parameters, SpikeBatch};
use std::sync::Arc;

/// The loss of every problem whose check does not bring its own.
pub const LOSS: Loss = Loss::TtfsCrossEntropy { tau: 2.0, alpha: 0.01, tau_early: 10.0 };

/// A network on a grid over 20 ms, with weights and a batch. Whoever is silent is bumped three times at
/// most.
#[derive(Clone, Debug)]
pub struct Problem {
    /// The order of operations within a step.
    pub variant: GridVariant,
    /// The number of inputs.
    pub inputs: usize,
    /// The number of neurons of each layer after the input.
    pub layers: Vec<usize>,
    /// The time step in ms.
    pub dt: f64,
    /// What a silent neuron's weights are raised by.
    pub bump: f64,
    /// `[input][neuron]`, flat, of each layer.
    pub weights: Vec<Vec<f32>>,
    /// The spikes of each sample, in any order.
    pub samples: Vec<Vec<(f32, u32)>>,
    /// One a sample.
    pub labels: Vec<u32>,
}

impl Problem {
    /// Two inputs, `layers` layers of two neurons, two samples.
    pub fn small(layers: usize) -> Self {
        Self {
            variant: GridVariant::Head,
            inputs: 2,
            layers: vec![2; layers],
            dt: 1.0,
            bump: 0.1,
            // Few spikes reach the upper layers, and late.
            weights: (0..layers)
                .map(|below| if below == 0 { 1.0 } else { 10.0 })
                .map(|factor| [3.0, 2.0, 1.0, 4.0].map(|weight| weight * factor).to_vec())
                .collect(),
            samples: vec![vec![(2.0, 0), (3.0, 1)], vec![(1.0, 1), (5.0, 0)]],
            labels: vec![0, 1],
        }
    }

    /// The network.
    pub fn network(&self) -> Network {
        let name = |position: usize| format!("layer {position}");
        let mut layers = vec![LayerSpec::input(name(0), self.inputs)];
        let mut connections = Vec::new();
        for (below, &neurons) in self.layers.iter().enumerate() {
            // Each layer its own constants.
            let slower = below as f64;
            let (tau_mem, tau_syn) = (20.0 + 5.0 * slower, 5.0 + slower);
            layers.push(LayerSpec::lif(name(below + 1), neurons, tau_mem, tau_syn));
            connections.push(ConnectionSpec::dense(name(below), name(below + 1)));
        }
        Network::new(20.0, layers, connections).expect("valid")
    }

    /// The number of output neurons.
    pub fn outputs(&self) -> usize {
        self.layers[self.layers.len() - 1]
    }

    /// The number of steps.
    pub fn steps(&self) -> usize {
        (20.0 / self.dt) as usize
    }

    /// The grid.
    pub fn spec(&self) -> GridSpec {
        GridSpec { bump: self.bump, max_repeats: 3, ..GridSpec::new(self.dt, self.variant) }
    }

    /// The network's parameters, with these weights.
    pub fn parameters(&self) -> Parameters<f32> {
        let mut parameters = Parameters::initial(&self.network());
        for (connection, weights) in parameters.connections.iter_mut().zip(&self.weights) {
            connection.weights.clone_from(weights);
        }
        parameters
    }

    /// [`LOSS`], with all the gradients there are.
    pub fn training(&self) -> Training<f32> {
        self.training_by(LOSS)
    }

    /// The same by another loss.
    pub fn training_by(&self, objective: impl Objective<f32> + 'static) -> Training<f32> {
        let input_gradients = self.variant == GridVariant::Head;
        Training { objective: Arc::new(objective), input_gradients, ..Training::exact(LOSS) }
    }

    /// An engine with these weights.
    ///
    /// # Errors
    /// Those of `build` and [`Engine::load`](lif_core::engine::Engine::load).
    pub fn engine(
        &self,
        build: &Build<'_>,
        training: Training<f32>,
    ) -> Result<BoxedEngine<f32>, EngineError> {
        let mut engine = build(&self.network(), self.spec(), training)?;
        engine.load(&self.parameters())?;
        Ok(engine)
    }

    /// The samples.
    pub fn spikes(&self) -> SpikeBatch<f32> {
        let mut batch = SpikeBatch::new();
        for sample in &self.samples {
            let mut sample = sample.clone();
            sample.sort_by(|a, b| a.0.total_cmp(&b.0));
            batch.push_sorted(sample).expect("sorted");
        }
        batch
    }

    /// `spikes`, which are [`spikes`](Self::spikes), with their labels.
    pub fn batch<'a>(&'a self, spikes: &'a SpikeBatch<f32>) -> Batch<'a, f32> {
        Batch { spikes, labels: &self.labels }
    }
}
