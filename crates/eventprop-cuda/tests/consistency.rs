//! The engine against itself: batches in parts, training on kept samples, the order of what happens at one time; and the
//! errors after which it goes on.

#[path = "common/chain.rs"]
mod chain;
mod common;
#[path = "common/draw.rs"]
mod draw;
#[path = "common/kept.rs"]
mod kept;

use chain::{chain, chain_with, delayed_chain};
use common::for_each_schedule;
use draw::{Draw, spikes, uniform};
use eventprop_cuda::{CudaEngine, CudaOptions};
use kept::train_both_ways;
use lif_core::engine::{Engine, EngineError, Training};
use lif_core::loss::Loss;
use lif_core::network::ConnectionSpec;
use lif_core::{Parameters, SpikeBatch};

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
        let options = CudaOptions { adjoint_bytes: Some(1300 << 10), ..CudaOptions::default() };
        let mut parts = CudaEngine::new(&draw.network, draw.training(), options).unwrap();
        parts.load(&draw.parameters).unwrap();
        parts.differentiate(draw.batch()).unwrap();
        assert!(whole.spikes(1).spike_count() > 150);
        assert_eq!(parts.gradient(), whole.gradient());
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

/// A parameter that an update leaves without a finite value is an error of its batch, named by the first layer that has one;
/// with other parameters the engine works on.
#[test]
fn parameters_stay_finite() {
    const TOO_FAST: f64 = 1e60;
    for_each_schedule(|_, schedule| {
        let network = chain(&[36, 7], (20.0, 5.0), false);
        let mut parameters = Parameters::<f32>::initial(&network);
        let mut uniform = uniform(7 + schedule);
        for connection in &mut parameters.connections {
            connection.weights.fill_with(|| uniform() as f32);
        }
        let spikes = spikes(3, 60, &mut uniform);
        let loss = Loss::VmaxCrossEntropy {};
        let draw = Draw { network, parameters, spikes, labels: vec![0, 1, 2], loss };
        let first = &draw.network.layers()[1].name;
        let is_expected = |error: &EngineError| {
            let EngineError::NotFinite { layer, .. } = error else { panic!("{error}") };
            assert_eq!(layer, first);
        };
        let training = Training { constant_gradients: false, ..draw.training() };
        let mut engine = draw.cuda(training);
        is_expected(&engine.train_step(draw.batch(), TOO_FAST).unwrap_err());
        engine.load(&draw.parameters).unwrap();
        let kept = engine.resident().unwrap();
        kept.keep(draw.batch()).unwrap();
        let mut trained = 0;
        let rates = [1e-3, TOO_FAST, 1e-3];
        let error = kept.train(&[0, 1, 2], 1, &rates, &mut |_, _| trained += 1).unwrap_err();
        is_expected(&error.error);
        assert_eq!((error.batch, trained), (1, 1));
        engine.load(&draw.parameters).unwrap();
        engine.resident().unwrap().train(&[0, 1, 2], 3, &[1e-3], &mut |_, _| {}).unwrap();
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
