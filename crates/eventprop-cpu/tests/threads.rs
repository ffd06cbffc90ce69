//! The number of threads changes no bit of what is learned.

mod training;

use eventprop_cpu::{CpuOptions, Precision};
use lif_core::engine::{Batch, Engine, Training};
use lif_core::loss::Loss;
use lif_core::network::{ConnectionSpec, LayerSpec};
use lif_core::{Network, Parameters, SpikeBatch};
use proptest::prelude::*;
use training::{RECIPES, Random, train};

#[test]
fn weights_are_bit_identical_for_any_number_of_threads() {
    for recipe in &RECIPES {
        let one: Vec<u32> = train(recipe, 1).into_iter().map(f32::to_bits).collect();
        for threads in [2, 3, 7] {
            let many = train(recipe, threads);
            let differing =
                one.iter().zip(&many).filter(|&(&one, many)| one != many.to_bits()).count();
            assert_eq!(one.len(), many.len());
            assert_eq!(differing, 0, "{}: {threads} threads against 1", recipe.name);
        }
    }
}

/// An engine whose hidden layer is wide enough to be shared out among threads, of which few neurons spike
/// late, with drawn weights; and these.
fn wide(
    hidden: usize,
    random: &mut Random,
    threads: usize,
) -> (Box<dyn Engine<f32>>, Parameters<f32>) {
    let layers = vec![
        LayerSpec::input("input", 5),
        LayerSpec::lif("hidden", hidden, 20.0, 5.0),
        LayerSpec::lif("output", 3, 20.0, 5.0),
    ];
    let connections =
        vec![ConnectionSpec::dense("input", "hidden"), ConnectionSpec::dense("hidden", "output")];
    let network = Network::new(60.0, layers, connections).unwrap();
    let training = Training {
        input_gradients: false,
        constant_gradients: false,
        ..Training::exact(Loss::TtfsCrossEntropy { tau: 0.5, alpha: 0.003, tau_early: 6.4 })
    };
    let options = CpuOptions { threads: Some(threads) };
    let mut engine = f32::dense_engine(&network, training, options).unwrap();
    let mut parameters = Parameters::initial(&network);
    for (connection, (mean, spread)) in
        parameters.connections.iter_mut().zip([(1.5, 0.78), (0.93 * 200.0 / hidden as f32, 0.1)])
    {
        connection.weights.iter_mut().for_each(|weight| *weight = mean + spread * random.normal());
    }
    engine.load(&parameters).unwrap();
    (engine, parameters)
}

fn batch(samples: usize, random: &mut Random) -> (SpikeBatch<f32>, Vec<u32>) {
    let (mut spikes, mut labels) = (SpikeBatch::new(), Vec::new());
    for _ in 0..samples {
        let mut train: Vec<(f32, u32)> =
            (0..5).map(|input| (random.below(3000) as f32 / 100.0, input)).collect();
        train.sort_by(|a, b| a.0.total_cmp(&b.0));
        spikes.push_sorted(train).unwrap();
        labels.push(random.below(3));
    }
    (spikes, labels)
}

fn bits(parameters: &Parameters<f32>) -> Vec<u32> {
    let weights = parameters.connections.iter().flat_map(|connection| &connection.weights);
    weights.map(|weight| weight.to_bits()).collect()
}

/// What is learned: the gradient, the weights after a step, and the gradient of a next one that is asked for after
/// the neurons' constants have changed; and how often neurons spiked.
fn learned(hidden: usize, samples: usize, seed: u64, threads: usize) -> (Vec<u32>, Vec<Vec<u64>>) {
    let mut random = Random(seed);
    let (mut engine, _) = wide(hidden, &mut random, threads);
    let (spikes, labels) = batch(samples, &mut random);
    let batch = Batch { spikes: &spikes, labels: &labels };
    let mut all = Vec::new();
    engine.differentiate(batch).unwrap();
    all.extend(bits(&engine.gradient()));
    engine.update(0.01).unwrap();
    let mut parameters = engine.parameters();
    all.extend(bits(&parameters));
    engine.differentiate(batch).unwrap();
    let gradient = engine.gradient();
    parameters.layers[1].bias.fill(0.1);
    engine.load(&parameters).unwrap();
    assert_eq!(engine.gradient(), gradient);
    all.extend(bits(&gradient));
    all.extend(engine.gradient_buffer().iter().map(|gradient| gradient.to_bits()));
    (all, engine.take_activity())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn all_that_is_learned_is_bit_identical_for_any_number_of_threads(
        hidden in 120_usize..300,
        samples in 1_usize..150,
        seed: u64,
    ) {
        let one = learned(hidden, samples, seed, 1);
        for threads in [2, 3, 7] {
            prop_assert!(one == learned(hidden, samples, seed, threads), "{threads} threads");
        }
    }

    #[test]
    fn a_gradient_does_not_know_what_was_computed_before(
        hidden in 20_usize..200,
        threads in 1_usize..4,
        history in proptest::collection::vec((1_usize..100, 0_u8..4), 1..6),
        samples in 1_usize..100,
        seed: u64,
    ) {
        let mut random = Random(seed);
        let (mut engine, parameters) = wide(hidden, &mut random, threads);
        for (samples, then) in history {
            let (spikes, labels) = batch(samples, &mut random);
            engine.differentiate(Batch { spikes: &spikes, labels: &labels }).unwrap();
            match then {
                0 => {}
                1 => _ = engine.update(0.01).unwrap(),
                2 => _ = engine.gradient_buffer(),
                _ => {
                    engine.gradient_buffer();
                    engine.update(0.01).unwrap();
                }
            }
        }
        engine.load(&parameters).unwrap();
        let (mut fresh, _) = wide(hidden, &mut Random(seed), threads);
        let (spikes, labels) = batch(samples, &mut random);
        let batch = Batch { spikes: &spikes, labels: &labels };
        engine.differentiate(batch).unwrap();
        fresh.differentiate(batch).unwrap();
        prop_assert_eq!(bits(&engine.gradient()), bits(&fresh.gradient()));
    }
}
