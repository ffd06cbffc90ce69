use super::chunk::earliest;
use super::input::GridInput;
use super::layer::Layer;
use super::loss::StepLoss;
use super::rows::{LANES, Rows};
use super::source::{Kept, Source};
use crate::threads::{Denormals, Threads};
use crate::trials::Kind;
use lif_core::engine::{
    Batch, BatchStatistics, Bump, Engine, EngineError, OptimiserState, Outputs, Resident, Training,
    UpdateStatistics, check_inputs,
};
use lif_core::grid::{BatchInParts, GridModel, GridSpec, check_training};
use lif_core::update::check_shape;
use lif_core::{Network, Parameters, SpikeBatch};

const NAME: &str = "cpu";

/// The clock-driven model of [`lif_core::grid`]: a stack of LIF layers.
///
/// Outputs are first-spike steps (not ms); the loss is evaluated on them as they are. The class named
/// is the earliest to spike, the lowest among equals, also where all are silent.
///
/// The number of threads changes no bit of any result.
pub struct GridEngine {
    pub(super) model: GridModel,
    pub(super) training: Training<f32>,
    pub(super) loss: StepLoss,
    pub(super) threads: Threads,
    pub(super) weights: Rows,
    pub(super) gradient: Rows,
    first: Rows,
    second: Rows,
    updates: u64,
    /// Those after the input.
    pub(super) layers: Vec<Layer>,
    pub(super) losses: Vec<f32>,
    pub(super) input_gradient: Vec<f32>,
    pub(super) kept: Kept,
    pub(super) in_parts: BatchInParts<Rows>,
}

impl GridEngine {
    /// An engine for `network` on the grid `spec`, with all weights zero, on `threads` threads (0
    /// for as many as are found to be quickest, up to one a core).
    ///
    /// # Errors
    /// [`EngineError::Description`] for what no clock-driven model has (see [`GridModel::new`]),
    /// [`EngineError::Unsupported`] for what this engine does not do (see [`check_training`]).
    pub fn new(
        network: &Network,
        spec: GridSpec,
        training: Training<f32>,
        threads: usize,
    ) -> Result<Self, EngineError> {
        let model = GridModel::new(network, spec)?;
        check_training(NAME, &model, &training)?;
        let threads = Threads::start(NAME, threads, Denormals::Keep)?;
        let rows = Rows::zeros(model.layers());
        Ok(Self {
            loss: StepLoss::new(&training.objective, model.steps()),
            threads,
            layers: Layer::stack(&model, training.input_gradients, &rows),
            gradient: rows.clone(),
            first: rows.clone(),
            second: rows.clone(),
            weights: rows,
            updates: 0,
            losses: Vec::new(),
            input_gradient: Vec::new(),
            kept: Kept::default(),
            in_parts: BatchInParts::default(),
            model,
            training,
        })
    }

    /// Reads spikes once for [`differentiate_prepared`](Self::differentiate_prepared).
    ///
    /// # Errors
    /// [`EngineError::Batch`] if an input index is out of range.
    pub fn prepare(&self, spikes: &SpikeBatch<f32>) -> Result<GridInput, EngineError> {
        let mut input = GridInput::default();
        if !input.read(spikes, 0..spikes.len(), &self.model) {
            check_inputs(spikes, self.network())?;
        }
        Ok(input)
    }

    /// [`differentiate`](Engine::differentiate) on the samples `samples` of a prepared set, with a
    /// label for each; several times faster where the same samples come again. Leaves no input
    /// gradient.
    ///
    /// # Errors
    /// [`EngineError::Batch`] if a sample or a label is out of range.
    pub fn differentiate_prepared(
        &mut self,
        input: &GridInput,
        samples: &[u32],
        labels: &[u32],
    ) -> Result<BatchStatistics, EngineError> {
        if let Some(sample) = samples.iter().find(|&&sample| sample as usize >= input.len()) {
            let reason = format!("there is no sample {sample} among {}", input.len());
            return Err(EngineError::Batch(reason));
        }
        if !input.fits(&self.model) {
            return Err(EngineError::Batch("the samples were prepared for another grid".into()));
        }
        self.learn(&Source::Prepared(input, samples), labels)
    }

    /// A copy of the network's parameters with these weights.
    fn with_weights(&self, weights: &Rows, mut parameters: Parameters<f32>) -> Parameters<f32> {
        for (layer, weights) in self.model.layers().iter().zip(weights.get()) {
            parameters.connections[layer.connection].weights = weights;
        }
        parameters
    }

    fn sum_weights(&mut self) {
        for (position, layer) in self.layers.iter_mut().enumerate() {
            layer.totals = self.weights.layer(position).totals();
        }
    }
}

/// The weights in `parameters`, layer after layer.
fn weights_in<'a>(
    model: &'a GridModel,
    parameters: &'a Parameters<f32>,
) -> impl Iterator<Item = &'a [f32]> {
    model.layers().iter().map(|layer| &parameters.connections[layer.connection].weights[..])
}

impl Engine<f32> for GridEngine {
    fn name(&self) -> &'static str {
        NAME
    }

    fn network(&self) -> &Network {
        self.model.network()
    }

    fn parameters(&self) -> Parameters<f32> {
        self.with_weights(&self.weights, Parameters::initial(self.network()))
    }

    fn load(&mut self, parameters: &Parameters<f32>) -> Result<(), EngineError> {
        let own = Parameters::initial(self.network());
        check_shape(&own, parameters)?;
        if parameters.layers != own.layers {
            let reason = "on a grid the constants of neurons are those of the description";
            return Err(EngineError::Shape(reason.into()));
        }
        self.in_parts = BatchInParts::default();
        self.weights.set(weights_in(&self.model, parameters));
        self.sum_weights();
        Ok(())
    }

    fn optimiser_state(&self) -> OptimiserState<f32> {
        let zeros = Parameters::zeros(self.network());
        OptimiserState {
            steps: self.updates,
            first: self.with_weights(&self.first, zeros.clone()),
            second: self.with_weights(&self.second, zeros),
        }
    }

    fn load_optimiser_state(&mut self, state: &OptimiserState<f32>) -> Result<(), EngineError> {
        let own = Parameters::initial(self.network());
        check_shape(&own, &state.first)?;
        check_shape(&own, &state.second)?;
        self.first.set(weights_in(&self.model, &state.first));
        self.second.set(weights_in(&self.model, &state.second));
        self.updates = state.steps;
        Ok(())
    }

    fn infer(&mut self, spikes: &SpikeBatch<f32>) -> Result<Outputs<f32>, EngineError> {
        let attempt = self.threads.attempt(Kind::Inference, spikes.len());
        for layer in 0..self.layers.len() {
            self.run(layer, Some(&Source::Spikes(spikes)), None)?;
        }
        drop(attempt);
        let (mut values, mut predictions) = (Vec::new(), Vec::new());
        if let Some(last) = self.layers.last() {
            for row in
                last.chunks.iter().flat_map(|of| of.first.chunks_exact(last.blocks() * LANES))
            {
                let row = &row[..last.neurons()];
                values.extend_from_slice(row);
                predictions.push(Some(earliest(row) as u32));
            }
        }
        Ok(Outputs { values, predictions })
    }

    fn differentiate(&mut self, batch: Batch<'_, f32>) -> Result<BatchStatistics, EngineError> {
        self.learn(&Source::Spikes(batch.spikes), batch.labels)
    }

    fn gradient(&self) -> Parameters<f32> {
        self.with_weights(&self.gradient, Parameters::zeros(self.network()))
    }

    fn input_gradient(&self) -> &[f32] {
        &self.input_gradient
    }

    fn losses(&self) -> &[f32] {
        &self.losses
    }

    fn spikes(&self, layer: usize) -> SpikeBatch<f32> {
        let mut batch = SpikeBatch::new();
        let Some(layer) = layer.checked_sub(1).and_then(|layer| self.layers.get(layer)) else {
            return batch;
        };
        let steps = self.model.steps();
        for fired in
            layer.chunks.iter().flat_map(|of| of.fired.chunks_exact(layer.blocks() * steps))
        {
            let spikes = (0..steps).flat_map(|step| {
                let time = (step as f64 * self.model.spec().dt) as f32;
                (0..layer.neurons())
                    .filter(move |neuron| {
                        fired[neuron / LANES * steps + step] >> (neuron % LANES) & 1 == 1
                    })
                    .map(move |neuron| (time, neuron as u32))
            });
            // Steps ascend: the batch takes every train.
            let _ = batch.push_sorted(spikes);
        }
        batch
    }

    fn gradient_buffer(&mut self) -> &mut [f32] {
        self.gradient.flat_mut()
    }

    fn update(&mut self, learning_rate: f64) -> Result<UpdateStatistics, EngineError> {
        self.end_parts();
        self.updates += 1;
        let rate = learning_rate * self.training.learning_rates.weights;
        let mut statistics = UpdateStatistics::default();
        if self.training.learning_rates.weights != 0.0 {
            statistics = self.gradient.clip(self.training.clip);
            let rule = self.training.optimiser.rule(self.updates, rate);
            self.weights.update(&mut self.gradient, &mut self.first, &mut self.second, rule);
            self.sum_weights();
        }
        if let Some(layer) = self.layers.iter().position(|layer| !layer.is_finite()) {
            let layer = self.network().layers()[layer + 1].name.clone();
            return Err(EngineError::NotFinite { what: "a weight", layer, sample: 0 });
        }
        Ok(statistics)
    }

    fn take_activity(&mut self) -> Vec<Vec<u64>> {
        let counts = self.layers.iter_mut().map(|layer| {
            let none = vec![0; layer.neurons()];
            std::mem::replace(&mut layer.activity, none)
        });
        std::iter::once(Vec::new()).chain(counts).collect()
    }

    fn resident(&mut self) -> Option<&mut dyn Resident<f32>> {
        Some(self)
    }

    fn bump(&mut self) -> Option<&mut dyn Bump<f32>> {
        (self.model.spec().bump > 0.0).then_some(self)
    }
}
