//! That a training on samples which an engine keeps is the training on given ones: to the bit, batch by batch, on every
//! engine that keeps samples. `cargo xtask cuda-emulate` runs it on a stand-in for a GPU.
#![cfg(feature = "cpu")]

use eventprop::lif_core::engine::{
    Batch, BatchStatistics, Bump, Engine, EngineError, OptimiserState, Outputs, UpdateStatistics,
};
use eventprop::lif_core::{Network, Parameters, SpikeBatch};
use eventprop::mnist_spikes::SpikeData;
use eventprop::{Config, Data, Event, Samples, Trainer, backend, engine_for};
use std::ops::ControlFlow;
use std::sync::Arc;

/// An engine that keeps nothing: it is given every batch.
struct Given(backend::BoxedEngine<f32>);

impl Engine<f32> for Given {
    fn name(&self) -> &'static str {
        self.0.name()
    }
    fn network(&self) -> &Network {
        self.0.network()
    }
    fn parameters(&self) -> Parameters<f32> {
        self.0.parameters()
    }
    fn load(&mut self, parameters: &Parameters<f32>) -> Result<(), EngineError> {
        self.0.load(parameters)
    }
    fn optimiser_state(&self) -> OptimiserState<f32> {
        self.0.optimiser_state()
    }
    fn load_optimiser_state(&mut self, state: &OptimiserState<f32>) -> Result<(), EngineError> {
        self.0.load_optimiser_state(state)
    }
    fn infer(&mut self, spikes: &SpikeBatch<f32>) -> Result<Outputs<f32>, EngineError> {
        self.0.infer(spikes)
    }
    fn differentiate(&mut self, batch: Batch<'_, f32>) -> Result<BatchStatistics, EngineError> {
        self.0.differentiate(batch)
    }
    fn gradient(&self) -> Parameters<f32> {
        self.0.gradient()
    }
    fn input_gradient(&self) -> &[f32] {
        self.0.input_gradient()
    }
    fn losses(&self) -> &[f32] {
        self.0.losses()
    }
    fn spikes(&self, layer: usize) -> SpikeBatch<f32> {
        self.0.spikes(layer)
    }
    fn gradient_buffer(&mut self) -> &mut [f32] {
        self.0.gradient_buffer()
    }
    fn update(&mut self, learning_rate: f64) -> Result<UpdateStatistics, EngineError> {
        self.0.update(learning_rate)
    }
    fn train_step(
        &mut self,
        batch: Batch<'_, f32>,
        learning_rate: f64,
    ) -> Result<(BatchStatistics, UpdateStatistics), EngineError> {
        self.0.train_step(batch, learning_rate)
    }
    fn take_activity(&mut self) -> Vec<Vec<u64>> {
        self.0.take_activity()
    }
    fn bump(&mut self) -> Option<&mut dyn Bump<f32>> {
        self.0.bump()
    }
}

#[test]
fn kept_on_a_grid() {
    for backend in ["cpu", "cuda"] {
        for dropout in [0.0, 0.2] {
            kept_is_given(backend, "seed", dropout);
        }
    }
}

#[test]
fn kept_with_exact_times() {
    for dropout in [0.0, 0.2] {
        kept_is_given("cuda", "mnist", dropout);
    }
}

/// Trains both ways, kept samples also broken off in each epoch.
fn kept_is_given(backend: &str, preset: &str, dropout: f64) {
    let config = config(backend, preset, dropout);
    let Some(mut given) = engine(&config) else { return };
    let initial = config.network.initial_parameters(config.training.seed).unwrap();
    given.load(&initial).unwrap();
    let objective = Arc::new(config.loss);
    let mut given =
        Trainer::with_engine(config.clone(), Box::new(Given(given)), objective, data()).unwrap();
    let expected = run(&mut given, None);
    assert_eq!(expected.len(), 3 * 15);
    for stop in [None, Some(1), Some(7)] {
        let mut kept = Trainer::new(config.clone(), data()).unwrap();
        assert_eq!(run(&mut kept, stop), expected, "{backend}, {preset}: batches");
        let (kept, given) = (kept.checkpoint(), given.checkpoint());
        assert!(kept.parameters == given.parameters, "{backend}, {preset}: parameters");
        assert!(kept.optimiser == given.optimiser, "{backend}, {preset}: optimiser");
    }
}

/// What is told of every batch: its number, and sums of the epoch up to it. Breaks off after batch `stop` of an epoch, and
/// goes on.
fn run(trainer: &mut Trainer, stop: Option<usize>) -> Vec<(u32, usize, [u64; 4])> {
    let mut batches = Vec::new();
    while !trainer.is_finished() {
        let on_event = |event: Event<'_>| {
            let Event::Batch { epoch, batch, sums, .. } = event else {
                return ControlFlow::Continue(());
            };
            let counts = [sums.samples as u64, sums.correct as u64, sums.grazing];
            let [samples, correct, grazing] = counts;
            batches.push((epoch, batch, [samples, correct, grazing, sums.loss.to_bits()]));
            if stop == Some(batch) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        trainer.run_epoch(on_event).unwrap();
    }
    batches
}

fn engine(config: &Config) -> Option<backend::BoxedEngine<f32>> {
    match engine_for(&config.network.build().unwrap(), config) {
        Ok(engine) => Some(engine),
        Err(EngineError::Unavailable { reason, .. }) => {
            assert!(std::env::var_os("SIMT_EMULATOR").is_none(), "{reason}");
            eprintln!("not run: {reason}");
            None
        }
        Err(error) => panic!("{error}"),
    }
}

const INPUTS: usize = 12;
const CLASSES: usize = 3;

/// Three epochs of fifteen batches, the last smaller.
fn config(backend: &str, preset: &str, dropout: f64) -> Config {
    let mut config = Config::preset(preset).unwrap();
    let layers = &mut config.network.layers;
    let last = layers.len() - 1;
    layers[0].size = INPUTS;
    layers[last].size = CLASSES;
    if last == 2 {
        layers[1].size = 5;
    }
    config.training.backend = backend.into();
    config.training.epochs = 3;
    config.training.batch_size = 4;
    config.training.lr = 0.02;
    config.training.threads = 1;
    config.data.dropout = dropout;
    config.check().unwrap();
    config
}

fn data() -> Data {
    Data { train: samples(58), validation: None, test: samples(8) }
}

fn samples(count: usize) -> Samples {
    let (mut spikes, mut labels) = (SpikeBatch::new(), Vec::new());
    for sample in 0..count {
        let label = sample * 7 % CLASSES;
        let time = |input: usize| ((sample * 31 + input * 17) % 13 + 2 * label) as f32 / 2.0;
        let mut train: Vec<(f32, u32)> =
            (0..INPUTS).map(|input| (time(input), input as u32)).collect();
        train.sort_by(|a, b| a.0.total_cmp(&b.0));
        spikes.push_sorted(train).unwrap();
        labels.push(label as u32);
    }
    let shape = [1, 1, INPUTS];
    Samples::new(SpikeData { spikes, labels, classes: CLASSES, inputs: INPUTS, shape })
}
