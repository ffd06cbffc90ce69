//! Losses on the voltages of an output layer that spikes: the engine against the CPU engine and the reference, and against
//! itself.

#[path = "common/agree.rs"]
mod agree;
mod common;
#[path = "common/draw.rs"]
mod draw;
#[path = "common/kept.rs"]
mod kept;
#[path = "common/lively.rs"]
mod lively;

use agree::{List, Settings, engines_agree_where, error};
use common::for_each_schedule;
use draw::{Draw, INPUTS, delays, uniform, weights};
use eventprop_cuda::{CudaEngine, CudaOptions};
use kept::train_both_ways;
use lif_core::engine::{Engine, RateTarget, Training};
use lif_core::loss::Loss;
use lif_core::network::{ConnectionSpec, LayerSpec, OneOrMany};
use lif_core::{Network, Real};
use lively::{draw, layer};
use proptest::prelude::*;

/// Slopes below `floor` divide by it, and the last layers have a pull on their spikes.
struct Floored {
    floor: f64,
    pulled: bool,
}

impl Settings for Floored {
    fn change<T: Real>(&self, training: Training<T>) -> Training<T> {
        let pull = |layer| RateTarget { layer, target: 1.5, strength: 0.05 };
        let rate_targets = (2..=3).filter(|_| self.pulled).map(pull).collect();
        Training { rate_targets, slope_floor: self.floor, ..training }
    }
}

/// A hidden layer, an output with a reset, thresholds and biases of its own, perhaps time constants too, and one that hears
/// it, which nobody hears. The output hears the input too, or not.
fn network(
    size: usize,
    [delays, skips, own_taus]: [bool; 3],
    reset: f64,
    uniform: &mut impl FnMut() -> f64,
) -> Network {
    let mut out = layer("out", 40, true);
    out.reset = Some(reset);
    out.threshold = Some(OneOrMany::Many((0..40).map(|_| 0.7 + uniform()).collect()));
    out.bias = Some(OneOrMany::Many((0..40).map(|_| 0.4 * uniform() - 0.2).collect()));
    if own_taus {
        set_own_taus(&mut out, 40, uniform);
    }
    let layers =
        vec![LayerSpec::input("0", INPUTS), layer("1", size, true), layer("2", 9, true), out];
    let mut connections = vec![("0", "1"), ("1", "out"), ("out", "2")];
    connections.extend(skips.then_some(("0", "out")));
    let connections = connections.into_iter();
    let connections = connections
        .map(|(from, to)| ConnectionSpec { delays, ..ConnectionSpec::dense(from, to) })
        .collect();
    Network::new(30.0, layers, connections).unwrap()
}

/// Gives each of `size` neurons time constants of its own.
fn set_own_taus(layer: &mut LayerSpec, size: usize, uniform: &mut impl FnMut() -> f64) {
    let mut list = |low: f64, more: f64| (0..size).map(|_| low + more * uniform()).collect();
    layer.tau_mem = Some(OneOrMany::Many(list(8.0, 15.0)));
    layer.tau_syn = Some(OneOrMany::Many(list(3.0, 6.0)));
}

fn voltages() -> impl Strategy<Value = Loss> {
    prop_oneof![
        Just(Loss::VmaxCrossEntropy {}),
        Just(Loss::MeanCrossEntropy {}),
        Just(Loss::ExpMeanCrossEntropy {}),
    ]
}

fn draws(delays: bool) -> impl Strategy<Value = Draw> {
    let cases = (voltages(), any::<[bool; 2]>(), 10..=60_usize, 2..5_usize, any::<u64>());
    cases.prop_map(move |(loss, [skips, own_taus], size, samples, seed)| {
        let mut uniform = uniform(seed);
        let network = network(size, [delays, skips, own_taus], -0.3, &mut uniform);
        let mut draw = draw(network, loss, samples, &mut uniform);
        if delays {
            // What comes late has less time to act.
            let all = draw.parameters.connections.iter_mut();
            all.flat_map(|own| &mut own.weights).for_each(|weight| *weight *= 2.0);
        }
        // Some outputs are silent.
        let into_output = &mut draw.parameters.connections[1].weights;
        into_output.iter_mut().skip(1).step_by(3).for_each(|weight| *weight *= 0.1);
        draw
    })
}

/// Whether a floor acts at one of a neuron's spikes alone: that of the highest voltage. All have the threshold's, and which
/// is the highest rounding decides.
fn is_one_spike_s(loss: Loss) -> bool {
    matches!(loss, Loss::VmaxCrossEntropy {})
}

fn check(delays: bool, floor: f64) {
    engines_agree_where(
        || draws(delays),
        |draw| {
            let floor = if is_one_spike_s(draw.loss) { 0.0 } else { floor };
            let settings = Floored { floor, pulled: draw.labels.len() > 2 };
            draw.compare_with(CudaOptions::default(), draw.some_constants(), &settings)
        },
    );
}

#[test]
fn engines_agree() {
    check(false, 0.0);
}

#[test]
fn engines_agree_with_delays() {
    check(true, 0.0);
}

#[test]
fn engines_agree_with_a_slope_floor() {
    check(false, 2.0);
}

/// A draw in which some outputs spike in some samples, and some are silent.
fn half_silent(loss: Loss, delays: bool, reset: f64, seed: u64) -> Draw {
    let mut uniform = uniform(seed);
    let network = network(60, [delays, true, false], reset, &mut uniform);
    let mut draw = draw(network, loss, 5, &mut uniform);
    draw.parameters.connections[0].weights.iter_mut().for_each(|weight| *weight *= 2.0);
    for own in [1, 3] {
        let weights = &mut draw.parameters.connections[own].weights;
        weights
            .iter_mut()
            .enumerate()
            .for_each(|(place, weight)| *weight *= 0.8 * (place % 5) as f32);
    }
    draw
}

/// What is measured is what the CPU engine measures, in spiking and in silent neurons, and batches may be cut into parts.
#[test]
fn outputs_are_measured() {
    for_each_schedule(|_, schedule| {
        for delays in [false, true] {
            for loss in
                [Loss::VmaxCrossEntropy {}, Loss::MeanCrossEntropy {}, Loss::ExpMeanCrossEntropy {}]
            {
                let draw = half_silent(loss, delays, -0.3, 30 + schedule);
                let mut cuda = draw.cuda(draw.training());
                draw.assert_measured(&mut cuda);
                let trains = cuda.spikes(3);
                let spiking = trains.iter().map(|train| {
                    let mut neurons = train.indices().to_vec();
                    neurons.sort_unstable();
                    neurons.dedup();
                    neurons.len()
                });
                let spiking: usize = spiking.sum();
                assert!((20..180).contains(&spiking), "{spiking} of 200 spike");
                let statistics = cuda.differentiate(draw.batch()).unwrap();
                draw.assert_same_in_parts(&cuda, statistics);
                draw.compare(CudaOptions::default(), &[]).unwrap();
            }
        }
    });
}

/// Where a neuron spikes once there is no doubt which voltage is its highest: the slope floor acts at that spike, beside what
/// moves it.
#[test]
fn a_floor_acts_where_the_voltage_is_highest() {
    for_each_schedule(|_, schedule| {
        for delays in [false, true] {
            let draw = half_silent(Loss::VmaxCrossEntropy {}, delays, -300.0, 60 + schedule);
            let settings = Floored { floor: 2.0, pulled: false };
            draw.compare_with(CudaOptions::default(), &[], &settings).unwrap();
            let mut cuda = draw.cuda(settings.change(draw.training()));
            assert!(cuda.differentiate(draw.batch()).unwrap().grazing > 20);
            for train in cuda.spikes(3).iter() {
                let mut neurons = train.indices().to_vec();
                neurons.sort_unstable();
                assert!(neurons.windows(2).all(|pair| pair[0] != pair[1]));
            }
        }
    });
}

#[test]
fn kept_samples_train_as_given_ones() {
    train_both_ways(&network(36, [false, true, true], -0.3, &mut uniform(8)));
    train_both_ways(&recurrent(36, ITSELF, [false, true, false], -0.3, &mut uniform(9)));
}

/// A hidden layer and an output, which hears itself, or is heard by the hidden layer too, and by one that nobody hears. With delays between layers, upwards
/// or the other ways, or without; the output's neurons perhaps with time constants of their own.
fn recurrent(
    size: usize,
    ways: &[(usize, usize)],
    [upwards, back, own_taus]: [bool; 3],
    reset: f64,
    uniform: &mut impl FnMut() -> f64,
) -> Network {
    let names = ["0", "1", "2", "out"];
    let mut out = layer("out", 35, true);
    out.reset = Some(reset);
    out.bias = Some(OneOrMany::Many((0..35).map(|_| 0.4 * uniform() - 0.2).collect()));
    if own_taus {
        set_own_taus(&mut out, 35, uniform);
    }
    let hidden = LayerSpec { tau_mem: Some(OneOrMany::One(15.0)), ..layer("1", size, true) };
    let layers = vec![LayerSpec::input("0", INPUTS), hidden, layer("2", 9, true), out];
    let below = [(0, 1), (1, 3), (0, 3), (3, 2)];
    let connections = below.iter().chain(ways).map(|&(from, to)| ConnectionSpec {
        delays: if from < to { upwards } else { back },
        ..ConnectionSpec::dense(names[from], names[to])
    });
    Network::new(30.0, layers, connections.collect()).unwrap()
}

/// Draws with delays as it comes, and how many threads walk them: a neuron each, or several each.
fn recurrent_draws(ways: &'static [(usize, usize)]) -> impl Strategy<Value = (Draw, CudaOptions)> {
    let walks =
        (any::<[bool; 3]>(), prop_oneof![Just(0.0), Just(-0.3)], prop_oneof![Just(32), Just(1024)]);
    let cases = (voltages(), walks, 8..=24_usize, 1..4_usize, any::<u64>());
    cases.prop_map(move |(loss, (how, reset, recurrent_threads), size, samples, seed)| {
        let mut uniform = uniform(seed);
        let network = recurrent(size, ways, how, reset, &mut uniform);
        let mut draw = draw(network, loss, samples, &mut uniform);
        // Some outputs are silent.
        for own in [1, 2] {
            let into_output = &mut draw.parameters.connections[own].weights;
            into_output.iter_mut().step_by(5).for_each(|weight| *weight *= 0.1);
        }
        part_arrivals(&mut draw, &mut uniform);
        (draw, CudaOptions { recurrent_threads, ..CudaOptions::default() })
    })
}

/// No two arrivals at one moment: with which of them a highest voltage moves is a matter of taste.
fn part_arrivals(draw: &mut Draw, uniform: &mut impl FnMut() -> f64) {
    let trains = draw.spikes.iter().map(|train| {
        let mut parted: Vec<(f32, u32)> =
            train.iter().map(|(time, source)| (time + 0.2 * uniform() as f32, source)).collect();
        parted.sort_by(|a, b| a.0.total_cmp(&b.0));
        parted
    });
    let trains: Vec<_> = trains.collect();
    draw.spikes.clear();
    trains.into_iter().for_each(|train| draw.spikes.push_sorted(train).unwrap());
    for own in &mut draw.parameters.connections {
        own.delays.iter_mut().for_each(|delay| *delay += 0.2 * uniform() as f32);
    }
}

/// CUDA = reference, unless a spike is so near to vanishing that single precision decides. Returns the spikes of each
/// layer.
fn compare_with_reference(draw: &Draw, options: CudaOptions) -> Result<Vec<usize>, TestCaseError> {
    // One that acts at most spikes.
    let resets = draw.network.output().constants().is_some_and(|own| own.reset != 0.0);
    let floor = if resets || is_one_spike_s(draw.loss) { 0.0 } else { 2.0 };
    let settings = Floored { floor, pulled: draw.labels.len() > 1 };
    let (reference, expected) = draw.reference(&settings);
    let constants = draw.some_constants();
    let training = Training { constant_gradients: !constants.is_empty(), ..draw.training() };
    let training = settings.change(training);
    let mut cuda = CudaEngine::new(&draw.network, training, options).unwrap();
    cuda.load(&draw.parameters).unwrap();
    let statistics = cuda.differentiate(draw.batch()).unwrap();
    let layers = 1..=draw.network.output_index();
    let counts: Vec<usize> = layers.clone().map(|layer| cuda.spikes(layer).spike_count()).collect();
    if counts != layers.map(|layer| reference.spikes(layer).spike_count()).collect::<Vec<_>>() {
        return Err(TestCaseError::reject("a spike at the edge of vanishing"));
    }
    prop_assert!((statistics.loss - expected.loss).abs() <= 1e-4 * (1.0 + expected.loss.abs()));
    let others: [List; 2] = [("weights", weights), ("delays", delays)];
    for (what, of) in constants.iter().copied().chain(others) {
        let off = error(&of(&cuda.gradient()), &of(&reference.gradient().cast()));
        prop_assert!(off < 5e-3, "{} {}", what, off);
    }
    let inputs: Vec<f32> = reference.input_gradient().iter().map(|&g| g as f32).collect();
    let off = error(cuda.input_gradient(), &inputs);
    prop_assert!(off < 5e-3, "inputs {}", off);
    println!("{} samples, spikes {counts:?}", draw.spikes.len());
    Ok(counts)
}

const ITSELF: &[(usize, usize)] = &[(3, 3), (3, 3)];
const AROUND: &[(usize, usize)] = &[(3, 1), (3, 3)];

#[test]
fn engines_agree_on_outputs_that_hear_themselves() {
    engines_agree_where(
        || recurrent_draws(ITSELF),
        |(draw, options)| compare_with_reference(draw, *options),
    );
}

#[test]
fn engines_agree_on_outputs_that_are_heard_around() {
    engines_agree_where(
        || recurrent_draws(AROUND),
        |(draw, options)| compare_with_reference(draw, *options),
    );
}
