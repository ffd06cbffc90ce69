//! That training on kept samples is training on given ones.
// Each test file uses a part of it.
#![allow(dead_code)]

use crate::common::for_each_schedule;
use crate::draw::{Draw, delays, fill_delays, spikes, uniform, weights};
use lif_core::engine::{Batch, Engine, Training};
use lif_core::loss::Loss;
use lif_core::optimiser::{Clip, LearningRates, Optimiser};
use lif_core::{Network, Parameters, SpikeBatch};

/// Batches of kept samples train as the same batches given one by one, to the bit; also where room has
/// to be made under way.
pub(crate) fn train_both_ways(network: &Network) {
    train_both_ways_with(network, |training| training);
}

/// The same for a training changed by `change`.
pub(crate) fn train_both_ways_with(
    network: &Network,
    change: impl Fn(Training<f32>) -> Training<f32>,
) {
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
        let training = change(Training {
            learning_rates: LearningRates { delays: 20.0, ..LearningRates::default() },
            optimiser: Optimiser::ADAM,
            clip: Some(Clip::Norm(0.05)),
            input_gradients: false,
            ..draw.training()
        });
        let order: Vec<u32> = (0..23).map(|position| position * 5 % 23).collect();
        let (size, rates) = (4, [0.01, 0.02, 0.03, 0.02, 0.01, 0.005]);

        let mut kept = draw.cuda(training.clone());
        let resident = kept.resident().unwrap();
        resident.keep(draw.batch()).unwrap();
        let mut trained = Vec::new();
        resident
            .train(&order, size, &rates, &mut |batch, update| trained.push((batch, update)))
            .unwrap();

        let mut given = draw.cuda(training);
        let mut expected = Vec::new();
        for (samples, rate) in order.chunks(size).zip(rates) {
            let mut spikes = SpikeBatch::new();
            samples.iter().for_each(|&sample| spikes.push_train(draw.spikes.get(sample as usize)));
            let labels: Vec<u32> =
                samples.iter().map(|&sample| draw.labels[sample as usize]).collect();
            let batch = Batch { spikes: &spikes, labels: &labels };
            expected.push(given.train_step(batch, rate).unwrap());
        }
        assert_eq!(kept.parameters(), given.parameters());
        assert_eq!(kept.optimiser_state(), given.optimiser_state());
        assert_eq!(kept.take_activity(), given.take_activity());
        assert_eq!(trained, expected);
        assert_ne!(weights(&kept.parameters()), weights(&draw.parameters));
        let trained = delays(&kept.parameters());
        assert!(trained.is_empty() || trained != delays(&draw.parameters));
        // Those that would be negative are held at 0.
        assert!(trained.is_empty() || trained.contains(&0.0));
        assert!(trained.iter().all(|&delay| delay >= 0.0));
    });
}
