//! Every kernel of a training on networks of few threads, which still take every turn that a barrier stands at: more
//! arrivals than a warp holds, many of them at one moment, more neurons and more samples than a block takes at once.
//! What is watched for races, and what compute-sanitizer is run on.

mod common;

use common::for_each_schedule;
use eventprop_cuda::{ByArrival, CudaEngine, CudaGridEngine, CudaOptions};
use lif_core::engine::{Batch, BatchStatistics, Engine, Training};
use lif_core::grid::{GridSpec, GridVariant};
use lif_core::loss::{Loss, Objective, Readout};
use lif_core::network::{Adaptation, ConnectionKindSpec, ConnectionSpec, LayerSpec, OneOrMany};
use lif_core::optimiser::{Clip, LearningRates, Optimiser};
use lif_core::{Network, Parameters, SpikeBatch};
use std::sync::Arc;

/// A training of the smallest kind but for what it names.
#[derive(Clone, Copy)]
struct Case {
    loss: Loss,
    hidden: usize,
    samples: usize,
    /// Input spikes of a sample.
    spikes: usize,
    delays: bool,
    convolved: bool,
    /// Hidden neurons hear one another; then outputs spike.
    recurrent: bool,
    /// Outputs hear the input too.
    skips: bool,
    /// What neurons that spike have.
    refractory: Option<f64>,
    adaptation: Option<Adaptation>,
    /// Hidden neurons have each time constants of their own.
    own_taus: bool,
    /// The constants of neurons are learned.
    constants: bool,
    /// Outputs spike, and a layer hears them that nobody hears.
    tail: bool,
    /// Walks have a lane an arrival wherever that can be, or a thread a neuron.
    by_arrival: bool,
}

const SMALLEST: Case = Case {
    loss: Loss::VmaxCrossEntropy {},
    hidden: 8,
    samples: 2,
    spikes: 12,
    delays: false,
    convolved: false,
    recurrent: false,
    skips: false,
    refractory: None,
    adaptation: None,
    own_taus: false,
    constants: false,
    tail: false,
    by_arrival: false,
};

#[test]
fn every_kernel_runs() {
    let mean = Case { loss: Loss::ExpMeanCrossEntropy {}, ..SMALLEST };
    let loss = Loss::TtfsCrossEntropy { tau: 2.0, alpha: 0.01, tau_early: 10.0 };
    let recurrent = Case { loss, hidden: 40, recurrent: true, ..SMALLEST };
    let refractory = Case { refractory: Some(0.8), ..SMALLEST };
    let adaptation = Some(Adaptation { beta: 0.2, tau: 6.0 });
    let adaptive = Case { adaptation, ..refractory };
    let cases = [
        Case { hidden: 264, spikes: 110, ..SMALLEST },
        Case { delays: true, skips: true, ..SMALLEST },
        // The gradient's sum is shared among warps from 65 samples on.
        Case { samples: 66, convolved: true, skips: true, ..mean },
        Case { delays: true, ..mean },
        recurrent,
        Case { delays: true, ..recurrent },
        Case { hidden: 40, spikes: 110, ..refractory },
        Case { delays: true, ..refractory },
        Case { hidden: 40, spikes: 110, ..adaptive },
        Case { delays: true, ..adaptive },
        Case { own_taus: true, ..refractory },
        Case { own_taus: true, delays: true, ..refractory },
        Case { own_taus: true, ..adaptive },
        Case { own_taus: true, delays: true, ..adaptive },
        Case { refractory: Some(0.8), adaptation, ..recurrent },
        Case { refractory: Some(0.8), adaptation, delays: true, ..recurrent },
        Case { constants: true, ..SMALLEST },
        Case { constants: true, delays: true, skips: true, ..SMALLEST },
        Case { constants: true, samples: 17, ..mean },
        Case { constants: true, delays: true, ..mean },
        Case { constants: true, ..adaptive },
        Case { constants: true, ..recurrent },
        Case { constants: true, delays: true, ..recurrent },
        Case { loss: Loss::SpikeTimeSum {}, tail: true, ..SMALLEST },
        Case { tail: true, ..SMALLEST },
        Case { delays: true, tail: true, ..SMALLEST },
        Case { tail: true, ..mean },
        Case { delays: true, tail: true, ..mean },
        Case { constants: true, tail: true, ..SMALLEST },
        Case { constants: true, delays: true, tail: true, ..mean },
        Case { constants: true, tail: true, ..adaptive },
        Case { constants: true, delays: true, tail: true, loss: mean.loss, ..adaptive },
        Case { recurrent: true, delays: true, loss: mean.loss, ..refractory },
        Case { hidden: 40, spikes: 110, by_arrival: true, ..SMALLEST },
        Case { by_arrival: true, ..mean },
        Case { hidden: 16, recurrent: true, ..mean },
        Case { hidden: 16, recurrent: true, delays: true, ..mean },
    ];
    for_each_schedule(|_, _| {
        for case in cases {
            let losses = train(case, 2);
            assert!(losses.iter().all(|loss| loss.is_finite()));
            assert!(losses.last() < losses.first(), "{losses:?}");
        }
    });
}

/// The clock-driven engine: more neurons than a block steps through at a time, more inputs at a step than a thread adds up, more
/// samples than warps look up at once, more steps than a word has bits and than shared memory holds; layers that hear layers.
#[test]
fn every_kernel_of_a_grid_runs() {
    use GridVariant::{First, Head};
    let known = || Arc::new(TTFS) as Arc<dyn Objective<f32>>;
    let own = || Arc::new(Own) as Arc<dyn Objective<f32>>;
    for_each_schedule(|_, _| {
        train_on_grid(Head, known(), None, &[5], 3);
        train_on_grid(First, known(), None, &[5], 66);
        train_on_grid(Head, known(), Some(Clip::Norm(1.0)), &[258], 2);
        train_on_grid(First, own(), None, &[5], 2);
        train_on_grid(Head, own(), None, &[5], 3);
        train_on_grid(Head, known(), None, &[258, 5], 2);
        train_on_grid(Head, own(), None, &[6, 5, 4], 3);
    });
}

const TTFS: Loss = Loss::TtfsCrossEntropy { tau: 2.0, alpha: 0.01, tau_early: 10.0 };

/// A loss that only the host knows.
struct Own;

impl Objective<f32> for Own {
    fn readout(&self) -> Readout {
        Readout::FirstSpike
    }

    fn evaluate(&self, outputs: &[f32], label: usize, gradient: &mut [f32]) -> f32 {
        Objective::<f32>::evaluate(&TTFS, outputs, label, gradient)
    }
}

fn train_on_grid(
    variant: GridVariant,
    objective: Arc<dyn Objective<f32>>,
    clip: Option<Clip>,
    sizes: &[usize],
    samples: usize,
) {
    let mut layers = vec![LayerSpec::input("0", 90)];
    let mut connections = Vec::new();
    for (below, &size) in sizes.iter().enumerate() {
        layers.push(LayerSpec::lif((below + 1).to_string(), size, 20.0, 5.0));
        connections.push(ConnectionSpec::dense(below.to_string(), (below + 1).to_string()));
    }
    let network = Network::new(20.0, layers, connections).unwrap();
    let training = Training {
        objective,
        optimiser: Optimiser::ADAM,
        clip,
        input_gradients: variant == GridVariant::Head,
        ..Training::exact(TTFS)
    };
    let spec = GridSpec::new(0.5, variant);
    let mut engine = CudaGridEngine::new(&network, spec, training, 0).unwrap();
    let mut parameters = Parameters::initial(&network);
    let inputs = std::iter::once(&90).chain(sizes);
    for ((connection, &inputs), &neurons) in
        parameters.connections.iter_mut().zip(inputs).zip(sizes)
    {
        for (position, weight) in connection.weights.iter_mut().enumerate() {
            *weight = (4.0 + 5.0 * (position as f32 * 1.7).sin()) * 0.9 / inputs as f32;
        }
        // Silent until it is raised.
        connection.weights.iter_mut().skip(1).step_by(neurons).for_each(|weight| *weight = 0.0);
    }
    engine.load(&parameters).unwrap();
    let mut spikes = SpikeBatch::new();
    for sample in 0..samples as u32 {
        // All inputs but some at one of two times, most at the second, and some again.
        let early = (0..90).filter(|i| (i * 7 + sample) % 5 == 0).map(|i| (1.0, i));
        let late = (0..90).filter(|i| (i * 7 + sample) % 5 > 1).map(|i| (2.0, i));
        let again = (0..3).map(|i| (3.0, i * 5 + sample % 7));
        spikes.push_sorted(early.chain(late).chain(again)).unwrap();
    }
    let labels: Vec<u32> = (0..samples as u32).map(|sample| sample % 3).collect();
    let batch = Batch { spikes: &spikes, labels: &labels };
    let (statistics, _) = engine.train_step(batch, 0.01).unwrap();
    assert!(statistics.loss.is_finite() && statistics.bumps > 0, "{statistics:?}");
    for layer in 1..=sizes.len() {
        assert_eq!(engine.spikes(layer).len(), samples);
        // In the other variant silent neurons are raised after the pass.
        let spikes = engine.spikes(layer).spike_count() > 0;
        assert!(spikes || variant == GridVariant::First, "layer {layer} of {sizes:?} is silent");
    }
    let by_time = engine.input_gradient().iter().any(|&g| g != 0.0);
    assert_eq!(by_time, variant == GridVariant::Head);
    engine.infer(&spikes).unwrap();
    let kept = engine.resident().unwrap();
    kept.keep(batch).unwrap();
    let order: Vec<u32> = (0..samples as u32).collect();
    let mut trained = 0;
    let mut count = |batch: BatchStatistics, _| trained += batch.samples;
    kept.train(&order, samples.div_ceil(2), &[0.01, 0.01], &mut count).unwrap();
    assert_eq!(trained, samples);
}

/// The losses of `steps` steps on one batch.
fn train(case: Case, steps: usize) -> Vec<f64> {
    let network = network(case);
    let training = Training {
        optimiser: Optimiser::ADAM,
        clip: matches!(case.loss, Loss::VmaxCrossEntropy {}).then_some(Clip::Norm(1.0)),
        constant_gradients: false,
        learning_rates: match case.constants {
            true => LearningRates {
                tau_mem: 1.0,
                tau_syn: 1.0,
                threshold: 1.0,
                bias: 1.0,
                ..<_>::default()
            },
            false => LearningRates::default(),
        },
        ..Training::exact(case.loss)
    };
    let by_arrival = if case.by_arrival { ByArrival::Always } else { ByArrival::Never };
    let options = CudaOptions { by_arrival, ..CudaOptions::default() };
    let mut engine = CudaEngine::new(&network, training, options).unwrap();
    let mut parameters = Parameters::initial(&network);
    let first = if case.convolved { 3.0 } else { 1.0 };
    let second = match case {
        // Some outputs spike, some do not.
        Case { tail: true, loss: Loss::VmaxCrossEntropy {}, .. } => 0.2,
        Case { spikes: 100.., .. } => 0.05,
        _ => 1.0,
    };
    for (connection, scale) in parameters.connections.iter_mut().zip([first, second, 0.0, 0.0]) {
        for (position, delay) in connection.delays.iter_mut().enumerate() {
            *delay = (position * 7 % 12) as f32 * 0.3;
        }
        for (position, weight) in connection.weights.iter_mut().enumerate() {
            *weight = scale + 0.4 * (position as f32 * 1.7).sin();
        }
    }
    if case.recurrent {
        // One that spikes before anything arrives.
        parameters.layers[1].bias[7] = 25.0;
    }
    engine.load(&parameters).unwrap();
    let mut spikes = SpikeBatch::new();
    for sample in 0..case.samples {
        spikes.push_sorted(inputs(sample, case.spikes)).unwrap();
    }
    let labels: Vec<u32> = (0..case.samples as u32).map(|sample| sample % 3).collect();
    let batch = Batch { spikes: &spikes, labels: &labels };
    let losses = (0..steps).map(|_| engine.train_step(batch, 0.01).unwrap().0.loss).collect();
    assert!(engine.spikes(1).spike_count() > 8);
    assert!(engine.input_gradient().iter().any(|&g| g != 0.0));
    losses
}

/// The spikes of a sample; of more than 26 those from the 13th to the 14th last are at one moment.
fn inputs(sample: usize, count: usize) -> impl Iterator<Item = (f32, u32)> {
    let after = count.saturating_sub(14).max(12);
    (0..count).map(move |k| {
        let step = k.min(12) + k.saturating_sub(after);
        (1.0 + 0.7 * step as f32 + 0.3 * (sample % 5) as f32, ((k * 5 + sample) % 6) as u32)
    })
}

/// With recurrence, and delays or a loss on their voltages, outputs hear one another too: with delays hidden neurons without delays from below, outputs with
/// them.
fn network(case: Case) -> Network {
    let Case { hidden, delays, recurrent, refractory, adaptation, .. } = case;
    let mut layers = vec![
        LayerSpec::input("in", 6).with_shape([1, 2, 3]),
        LayerSpec { refractory, adaptation, ..LayerSpec::lif("hidden", hidden, 20.0, 5.0) }
            .with_shape([hidden / 4, 2, 2]),
    ];
    layers.extend(case.tail.then(|| LayerSpec::lif("tail", 4, 20.0, 5.0)));
    layers.push(if recurrent || case.tail {
        LayerSpec { refractory, adaptation, ..LayerSpec::lif("out", 3, 20.0, 5.0) }
    } else {
        LayerSpec::li("out", 3, 20.0, 5.0)
    });
    if case.own_taus {
        let taus = (0..hidden).map(|neuron| 12.0 + (neuron % 5) as f64);
        layers[1].tau_mem = Some(OneOrMany::Many(taus.collect()));
    }
    let mut first = ConnectionSpec::dense("in", "hidden");
    if case.convolved {
        first.kind = ConnectionKindSpec::Conv2d;
        first.kernel = Some([1, 2]);
    }
    first.delays = delays && !recurrent;
    let second = ConnectionSpec { delays, ..ConnectionSpec::dense("hidden", "out") };
    let mut connections = vec![first, second];
    connections.extend(case.skips.then(|| ConnectionSpec::dense("in", "out")));
    connections.extend(case.tail.then(|| ConnectionSpec::dense("out", "tail")));
    if recurrent {
        let own = |layer| ConnectionSpec { delays, ..ConnectionSpec::dense(layer, layer) };
        connections.push(own("hidden"));
        let hears_itself = delays || matches!(case.loss, Loss::ExpMeanCrossEntropy {});
        connections.extend(hears_itself.then(|| own("out")));
    }
    Network::new(20.0, layers, connections).unwrap()
}
