//! Every kernel of a training on networks of few threads, which still take every turn that a barrier stands at: more
//! arrivals than a warp holds, many of them at one moment, more neurons and more samples than a block takes at once.
//! What is watched for races, and what compute-sanitizer is run on.

mod common;

use common::for_each_schedule;
use eventprop_cuda::{CudaEngine, CudaOptions};
use lif_core::engine::{Batch, Engine, Training};
use lif_core::loss::Loss;
use lif_core::network::{ConnectionKindSpec, ConnectionSpec, LayerSpec};
use lif_core::optimiser::{Clip, Optimiser};
use lif_core::{Network, Parameters, SpikeBatch};

#[test]
fn every_kernel_runs() {
    for_each_schedule(|_, _| {
        let ttfs = Loss::TtfsCrossEntropy { tau: 2.0, alpha: 0.01, tau_early: 10.0 };
        for (loss, delays) in [
            (Loss::VmaxCrossEntropy {}, false),
            (Loss::VmaxCrossEntropy {}, true),
            (Loss::ExpMeanCrossEntropy {}, false),
            (Loss::ExpMeanCrossEntropy {}, true),
            (ttfs, false),
            (ttfs, true),
        ] {
            let losses = train(loss, delays, 2);
            assert!(losses.iter().all(|loss| loss.is_finite()));
            assert!(losses.last() < losses.first(), "{losses:?}");
        }
    });
}

/// The losses of `steps` steps on one batch.
fn train(loss: Loss, delays: bool, steps: usize) -> Vec<f64> {
    let convolved = matches!(loss, Loss::ExpMeanCrossEntropy {}) && !delays;
    let recurrent = matches!(loss, Loss::TtfsCrossEntropy { .. });
    let skips = convolved || (delays && matches!(loss, Loss::VmaxCrossEntropy {}));
    let wide = matches!(loss, Loss::VmaxCrossEntropy {}) && !delays;
    // The gradient's sum is shared among warps from 65 samples on.
    let samples = if convolved { 66 } else { 2 };
    let network = network(if wide { 264 } else { 8 }, recurrent, convolved, delays, skips);
    let training = Training {
        optimiser: Optimiser::ADAM,
        clip: matches!(loss, Loss::VmaxCrossEntropy {}).then_some(Clip::Norm(1.0)),
        constant_gradients: false,
        ..Training::exact(loss)
    };
    let mut engine = CudaEngine::new(&network, training, CudaOptions::default()).unwrap();
    let mut parameters = Parameters::initial(&network);
    let scales = [if convolved { 3.0 } else { 1.0 }, if wide { 0.05 } else { 1.0 }, 0.0, 0.0];
    for (connection, scale) in parameters.connections.iter_mut().zip(scales) {
        for (position, delay) in connection.delays.iter_mut().enumerate() {
            *delay = (position * 7 % 12) as f32 * 0.3;
        }
        for (position, weight) in connection.weights.iter_mut().enumerate() {
            *weight = scale + 0.4 * (position as f32 * 1.7).sin();
        }
    }
    if recurrent {
        // One that spikes before anything arrives.
        parameters.layers[1].bias[7] = 25.0;
    }
    engine.load(&parameters).unwrap();
    let mut spikes = SpikeBatch::new();
    for sample in 0..samples {
        spikes.push_sorted(train_of(sample, if wide { 110 } else { 12 })).unwrap();
    }
    let labels: Vec<u32> = (0..samples as u32).map(|sample| sample % 3).collect();
    let batch = Batch { spikes: &spikes, labels: &labels };
    let losses = (0..steps).map(|_| engine.train_step(batch, 0.01).unwrap().0.loss).collect();
    assert!(engine.spikes(1).spike_count() > 8);
    assert!(engine.input_gradient().iter().any(|&g| g != 0.0));
    losses
}

/// A sample of `count` input spikes, those from the 13th to the 14th last at one moment.
fn train_of(sample: usize, count: usize) -> impl Iterator<Item = (f32, u32)> {
    let after = count.saturating_sub(14).max(12);
    let steps = move |k: usize| k.min(12) + k.saturating_sub(after);
    (0..count).map(move |k| {
        (1.0 + 0.7 * steps(k) as f32 + 0.3 * (sample % 5) as f32, ((k * 5 + sample) % 6) as u32)
    })
}

/// With an output that spikes, where hidden neurons hear one another, or one that does not. With delays, then
/// outputs hear one another too: hidden neurons without delays from below, outputs with them. Outputs may hear the
/// input too, without delays.
fn network(hidden: usize, spiking: bool, convolved: bool, delays: bool, skips: bool) -> Network {
    let mut layers = vec![
        LayerSpec::input("in", 6).with_shape([1, 2, 3]),
        LayerSpec::lif("hidden", hidden, 20.0, 5.0).with_shape([hidden / 4, 2, 2]),
    ];
    layers.push(if spiking {
        LayerSpec::lif("out", 3, 20.0, 5.0)
    } else {
        LayerSpec::li("out", 3, 20.0, 5.0)
    });
    let mut first = ConnectionSpec::dense("in", "hidden");
    if convolved {
        first.kind = ConnectionKindSpec::Conv2d;
        first.kernel = Some([1, 2]);
    }
    first.delays = delays && !spiking;
    let second = ConnectionSpec { delays, ..ConnectionSpec::dense("hidden", "out") };
    let mut connections = vec![first, second];
    connections.extend(skips.then(|| ConnectionSpec::dense("in", "out")));
    if spiking {
        let recurrent = |layer| ConnectionSpec { delays, ..ConnectionSpec::dense(layer, layer) };
        connections.push(recurrent("hidden"));
        connections.extend(delays.then(|| recurrent("out")));
    }
    Network::new(20.0, layers, connections).unwrap()
}
