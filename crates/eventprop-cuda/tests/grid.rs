//! The clock-driven engine through the suite that every one of them has to pass.

mod common;

use common::for_each_schedule;
use conformance::BoxedEngine;
use conformance::grid::{self, Problem};
use eventprop_cuda::CudaGridEngine;
use lif_core::engine::{Batch, EngineError, Training};
use lif_core::grid::{GridModel, GridSpec, GridVariant};
use lif_core::optimiser::{Clip, Optimiser};
use lif_core::{Network, SpikeBatch};
use std::ops::Range;

/// The most layers after the input that are drawn.
const LAYERS: usize = 3;

fn engine(
    network: &Network,
    spec: GridSpec,
    training: Training<f32>,
) -> Result<BoxedEngine<f32>, EngineError> {
    Ok(Box::new(CudaGridEngine::new(network, spec, training, 0)?))
}

#[test]
fn equals_the_plain_model() {
    for_each_schedule(|_, _| grid::equals_the_plain_model(&engine, LAYERS, 48));
}

/// More neurons than a block steps through at a time: column by column, but for those of neurons with a slope near 0.
#[test]
fn wide_layers_are_the_plain_model_s() {
    for_each_schedule(|_, schedule| {
        for variant in [GridVariant::Head, GridVariant::First] {
            for (neurons, samples, dt) in [(290, 2, 1.0), (300, 1, 0.5)] {
                let problem = wide(variant, neurons, samples, dt, schedule + 1);
                let compared = columns_agree(&problem);
                assert!(compared > neurons / 3, "{compared} of {neurons} compared");
            }
        }
    });
}

/// More samples than warps look up at once: the gradient is the mean of those of fewer.
#[test]
fn gradients_of_many_samples_are_the_mean_of_those_of_few() {
    for_each_schedule(|_, schedule| {
        for variant in [GridVariant::Head, GridVariant::First] {
            let problem = wide(variant, 7, 150, 1.0, schedule + 1);
            let mut engine = problem.engine(&engine, problem.training()).unwrap();
            let mut gradient_of = |samples: Range<usize>| {
                let mut spikes = SpikeBatch::new();
                samples.clone().for_each(|sample| spikes.push_train(problem.spikes().get(sample)));
                let labels = &problem.labels[samples];
                engine.differentiate(Batch { spikes: &spikes, labels }).unwrap();
                engine.gradient().connections[0].weights.clone()
            };
            let few = [0..50, 50..100, 100..150].map(&mut gradient_of);
            let mean: Vec<f64> = (0..few[0].len())
                .map(|place| few.iter().map(|few| f64::from(few[place])).sum::<f64>() / 3.0)
                .collect();
            grid::close("mean", &gradient_of(0..150), &mean).unwrap();
        }
    });
}

/// All inputs spike once, more at a time than one thread adds up, some with a few more.
fn wide(variant: GridVariant, neurons: usize, samples: usize, dt: f64, seed: u64) -> Problem {
    let inputs = 150;
    let mut state = seed;
    let mut uniform = move || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1 << 24) as f32
    };
    let weights = vec![(0..inputs * neurons).map(|_| 0.2 * uniform() - 0.04).collect()];
    let sample = |_| {
        let once = (0..inputs as u32).map(|input| (if input % 3 == 0 { 2.0 } else { 6.0 }, input));
        let more = (0..5).map(|k| (1.0 + 2.0 * k as f32, 13 * k));
        once.chain(more).map(|(time, input)| (time + uniform().round(), input)).collect()
    };
    let samples: Vec<_> = (0..samples).map(sample).collect();
    let labels = (0..samples.len()).map(|sample| (sample * 5 % neurons) as u32).collect();
    Problem { variant, inputs, layers: vec![neurons], dt, bump: 0.0, weights, samples, labels }
}

fn columns_agree(problem: &Problem) -> usize {
    let model = GridModel::new(&problem.network(), problem.spec()).unwrap();
    let neurons = problem.outputs();
    let spikes = problem.spikes();
    let mut wide = SpikeBatch::new();
    for train in spikes.iter() {
        wide.push_sorted(train.iter().map(|(time, input)| (f64::from(time), input))).unwrap();
    }
    let batch = Batch { spikes: &wide, labels: &problem.labels };
    let expected =
        model.differentiate(&mut problem.parameters().cast(), batch, &grid::LOSS).unwrap();
    let mut engine = problem.engine(&engine, problem.training()).unwrap();
    engine.differentiate(problem.batch(&spikes)).unwrap();
    let (mut clear, mut spikes_sent) = (vec![true; neurons], vec![0; neurons]);
    for (trace, sent) in expected.pass.traces[0].iter().zip(engine.spikes(1).iter()) {
        let mut counts = 0;
        for step in 0..model.steps() {
            let from = step - usize::from(problem.variant == GridVariant::Head && step > 0);
            for &neuron in trace.spikes.at(step) {
                let neuron = neuron as usize;
                let slope = trace.current[from * neurons + neuron] - 1.0;
                clear[neuron] &= slope.abs() > 0.02;
                spikes_sent[neuron] += 1;
                counts += 1;
            }
        }
        assert_eq!(sent.len(), counts, "a voltage {} from the threshold", trace.margin);
    }
    let (gradient, exact) = (engine.gradient(), &expected.gradient.connections[0].weights);
    let column = |neuron: usize| (neuron..problem.inputs * neurons).step_by(neurons);
    let compared: Vec<usize> =
        (0..neurons).filter(|&neuron| clear[neuron] && spikes_sent[neuron] > 0).collect();
    for &neuron in &compared {
        let found: Vec<f32> =
            column(neuron).map(|place| gradient.connections[0].weights[place]).collect();
        let exact: Vec<f64> = column(neuron).map(|place| exact[place]).collect();
        grid::close("column", &found, &exact).unwrap();
    }
    compared.len()
}

#[test]
fn infers_first_steps() {
    for_each_schedule(|_, _| grid::infers_first_steps(&engine, LAYERS, 32));
}

#[test]
fn parts_of_a_batch_are_bumped_as_the_whole() {
    for_each_schedule(|_, _| grid::parts_of_a_batch_are_bumped_as_the_whole(&engine, LAYERS, 24));
}

#[test]
fn kept_samples_train_as_given_ones() {
    for_each_schedule(|_, _| grid::kept_samples_train_as_given_ones(&engine, LAYERS, 24));
}

/// More steps than are started together, and a last one of another size.
#[test]
fn many_kept_steps_are_as_many_given_ones() {
    for_each_schedule(|_, _| {
        for layers in [1, 2] {
            many_kept_steps(&Problem::small(layers));
        }
    });
}

fn many_kept_steps(problem: &Problem) {
    let spikes = problem.spikes();
    let order: Vec<u32> = (0..81).map(|position| position * position / 3 % 2).collect();
    let rates: Vec<f64> = (0..41).map(|step| 1e-3 / f64::from(step + 1)).collect();
    for clip in [None, Some(Clip::Norm(0.01))] {
        let start = || {
            let training = Training { optimiser: Optimiser::ADAM, clip, ..problem.training() };
            problem.engine(&engine, training).unwrap()
        };
        let (mut kept, mut given) = (start(), start());
        let resident = kept.resident().unwrap();
        resident.keep(problem.batch(&spikes)).unwrap();
        let mut trained = Vec::new();
        resident
            .train(&order, 2, &rates, &mut |batch, update| trained.push((batch, update)))
            .unwrap();
        let mut expected = Vec::new();
        for (samples, &rate) in order.chunks(2).zip(&rates) {
            let mut spikes_of_batch = SpikeBatch::new();
            samples.iter().for_each(|&s| spikes_of_batch.push_train(spikes.get(s as usize)));
            let labels: Vec<u32> = samples.iter().map(|&s| problem.labels[s as usize]).collect();
            let batch = Batch { spikes: &spikes_of_batch, labels: &labels };
            expected.push(given.train_step(batch, rate).unwrap());
        }
        assert_eq!(trained, expected);
        assert_eq!(kept.parameters(), given.parameters());
        assert_eq!(kept.optimiser_state(), given.optimiser_state());
        assert_eq!(kept.take_activity(), given.take_activity());
    }
}

/// What a batch needs is known before it is computed.
#[test]
fn too_little_memory_names_a_batch_that_fits() {
    for_each_schedule(|device, schedule| {
        if schedule > 0 {
            return;
        }
        // 20,000 steps of 300 neurons: 24 MB a sample.
        let samples = device.memory / 20_000_000;
        let problem = wide(GridVariant::Head, 300, samples, 0.001, 1);
        let mut large = problem.engine(&engine, problem.training()).unwrap();
        let error = large.infer(&problem.spikes()).unwrap_err().to_string();
        assert!(error.contains("MiB more than is free"), "{error}");
        let fits = error.split("a batch of ").last().unwrap();
        let fits: usize = fits.split(' ').next().unwrap().parse().unwrap();
        assert!(fits > 0 && fits < samples, "{error}");
        // A million steps of 4,000 neurons.
        let problem = wide(GridVariant::Head, 4000, 1, 2e-5, 1);
        let mut larger = problem.engine(&engine, problem.training()).unwrap();
        let error = larger.infer(&problem.spikes()).unwrap_err().to_string();
        assert!(error.contains("more than this engine numbers"), "{error}");
    });
}

#[test]
fn own_losses_are_evaluated() {
    for_each_schedule(|_, _| grid::own_losses_are_evaluated(&engine, LAYERS, 24));
}

#[test]
fn updates_and_states() {
    for_each_schedule(|_, _| {
        grid::updates_by_the_clipped_gradient(&engine, LAYERS);
        grid::state_goes_out_and_in(&engine, LAYERS);
        grid::weights_stay_finite(&engine, LAYERS);
    });
}

#[test]
fn refuses_what_it_cannot_do() {
    for_each_schedule(|_, _| {
        grid::refuses_by_name(&engine);
        grid::refuses_batches_that_do_not_fit(&engine);
    });
}
