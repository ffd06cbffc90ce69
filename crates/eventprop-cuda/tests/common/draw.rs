//! Networks with weights and samples, and what they have to show: agreement of the engines, of parts with the
//! whole, of kept samples with given ones.

use crate::common::for_each_schedule;
use eventprop_cpu::{CpuOptions, Precision};
use eventprop_cuda::{CudaEngine, CudaOptions};
use lif_core::engine::{Batch, BatchStatistics, Engine, Training};
use lif_core::loss::Loss;
use lif_core::optimiser::{Clip, LearningRates, Optimiser};
use lif_core::reference::Reference;
use lif_core::{ConnectionParameters, Network, Parameters, SpikeBatch};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use std::cell::Cell;

pub(crate) const INPUTS: usize = 50;

/// A network with weights, input spikes and labels.
#[derive(Clone, Debug)]
pub(crate) struct Draw {
    pub(crate) network: Network,
    pub(crate) parameters: Parameters<f32>,
    pub(crate) spikes: SpikeBatch<f32>,
    pub(crate) labels: Vec<u32>,
    pub(crate) loss: Loss,
}

impl Draw {
    pub(crate) fn batch(&self) -> Batch<'_, f32> {
        Batch { spikes: &self.spikes, labels: &self.labels }
    }

    pub(crate) fn training(&self) -> Training<f32> {
        Training { constant_gradients: false, ..Training::exact(self.loss) }
    }

    /// The fast engine where it takes the network, else the general one.
    pub(crate) fn cpu(&self) -> Box<dyn Engine<f32>> {
        let options = CpuOptions { threads: Some(1) };
        let mut engine = f32::engine(&self.network, self.training(), options).unwrap();
        engine.load(&self.parameters).unwrap();
        engine
    }

    pub(crate) fn cuda(&self, training: Training<f32>) -> CudaEngine {
        let mut engine = CudaEngine::new(&self.network, training, CudaOptions::default()).unwrap();
        engine.load(&self.parameters).unwrap();
        engine
    }

    /// CUDA = CPU = reference, unless a spike is so near to vanishing that single precision decides. Returns the
    /// spikes of each layer between input and output.
    pub(crate) fn compare(&self, options: CudaOptions) -> Result<Vec<usize>, TestCaseError> {
        let mut reference = Reference::new(&self.network, Training::exact(self.loss)).unwrap();
        reference.load(&self.parameters.cast()).unwrap();
        let mut exact = SpikeBatch::new();
        for train in self.spikes.iter() {
            let train = train.iter().map(|(time, source)| (f64::from(time), source));
            exact.push_sorted(train).unwrap();
        }
        let batch = Batch { spikes: &exact, labels: &self.labels };
        let expected = reference.differentiate(batch).unwrap();
        let mut cpu = self.cpu();
        cpu.differentiate(self.batch()).unwrap();
        let mut cuda = CudaEngine::new(&self.network, self.training(), options).unwrap();
        cuda.load(&self.parameters).unwrap();
        let statistics = cuda.differentiate(self.batch()).unwrap();
        prop_assert!((statistics.loss - expected.loss).abs() <= 1e-4 * (1.0 + expected.loss.abs()));
        // Many spikes a draw: some margin is always small, so all is compared, but loosely.
        let output = self.network.output_index();
        let counts = |engine: &dyn Engine<f32>| -> Vec<usize> {
            (1..=output).map(|layer| engine.spikes(layer).spike_count()).collect()
        };
        let mut found = counts(&cuda);
        if counts(&*cpu) != found {
            return Err(TestCaseError::reject("a spike at the edge of vanishing"));
        }
        let mut tolerance = 0.0;
        for (what, of) in [("delays", delays as fn(&_) -> _), ("weights", weights)] {
            let (found, by_cpu) = (of(&cuda.gradient()), of(&cpu.gradient()));
            let exact = of(&reference.gradient().cast());
            tolerance = 5e-3_f32.max(2.0 * error(&by_cpu, &exact));
            for error in [error(&found, &by_cpu), error(&found, &exact)] {
                prop_assert!(error < tolerance, "{} {}", what, error);
            }
        }
        let inputs = error(cuda.input_gradient(), cpu.input_gradient());
        prop_assert!(inputs < tolerance, "inputs {}", inputs);
        found.truncate(output - 1);
        println!("{} samples, spikes {found:?}, tolerance {tolerance}", self.spikes.len());
        Ok(found)
    }

    /// What `whole` found is found where the adjoint is cut into the smallest parts: to the bit but for sums
    /// over samples.
    pub(crate) fn assert_same_in_parts(&self, whole: &CudaEngine, statistics: BatchStatistics) {
        let parts = CudaOptions { adjoint_bytes: 1, ..CudaOptions::default() };
        let mut engine = CudaEngine::new(&self.network, self.training(), parts).unwrap();
        engine.load(&self.parameters).unwrap();
        assert_eq!(engine.differentiate(self.batch()).unwrap(), statistics);
        let by = |of: fn(&Parameters<f32>) -> Vec<f32>| {
            error(&of(&engine.gradient()), &of(&whole.gradient()))
        };
        let errors = [by(weights), by(delays)];
        assert!(errors.iter().all(|&error| error < 1e-6), "{errors:?}");
        assert_eq!(engine.input_gradient(), whole.input_gradient());
    }
}

/// Delays of up to 12 ms in steps of 1/4 ms, as input spikes have them: many arrive together, some after
/// the end, and some spikes overtake others.
pub(crate) fn fill_delays(
    connection: &mut ConnectionParameters<f32>,
    uniform: &mut impl FnMut() -> f64,
) {
    connection.delays.fill_with(|| (uniform() * 48.0).floor() as f32 / 4.0);
}

/// Trains of up to `most` spikes, some of them at equal times, some after the end.
pub(crate) fn spikes(
    samples: usize,
    most: usize,
    uniform: &mut impl FnMut() -> f64,
) -> SpikeBatch<f32> {
    let mut spikes = SpikeBatch::new();
    for _ in 0..samples {
        let count = (uniform() * most as f64) as usize;
        let mut train: Vec<(f32, u32)> = (0..count)
            .map(|_| ((uniform() * 128.0).floor() as f32 / 4.0, (uniform() * INPUTS as f64) as u32))
            .collect();
        train.sort_by(|a, b| a.0.total_cmp(&b.0));
        spikes.push_sorted(train).unwrap();
    }
    spikes
}

pub(crate) fn uniform(seed: u64) -> impl FnMut() -> f64 {
    let mut state = seed;
    move || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// The largest difference over the largest value.
pub(crate) fn error(found: &[f32], expected: &[f32]) -> f32 {
    let scale = expected.iter().fold(1e-9_f32, |scale, x| scale.max(x.abs()));
    let pairs = found.iter().zip(expected);
    pairs.fold(0.0, |worst: f32, (a, b)| worst.max((a - b).abs() / scale))
}

pub(crate) fn weights(parameters: &Parameters<f32>) -> Vec<f32> {
    parameters.connections.iter().flat_map(|connection| connection.weights.clone()).collect()
}

pub(crate) fn delays(parameters: &Parameters<f32>) -> Vec<f32> {
    parameters.connections.iter().flat_map(|connection| connection.delays.clone()).collect()
}

/// [`Draw::compare`] on random draws, in most of which all layers spike.
pub(crate) fn engines_agree<S: Strategy<Value = Draw>>(draws: impl Fn() -> S) {
    engines_agree_with(CudaOptions::default(), draws);
}

pub(crate) fn engines_agree_with<S: Strategy<Value = Draw>>(
    options: CudaOptions,
    draws: impl Fn() -> S,
) {
    for_each_schedule(|_, schedule| {
        let compared = Cell::new(0);
        let config = ProptestConfig { cases: 12, failure_persistence: None, ..<_>::default() };
        let rng = proptest::test_runner::TestRng::from_seed(
            proptest::test_runner::RngAlgorithm::ChaCha,
            &[schedule as u8; 32],
        );
        let outcome = TestRunner::new_with_rng(config, rng).run(&draws(), |draw| {
            let counts = draw.compare(options)?;
            compared.set(compared.get() + usize::from(counts.iter().all(|&count| count > 0)));
            Ok(())
        });
        outcome.unwrap();
        assert!(compared.get() > 5, "{} compared", compared.get());
    });
}

/// Batches of kept samples train as the same batches given one by one, to the bit; also where room has
/// to be made under way.
pub(crate) fn train_both_ways(network: &Network) {
    for_each_schedule(|_, schedule| {
        let mut parameters = Parameters::<f32>::initial(network);
        let mut uniform = uniform(40 + schedule);
        for (connection, own) in network.connections().iter().zip(&mut parameters.connections) {
            // Neurons of a layer inhibit one another.
            let scale = if connection.from == connection.to { -0.1 } else { 0.6 };
            own.weights.fill_with(|| uniform() as f32 * scale);
            fill_delays(own, &mut uniform);
        }
        let spikes = spikes(23, 90, &mut uniform);
        let labels: Vec<u32> = (0..23).map(|sample| sample % 7).collect();
        let loss = Loss::VmaxCrossEntropy {};
        let draw = Draw { network: network.clone(), parameters, spikes, labels, loss };
        let training = Training {
            learning_rates: LearningRates { delays: 20.0, ..LearningRates::default() },
            optimiser: Optimiser::ADAM,
            clip: Some(Clip::Norm(0.05)),
            input_gradients: false,
            ..draw.training()
        };
        let order: Vec<u32> = (0..23).map(|position| position * 5 % 23).collect();
        let (size, rates) = (4, [0.01, 0.02, 0.03, 0.02, 0.01, 0.005]);

        let mut kept = draw.cuda(training.clone());
        let resident = kept.resident().unwrap();
        resident.keep(draw.batch()).unwrap();
        let (batches, updates) = resident.train(&order, size, &rates).unwrap();

        let mut given = draw.cuda(training);
        let (mut loss, mut correct, mut clipped) = (0.0, 0, 0);
        for (samples, rate) in order.chunks(size).zip(rates) {
            let mut spikes = SpikeBatch::new();
            samples.iter().for_each(|&sample| spikes.push_train(draw.spikes.get(sample as usize)));
            let labels: Vec<u32> =
                samples.iter().map(|&sample| draw.labels[sample as usize]).collect();
            let (batch, update) =
                given.train_step(Batch { spikes: &spikes, labels: &labels }, rate).unwrap();
            loss += batch.loss;
            correct += batch.correct;
            clipped += update.clipped;
        }
        assert_eq!(kept.parameters(), given.parameters());
        assert_eq!(kept.optimiser_state(), given.optimiser_state());
        assert_eq!(kept.take_activity(), given.take_activity());
        assert_eq!((batches.samples, batches.correct, updates.clipped), (23, correct, clipped));
        assert!((batches.loss - loss).abs() < 1e-9 * loss);
        assert_ne!(weights(&kept.parameters()), weights(&draw.parameters));
        let trained = delays(&kept.parameters());
        assert!(trained.is_empty() || trained != delays(&draw.parameters));
        // Those that would be negative are held at 0.
        assert!(trained.is_empty() || trained.contains(&0.0));
        assert!(trained.iter().all(|&delay| delay >= 0.0));
    });
}
