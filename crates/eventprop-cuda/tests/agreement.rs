//! The engine against the CPU engine and the reference on networks wider than a block of threads.

#[path = "common/agree.rs"]
mod agree;
#[path = "common/chain.rs"]
mod chain;
mod common;
#[path = "common/draw.rs"]
mod draw;

use agree::{engines_agree, error};
use chain::{chain, chain_with, delayed_chain};
use common::for_each_schedule;
use draw::{Draw, INPUTS, delays, fill_delays, spikes, uniform, weights};
use lif_core::engine::{Engine, Training};
use lif_core::loss::{KnownLoss, Loss, Objective, Readout};
use lif_core::network::ConnectionSpec;
use lif_core::{Parameters, SpikeBatch};
use proptest::prelude::*;
use std::sync::Arc;

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

#[test]
fn engines_agree_on_wide_networks() {
    engines_agree(|| draws(2, 150, 20.0, false, false));
}

#[test]
fn engines_agree_on_wide_networks_with_delays() {
    engines_agree(|| draws(2, 150, 20.0, true, false));
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
            let mut cpu = draw.cpu(draw.training());
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
            let mut cpu = draw.cpu(draw.training());
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
        let mut cpu = draw.cpu(draw.training());
        cpu.differentiate(draw.batch()).unwrap();
        assert!(error(&weights(&gradient), &weights(&cpu.gradient())) < 5e-3);
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
        let mut cpu = draw.cpu(skipping.clone());
        let (expected, found) = (gradient(&mut *cpu), gradient(&mut draw.cuda(skipping)));
        let all = gradient(&mut draw.cuda(draw.training()));
        assert!(error(&found.0, &expected.0) < 5e-3 && error(&found.1, &expected.1) < 5e-3);
        let off = error(&all.0, &expected.0);
        assert!(off > 5e-2, "{off} without skipping");
    });
}
