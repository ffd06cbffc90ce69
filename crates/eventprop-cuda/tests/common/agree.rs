//! That engines find the same, and the engine the same of parts as of the whole.
// Each test file uses a part of it.
#![allow(dead_code)]

use crate::common::for_each_schedule;
use crate::draw::{Draw, delays, weights};
use eventprop_cpu::{CpuOptions, Precision};
use eventprop_cuda::{ByArrival, CudaEngine, CudaOptions};
use lif_core::engine::{Batch, BatchStatistics, Engine, Training};
use lif_core::network::Layer;
use lif_core::reference::{Margins, Reference};
use lif_core::{LayerParameters, Parameters, Real, SpikeBatch};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use std::cell::Cell;

/// What lists of parameters are called, and where they are.
pub(crate) type List = (&'static str, fn(&Parameters<f32>) -> Vec<f32>);

/// The lists of constants of a gradient, each of all layers.
pub(crate) const CONSTANTS: [List; 6] = [
    ("tau_mem", |parameters| of_layers(parameters, |layer| &layer.tau_mem)),
    ("tau_syn", |parameters| of_layers(parameters, |layer| &layer.tau_syn)),
    ("threshold", |parameters| of_layers(parameters, |layer| &layer.threshold)),
    ("bias", |parameters| of_layers(parameters, |layer| &layer.bias)),
    ("beta", |parameters| of_layers(parameters, |layer| &layer.adaptation_beta)),
    ("tau_b", |parameters| of_layers(parameters, |layer| &layer.adaptation_tau)),
];

fn of_layers(parameters: &Parameters<f32>, of: fn(&LayerParameters<f32>) -> &Vec<f32>) -> Vec<f32> {
    parameters.layers.iter().flat_map(of).copied().collect()
}

/// How a draw is trained besides by its loss.
pub(crate) trait Settings {
    fn change<T: Real>(&self, training: Training<T>) -> Training<T>;
}

/// As it is.
pub(crate) struct Unchanged;

impl Settings for Unchanged {
    fn change<T: Real>(&self, training: Training<T>) -> Training<T> {
        training
    }
}

impl Draw {
    /// Where every other draw is compared in gradients by constants too: which.
    pub(crate) fn some_constants(&self) -> &'static [List] {
        if self.labels.len().is_multiple_of(2) { &CONSTANTS } else { &[] }
    }

    /// Of every third draw all layers that can be are walked with a lane an arrival, of another third none.
    fn by_arrival(&self) -> ByArrival {
        match self.spikes.spike_count() % 3 {
            0 => ByArrival::WhereFaster,
            1 => ByArrival::Never,
            _ => ByArrival::Always,
        }
    }

    /// The fast engine where it takes the network, else the general one.
    pub(crate) fn cpu(&self) -> Box<dyn Engine<f32>> {
        self.cpu_with(self.training())
    }

    pub(crate) fn cpu_with(&self, training: Training<f32>) -> Box<dyn Engine<f32>> {
        let options = CpuOptions { threads: Some(1) };
        let mut engine = f32::engine(&self.network, training, options).unwrap();
        engine.load(&self.parameters).unwrap();
        engine
    }

    /// CUDA = CPU = reference, unless a spike is so near to vanishing that single precision decides; also in `constants`,
    /// if there are any. Returns the spikes of each layer between input and output that spikes.
    pub(crate) fn compare(
        &self,
        options: CudaOptions,
        constants: &[List],
    ) -> Result<Vec<usize>, TestCaseError> {
        self.compare_with(options, constants, &Unchanged)
    }

    /// The same of engines that are trained otherwise.
    pub(crate) fn compare_with(
        &self,
        options: CudaOptions,
        constants: &[List],
        settings: &impl Settings,
    ) -> Result<Vec<usize>, TestCaseError> {
        let (reference, expected) = self.reference(settings);
        let constant_gradients = !constants.is_empty();
        let training = settings.change(Training { constant_gradients, ..self.training() });
        let mut cpu = self.cpu_with(training.clone());
        cpu.differentiate(self.batch()).unwrap();
        let options = match options.by_arrival {
            ByArrival::WhereFaster => CudaOptions { by_arrival: self.by_arrival(), ..options },
            _ => options,
        };
        let mut cuda = CudaEngine::new(&self.network, training, options).unwrap();
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
        prop_assert_eq!(cuda.take_activity(), cpu.take_activity());
        let mut tolerance = 0.0;
        let others: [List; 2] = [("delays", delays), ("weights", weights)];
        for (what, of) in constants.iter().copied().chain(others) {
            let (found, by_cpu) = (of(&cuda.gradient()), of(&cpu.gradient()));
            let exact = of(&reference.gradient().cast());
            tolerance = 5e-3_f32.max(2.0 * error(&by_cpu, &exact));
            for error in [error(&found, &by_cpu), error(&found, &exact)] {
                prop_assert!(error < tolerance, "{} {}", what, error);
            }
        }
        // Where spikes of the input move next to nothing, their derivatives are sums of roundings.
        let inputs = error_above(1e-4, cuda.input_gradient(), cpu.input_gradient());
        prop_assert!(inputs < tolerance, "inputs {}", inputs);
        let mut layers = self.network.layers()[1..output].iter();
        found.truncate(output - 1);
        found.retain(|_| layers.next().is_some_and(Layer::is_lif));
        println!("{} samples, spikes {found:?}, tolerance {tolerance}", self.spikes.len());
        Ok(found)
    }

    /// The reference with what it finds.
    pub(crate) fn reference(&self, settings: &impl Settings) -> (Reference, BatchStatistics) {
        let exactly = settings.change(Training::exact(self.loss));
        let mut reference = Reference::new(&self.network, exactly).unwrap();
        reference.load(&self.parameters.cast()).unwrap();
        let exact = self.exact_spikes();
        let batch = Batch { spikes: &exact, labels: &self.labels };
        let found = reference.differentiate(batch).unwrap();
        (reference, found)
    }

    /// How far its spikes are from others, unless there are too many.
    pub(crate) fn margins(&self) -> Option<Margins> {
        let mut reference = Reference::new(&self.network, Training::exact(self.loss)).unwrap();
        reference.load(&self.parameters.cast()).unwrap();
        reference.margins(&self.exact_spikes()).ok()
    }

    /// Its spikes in the precision of the reference.
    fn exact_spikes(&self) -> SpikeBatch<f64> {
        let mut exact = SpikeBatch::new();
        for train in self.spikes.iter() {
            let train = train.iter().map(|(time, source)| (f64::from(time), source));
            exact.push_sorted(train).unwrap();
        }
        exact
    }

    /// What is measured, and the classes, are what the CPU engine finds.
    pub(crate) fn assert_measured(&self, cuda: &mut CudaEngine) {
        let found = cuda.infer(&self.spikes).unwrap();
        let expected = self.cpu().infer(&self.spikes).unwrap();
        let off = error(&found.values, &expected.values);
        assert!(off < 1e-4, "{off}");
        assert_eq!(found.predictions, expected.predictions);
    }

    /// What `whole` found is found where the adjoint is cut into the smallest parts: to the bit but for sums
    /// over samples.
    pub(crate) fn assert_same_in_parts(&self, whole: &CudaEngine, statistics: BatchStatistics) {
        let parts = CudaOptions { adjoint_bytes: Some(1), ..CudaOptions::default() };
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

/// The largest difference over the largest value.
pub(crate) fn error(found: &[f32], expected: &[f32]) -> f32 {
    error_above(1e-9, found, expected)
}

/// The same, or over `floor` where all values are less.
fn error_above(floor: f32, found: &[f32], expected: &[f32]) -> f32 {
    let scale = expected.iter().fold(floor, |scale, x| scale.max(x.abs()));
    let pairs = found.iter().zip(expected);
    pairs.fold(0.0, |worst: f32, (a, b)| worst.max((a - b).abs() / scale))
}

/// The least slope of a spike that single precision is asked for: a gradient makes the more of a rounding the less it is, as
/// one over its square.
pub(crate) const STEEP: f64 = 0.05;

/// [`Draw::compare`] on random draws, in most of which all layers spike.
pub(crate) fn engines_agree<S: Strategy<Value = Draw>>(draws: impl Fn() -> S) {
    engines_agree_with(CudaOptions::default(), &[], draws);
}

/// The same of engines with such options, also in gradients by constants.
pub(crate) fn engines_agree_with<S: Strategy<Value = Draw>>(
    options: CudaOptions,
    constants: &[List],
    draws: impl Fn() -> S,
) {
    engines_agree_where(draws, |draw| {
        if draw.margins().is_some_and(|margins| margins.slope < STEEP) {
            return Err(TestCaseError::reject("a spike that nearly grazes"));
        }
        draw.compare(options, constants)
    });
}

/// The same by a comparison of one's own, which returns the spikes of layers.
pub(crate) fn engines_agree_where<S: Strategy>(
    draws: impl Fn() -> S,
    compare: impl Fn(&S::Value) -> Result<Vec<usize>, TestCaseError>,
) {
    for_each_schedule(|_, schedule| {
        let compared = Cell::new(0);
        let config = ProptestConfig { cases: 12, failure_persistence: None, ..<_>::default() };
        let rng = proptest::test_runner::TestRng::from_seed(
            proptest::test_runner::RngAlgorithm::ChaCha,
            &[schedule as u8; 32],
        );
        let outcome = TestRunner::new_with_rng(config, rng).run(&draws(), |draw| {
            let counts = compare(&draw)?;
            compared.set(compared.get() + usize::from(counts.iter().all(|&count| count > 0)));
            Ok(())
        });
        outcome.unwrap();
        assert!(compared.get() > 5, "{} compared", compared.get());
    });
}
