//! The engine against the CPU engine and the reference on networks wider than a block of threads, and
//! against itself: training on kept samples, runs beyond the room first made, too little memory.

mod common;

use common::for_each_schedule;
use eventprop_cpu::{CpuOptions, Precision};
use eventprop_cuda::{CudaEngine, CudaOptions};
use lif_core::engine::{Batch, BatchStatistics, Engine, EngineError, Training};
use lif_core::loss::{KnownLoss, Loss, Objective, Readout};
use lif_core::network::{ConnectionSpec, LayerSpec};
use lif_core::optimiser::{Clip, LearningRates, Optimiser};
use lif_core::reference::Reference;
use lif_core::{ConnectionParameters, Network, Parameters, SpikeBatch};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use std::cell::Cell;
use std::sync::Arc;

const INPUTS: usize = 50;

/// A network with weights, input spikes and labels.
#[derive(Clone, Debug)]
struct Draw {
    network: Network,
    parameters: Parameters<f32>,
    spikes: SpikeBatch<f32>,
    labels: Vec<u32>,
    loss: Loss,
}

impl Draw {
    fn batch(&self) -> Batch<'_, f32> {
        Batch { spikes: &self.spikes, labels: &self.labels }
    }

    fn training(&self) -> Training<f32> {
        Training { constant_gradients: false, ..Training::exact(self.loss) }
    }

    /// The fast engine where it takes the network, else the general one.
    fn cpu(&self) -> Box<dyn Engine<f32>> {
        let options = CpuOptions { threads: Some(1) };
        let mut engine = f32::engine(&self.network, self.training(), options).unwrap();
        engine.load(&self.parameters).unwrap();
        engine
    }

    fn cuda(&self, training: Training<f32>) -> CudaEngine {
        let mut engine = CudaEngine::new(&self.network, training, CudaOptions::default()).unwrap();
        engine.load(&self.parameters).unwrap();
        engine
    }

    /// What `whole` found is found where the adjoint is cut into the smallest parts: to the bit but for sums
    /// over samples.
    fn assert_same_in_parts(&self, whole: &CudaEngine, statistics: BatchStatistics) {
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

/// Networks of `layers` hidden layers of up to `size` neurons, with delays at all synapses or none, of which
/// the first may hear itself; `strength` scales their weights.
fn draws(
    layers: usize,
    size: usize,
    strength: f64,
    delays: bool,
    recurrent: bool,
) -> impl Strategy<Value = Draw> {
    let taus =
        prop_oneof![Just((20.0, 5.0)), Just((10.0, 5.0)), Just((12.0, 5.0)), Just((5.0, 9.0))];
    let loss = prop_oneof![
        Just(Loss::VmaxCrossEntropy {}),
        Just(Loss::ExpMeanCrossEntropy {}),
        Just(Loss::TtfsCrossEntropy { tau: 2.0, alpha: 0.01, tau_early: 10.0 }),
        Just(Loss::SpikeTimeSum {}),
    ];
    (taus, loss, 1..=layers, 2..=size, 1..6_usize, any::<u64>()).prop_map(
        move |(taus, loss, hidden, size, samples, seed)| {
            let mut uniform = uniform(seed);
            let spiking = matches!(loss, Loss::SpikeTimeSum {} | Loss::TtfsCrossEntropy { .. });
            let mut sizes = vec![size; hidden];
            sizes.push(7);
            let own =
                recurrent.then(|| ConnectionSpec { delays, ..ConnectionSpec::dense("1", "1") });
            let network = chain_with(&sizes, taus, spiking, delays, own);
            let mut parameters = Parameters::initial(&network);
            let below = [INPUTS].into_iter().chain(sizes.iter().copied());
            let scales = below.map(|below| (strength / below as f64, 0.6));
            // Neurons of a layer inhibit one another on the whole.
            let own = recurrent.then_some((0.3 * strength / size as f64, 1.4));
            for (connection, (scale, down)) in
                parameters.connections.iter_mut().zip(own.into_iter().chain(scales))
            {
                connection.weights.fill_with(|| ((uniform() * 2.0 - down) * scale) as f32);
                fill_delays(connection, &mut uniform);
            }
            let labels = (0..samples).map(|sample| sample as u32 % 7).collect();
            let spikes = spikes(samples, 80, &mut uniform);
            Draw { network, parameters, spikes, labels, loss }
        },
    )
}

fn chain(sizes: &[usize], taus: (f64, f64), spiking: bool) -> Network {
    chain_with(sizes, taus, spiking, false, None)
}

fn delayed_chain(sizes: &[usize], taus: (f64, f64), spiking: bool) -> Network {
    chain_with(sizes, taus, spiking, true, None)
}

/// A chain of dense layers, with delays or without, with one more connection, its first.
fn chain_with(
    sizes: &[usize],
    (tau_mem, tau_syn): (f64, f64),
    spiking: bool,
    delays: bool,
    first: Option<ConnectionSpec>,
) -> Network {
    let mut layers = vec![LayerSpec::input("0", INPUTS)];
    for (position, &size) in sizes.iter().enumerate() {
        let name = (position + 1).to_string();
        let lif = spiking || position + 1 < sizes.len();
        layers.push(if lif {
            LayerSpec::lif(name, size, tau_mem, tau_syn)
        } else {
            LayerSpec::li(name, size, tau_mem, tau_syn)
        });
    }
    let dense = |layer: usize| ConnectionSpec {
        delays,
        ..ConnectionSpec::dense(layer.to_string(), (layer + 1).to_string())
    };
    let connections = first.into_iter().chain((0..sizes.len()).map(dense));
    Network::new(30.0, layers, connections.collect()).unwrap()
}

/// Delays of up to 12 ms in steps of 1/4 ms, as input spikes have them: many arrive together, some after
/// the end, and some spikes overtake others.
fn fill_delays(connection: &mut ConnectionParameters<f32>, uniform: &mut impl FnMut() -> f64) {
    connection.delays.fill_with(|| (uniform() * 48.0).floor() as f32 / 4.0);
}

/// Trains of up to `most` spikes, some of them at equal times, some after the end.
fn spikes(samples: usize, most: usize, uniform: &mut impl FnMut() -> f64) -> SpikeBatch<f32> {
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

fn uniform(seed: u64) -> impl FnMut() -> f64 {
    let mut state = seed;
    move || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// The largest difference over the largest value.
fn error(found: &[f32], expected: &[f32]) -> f32 {
    let scale = expected.iter().fold(1e-9_f32, |scale, x| scale.max(x.abs()));
    let pairs = found.iter().zip(expected);
    pairs.fold(0.0, |worst: f32, (a, b)| worst.max((a - b).abs() / scale))
}

fn weights(parameters: &Parameters<f32>) -> Vec<f32> {
    parameters.connections.iter().flat_map(|connection| connection.weights.clone()).collect()
}

fn delays(parameters: &Parameters<f32>) -> Vec<f32> {
    parameters.connections.iter().flat_map(|connection| connection.delays.clone()).collect()
}

#[test]
fn engines_agree_on_wide_networks() {
    engines_agree(|| draws(2, 150, 12.0, false, false));
}

#[test]
fn engines_agree_on_wide_networks_with_delays() {
    engines_agree(|| draws(2, 150, 12.0, true, false));
}

#[test]
fn engines_agree_on_recurrent_networks_with_delays() {
    engines_agree(|| draws(1, 100, 12.0, true, true));
}

/// Whole runs of arrivals of one moment, with and without something between two of them.
#[test]
fn engines_agree_on_many_arrivals_of_a_moment() {
    engines_agree(|| draws(2, 60, 6.0, false, false).prop_map(|draw| at_moments(&draw)));
}

/// The draw with 130 input spikes a sample, all at three times.
fn at_moments(draw: &Draw) -> Draw {
    let mut spikes = SpikeBatch::new();
    for sample in 0..draw.spikes.len() as u32 {
        let time = |k: u32| [2.0, 5.0, 9.0][usize::from(k > 70) + usize::from(k > 80 + sample)];
        let train = (0..130).map(|k| (time(k), (7 * k + sample) % INPUTS as u32));
        spikes.push_sorted(train).unwrap();
    }
    Draw { spikes, ..draw.clone() }
}

/// CUDA = CPU = reference, wherever no spike is so near to vanishing that single precision decides.
fn engines_agree<S: Strategy<Value = Draw>>(draws: impl Fn() -> S) {
    for_each_schedule(|_, schedule| {
        let compared = Cell::new(0);
        let config = ProptestConfig { cases: 12, failure_persistence: None, ..<_>::default() };
        let rng = proptest::test_runner::TestRng::from_seed(
            proptest::test_runner::RngAlgorithm::ChaCha,
            &[schedule as u8; 32],
        );
        let outcome = TestRunner::new_with_rng(config, rng).run(&draws(), |draw| {
            let mut reference = Reference::new(&draw.network, Training::exact(draw.loss)).unwrap();
            reference.load(&draw.parameters.cast()).unwrap();
            let mut exact = SpikeBatch::new();
            for train in draw.spikes.iter() {
                exact
                    .push_sorted(train.iter().map(|(time, source)| (f64::from(time), source)))
                    .unwrap();
            }
            let expected =
                reference.differentiate(Batch { spikes: &exact, labels: &draw.labels }).unwrap();
            let mut cpu = draw.cpu();
            cpu.differentiate(draw.batch()).unwrap();
            let mut cuda = draw.cuda(draw.training());
            let statistics = cuda.differentiate(draw.batch()).unwrap();
            prop_assert!(
                (statistics.loss - expected.loss).abs() <= 1e-4 * (1.0 + expected.loss.abs())
            );
            // Many spikes a draw: some margin is always small, so all is compared, but loosely.
            let counts = |engine: &dyn Engine<f32>| -> Vec<usize> {
                (1..draw.network.layers().len()).map(|l| engine.spikes(l).spike_count()).collect()
            };
            if counts(&*cpu) != counts(&cuda) {
                return Err(TestCaseError::reject("a spike at the edge of vanishing"));
            }
            compared.set(compared.get() + usize::from(counts(&cuda)[0] > 0));
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
            Ok(())
        });
        outcome.unwrap();
        assert!(compared.get() > 5, "{} compared", compared.get());
    });
}

/// The same for neurons that hear one another, in more than one warp, however the adjoint is cut into
/// parts. A hidden layer sends more spikes than there is room for at first.
#[test]
fn recurrent_layers_agree() {
    recurrent_layers(false, false);
}

#[test]
fn recurrent_layers_with_delays_agree() {
    recurrent_layers(true, true);
}

#[test]
fn recurrent_layers_with_delays_from_below_agree() {
    recurrent_layers(true, false);
}

#[test]
fn recurrent_layers_with_delays_within_agree() {
    recurrent_layers(false, true);
}

/// With delays between layers, within the first, or not.
fn recurrent_layers(between: bool, within: bool) {
    for_each_schedule(|_, schedule| {
        let mut compared = 0;
        for (case, spiking) in [(0, false), (1, false), (2, true), (3, true)] {
            let sizes = if spiking { &[70][..] } else { &[70, 7] };
            let recurrent = ConnectionSpec { delays: within, ..ConnectionSpec::dense("1", "1") };
            let network = chain_with(sizes, (20.0, 10.0), spiking, between, Some(recurrent));
            let mut parameters = Parameters::<f32>::initial(&network);
            let mut uniform = uniform(100 * case + schedule);
            for (connection, scale) in parameters.connections.iter_mut().zip([0.06, 0.8, 0.3]) {
                connection.weights.fill_with(|| (uniform() * 2.0 - 0.6) as f32 * scale);
                fill_delays(connection, &mut uniform);
            }
            // One that spikes before anything arrives.
            parameters.layers[1].bias[69] = 30.0;
            let spikes = spikes(3, 60, &mut uniform);
            let loss = if spiking { Loss::SpikeTimeSum {} } else { Loss::VmaxCrossEntropy {} };
            let draw = Draw { network, parameters, spikes, labels: vec![0, 1, 2], loss };
            let mut cuda = draw.cuda(draw.training());
            let statistics = cuda.differentiate(draw.batch()).unwrap();
            draw.assert_same_in_parts(&cuda, statistics);
            let mut cpu = draw.cpu();
            cpu.differentiate(draw.batch()).unwrap();
            let counts = (cuda.spikes(1).spike_count(), cpu.spikes(1).spike_count());
            assert!(counts.0 > 150, "{} spikes", counts.0);
            // A spike at the edge of vanishing changes all that come after.
            if counts.0 != counts.1 {
                continue;
            }
            let by = |of: fn(&Parameters<f32>) -> Vec<f32>| {
                error(&of(&cuda.gradient()), &of(&cpu.gradient()))
            };
            let inputs = error(cuda.input_gradient(), cpu.input_gradient());
            let errors = [by(weights), by(delays), inputs];
            println!("{} spikes: {errors:?}", counts.0);
            assert!(errors.iter().all(|&error| error < 5e-3), "{errors:?}");
            compared += 1;
        }
        assert!(compared >= 2, "{compared} compared");
    });
}

/// Parts of as many samples as are added up together leave the gradient's bits as they are.
#[test]
fn parts_leave_the_bits() {
    for_each_schedule(|_, schedule| {
        let network = chain(&[40, 7], (20.0, 5.0), false);
        let mut parameters = Parameters::<f32>::initial(&network);
        let mut uniform = uniform(90 + schedule);
        for (connection, scale) in parameters.connections.iter_mut().zip([0.5, 0.3]) {
            connection.weights.fill_with(|| (uniform() * 2.0 - 0.6) as f32 * scale);
        }
        let spikes = spikes(150, 60, &mut uniform);
        let labels = (0..150).map(|sample| sample % 7).collect();
        let draw = Draw { network, parameters, spikes, labels, loss: Loss::VmaxCrossEntropy {} };
        let mut whole = draw.cuda(draw.training());
        whole.differentiate(draw.batch()).unwrap();
        // Room for 64 samples or a few more.
        let options = CudaOptions { adjoint_bytes: 1300 << 10, ..CudaOptions::default() };
        let mut parts = CudaEngine::new(&draw.network, draw.training(), options).unwrap();
        parts.load(&draw.parameters).unwrap();
        parts.differentiate(draw.batch()).unwrap();
        assert!(whole.spikes(1).spike_count() > 150);
        assert_eq!(parts.gradient(), whole.gradient());
    });
}

/// More arrivals with delays than a block sorts in shared memory, however the adjoint, in whose memory it
/// sorts them then, is cut into parts.
#[test]
fn many_arrivals_are_sorted() {
    for_each_schedule(|_, schedule| {
        for loss in [Loss::VmaxCrossEntropy {}, Loss::MeanCrossEntropy {}] {
            let network = delayed_chain(&[40, 7], (20.0, 5.0), false);
            let mut parameters = Parameters::<f32>::initial(&network);
            let mut uniform = uniform(60 + schedule);
            for (connection, scale) in parameters.connections.iter_mut().zip([0.06, 0.3]) {
                connection.weights.fill_with(|| (uniform() * 2.0 - 0.8) as f32 * scale);
                fill_delays(connection, &mut uniform);
            }
            let spikes = spikes(3, 1800, &mut uniform);
            let longest = spikes.iter().map(|train| train.len()).max();
            assert!(longest > Some(1100), "{longest:?}");
            let draw = Draw { network, parameters, spikes, labels: vec![0, 1, 2], loss };
            let mut cuda = draw.cuda(draw.training());
            let statistics = cuda.differentiate(draw.batch()).unwrap();
            draw.assert_same_in_parts(&cuda, statistics);
            let mut cpu = draw.cpu();
            cpu.differentiate(draw.batch()).unwrap();
            assert!(cuda.spikes(1).spike_count() > 50, "{}", cuda.spikes(1).spike_count());
            assert_eq!(cuda.spikes(1).spike_count(), cpu.spikes(1).spike_count());
            let by = |of: fn(&Parameters<f32>) -> Vec<f32>| {
                error(&of(&cuda.gradient()), &of(&cpu.gradient()))
            };
            let inputs = error(cuda.input_gradient(), cpu.input_gradient());
            let errors = [by(weights), by(delays), inputs];
            println!("{} spikes: {errors:?}", cuda.spikes(1).spike_count());
            assert!(errors.iter().all(|&error| error < 5e-3), "{errors:?}");
        }
    });
}

/// A neuron that spikes much more often than there is room for at first, and a layer of more neurons
/// and more spikes than a block has threads: room is made, and the result is that of an engine with room.
#[test]
fn room_is_made_for_many_spikes() {
    for_each_schedule(|_, schedule| {
        let network = chain(&[270, 7], (10.0, 5.0), false);
        let mut parameters = Parameters::<f32>::initial(&network);
        let mut uniform = uniform(7 + schedule);
        for connection in &mut parameters.connections {
            connection.weights.fill_with(|| uniform() as f32 * 0.7);
        }
        let spikes = spikes(3, 200, &mut uniform);
        let labels = vec![0, 1, 2];
        let loss = Loss::VmaxCrossEntropy {};
        let draw = Draw { network, parameters, spikes, labels, loss };
        let mut engine = draw.cuda(draw.training());
        let first = engine.differentiate(draw.batch()).unwrap();
        assert!(engine.spikes(1).spike_count() > 1000, "{}", engine.spikes(1).spike_count());
        let (gradient, activity) = (engine.gradient(), engine.take_activity());
        let total: u64 = activity.iter().flatten().sum();
        assert_eq!(total, engine.spikes(1).spike_count() as u64);
        assert_eq!(engine.differentiate(draw.batch()).unwrap(), first);
        assert_eq!(engine.gradient(), gradient);
        let mut cpu = draw.cpu();
        cpu.differentiate(draw.batch()).unwrap();
        assert!(error(&weights(&gradient), &weights(&cpu.gradient())) < 5e-3);
    });
}

#[test]
fn kept_samples_train_as_given_ones() {
    train_both_ways(&chain(&[36, 7], (20.0, 5.0), false));
}

#[test]
fn kept_samples_train_delays_as_given_ones() {
    train_both_ways(&delayed_chain(&[36, 7], (20.0, 5.0), false));
}

#[test]
fn kept_samples_train_recurrent_delays_as_given_ones() {
    let recurrent = ConnectionSpec { delays: true, ..ConnectionSpec::dense("1", "1") };
    train_both_ways(&chain_with(&[36, 7], (20.0, 5.0), false, true, Some(recurrent)));
}

/// Batches of kept samples train as the same batches given one by one, to the bit; also where room has
/// to be made under way.
fn train_both_ways(network: &Network) {
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

/// A loss without the gradient of samples whose label is silent.
struct Skipping(Loss);

impl Objective<f32> for Skipping {
    fn readout(&self) -> Readout {
        Objective::<f32>::readout(&self.0)
    }

    fn evaluate(&self, outputs: &[f32], label: usize, gradient: &mut [f32]) -> f32 {
        let loss = self.0.evaluate(outputs, label, gradient);
        if outputs[label] >= 30.0 {
            gradient.fill(0.0);
        }
        loss
    }

    fn known(&self) -> Option<KnownLoss> {
        Some(KnownLoss { loss: self.0, skips_silent_label: true })
    }
}

/// Samples whose label is silent leave the gradient alone, if they are to.
#[test]
fn silent_labels_are_skipped() {
    for_each_schedule(|_, schedule| {
        let network = chain(&[20, 7], (20.0, 5.0), true);
        let mut parameters = Parameters::<f32>::initial(&network);
        let mut uniform = uniform(80 + schedule);
        for (connection, scale) in parameters.connections.iter_mut().zip([0.4, 1.0]) {
            connection.weights.fill_with(|| uniform() as f32 * scale);
        }
        // The first output never spikes.
        parameters.connections[1].weights.iter_mut().step_by(7).for_each(|weight| *weight = 0.0);
        let spikes = spikes(8, 90, &mut uniform);
        let loss = Loss::TtfsCrossEntropy { tau: 2.0, alpha: 0.01, tau_early: 10.0 };
        let draw = Draw { network, parameters, spikes, labels: vec![0, 1, 0, 2, 0, 3, 0, 4], loss };
        let skipping = Training { objective: Arc::new(Skipping(loss)), ..draw.training() };
        let gradient = |engine: &mut dyn Engine<f32>| {
            engine.load(&draw.parameters).unwrap();
            engine.differentiate(draw.batch()).unwrap();
            (weights(&engine.gradient()), engine.input_gradient().to_vec())
        };
        let options = CpuOptions { threads: Some(1) };
        let mut cpu = f32::engine(&draw.network, skipping.clone(), options).unwrap();
        let (expected, found) = (gradient(&mut *cpu), gradient(&mut draw.cuda(skipping)));
        let all = gradient(&mut draw.cuda(draw.training()));
        assert!(error(&found.0, &expected.0) < 5e-3 && error(&found.1, &expected.1) < 5e-3);
        let off = error(&all.0, &expected.0);
        assert!(off > 5e-2, "{off} without skipping");
    });
}

/// A spike so soon after an arrival that both have one time: the way back meets them in the opposite order,
/// with delays of 0 as without delays. The neuron's bias brings it to its threshold by then, to the last bits.
#[test]
fn order_within_a_moment_is_kept() {
    for_each_schedule(|_, schedule| {
        // A schedule is as good as another where there is one neuron.
        if schedule > 0 {
            return;
        }
        let differentiate = |between, within, bias| {
            let recurrent = ConnectionSpec { delays: within, ..ConnectionSpec::dense("1", "1") };
            let network = chain_with(&[1], (20.0, 5.0), true, between, Some(recurrent));
            let mut parameters = Parameters::<f32>::initial(&network);
            parameters.connections[1].weights.fill(20.0);
            parameters.layers[1].bias[0] = bias;
            let mut spikes = SpikeBatch::new();
            spikes.push_sorted([(24.0, 3)]).unwrap();
            let loss = Loss::SpikeTimeSum {};
            let draw = Draw { network, parameters, spikes, labels: vec![0], loss };
            let mut engine = draw.cuda(draw.training());
            engine.differentiate(draw.batch()).unwrap();
            (engine.spikes(1), engine.input_gradient()[0])
        };
        let critical = 1.0 / (1.0 - (-24.0_f32 / 20.0).exp());
        let mut met = 0;
        for step in 0..24_u32 {
            let bias = f32::from_bits(critical.to_bits() - 18 + step);
            let (expected, gradient) = differentiate(false, false, bias);
            met += usize::from(expected.get(0).times()[0] == 24.0);
            for (between, within) in [(false, true), (true, false), (true, true)] {
                let (found, other) = differentiate(between, within, bias);
                assert_eq!(found.spike_count(), expected.spike_count());
                assert!((other - gradient).abs() < 1e-3 * gradient.abs(), "{other} {gradient}");
            }
        }
        assert!(met > 3, "{met} at the time of the arrival");
    });
}

/// A layer that drives itself through delays is named, after room was made for its spikes many times.
#[test]
fn late_runaways_are_named() {
    for_each_schedule(|_, _| {
        let recurrent = ConnectionSpec { delays: true, ..ConnectionSpec::dense("1", "1") };
        let network = chain_with(&[2, 7], (20.0, 20.0), false, false, Some(recurrent));
        let mut parameters = Parameters::<f32>::initial(&network);
        for connection in &mut parameters.connections {
            connection.weights.fill(50.0);
            connection.delays.fill(0.5);
        }
        let training = Training::exact(Loss::VmaxCrossEntropy {});
        let training = Training { constant_gradients: false, ..training };
        let mut engine = CudaEngine::new(&network, training, CudaOptions::default()).unwrap();
        engine.load(&parameters).unwrap();
        let mut spikes = SpikeBatch::new();
        spikes.push_sorted([]).unwrap();
        spikes.push_sorted([(1.0, 3)]).unwrap();
        let error = engine.infer(&spikes).unwrap_err();
        let EngineError::Runaway { layer, sample: 1, .. } = &error else { panic!("{error}") };
        assert_eq!(layer, "1");
    });
}

#[test]
fn too_little_memory_is_an_error() {
    for_each_schedule(|device, schedule| {
        if schedule > 0 {
            return;
        }
        let network = chain(&[10_000], (20.0, 5.0), true);
        let loss = Loss::SpikeTimeSum {};
        let training = Training { constant_gradients: false, ..Training::exact(loss) };
        let mut engine = CudaEngine::new(&network, training, CudaOptions::default()).unwrap();
        let samples = device.memory / 1_500_000;
        let mut spikes = SpikeBatch::new();
        (0..samples).for_each(|_| spikes.push_sorted([]).unwrap());
        let error = engine.infer(&spikes).unwrap_err();
        let EngineError::Unavailable { reason, .. } = &error else { panic!("{error}") };
        println!("{error}");
        let words: Vec<&str> = reason.split(' ').collect();
        let fits = words
            .iter()
            .position(|word| *word == "would")
            .and_then(|at| words[at - 1].parse().ok());
        let fits: usize = fits.unwrap_or_else(|| panic!("no batch size in: {reason}"));
        assert!(reason.contains("MiB more than is free"), "{reason}");
        assert!(fits > 0 && fits < samples, "{reason}");
        // The engine works on afterwards.
        let mut one = SpikeBatch::new();
        one.push_sorted([(1.0, 3)]).unwrap();
        assert_eq!(engine.infer(&one).unwrap().predictions.len(), 1);
    });
}
