//! The clock-driven model against numbers computed by the PyTorch script it reproduces
//! (pytorch-eventprop at a656add, in double precision).

use lif_core::engine::Batch;
use lif_core::grid::{GridGradient, GridModel, GridSpec, GridVariant};
use lif_core::loss::{Loss, Objective};
use lif_core::network::{ConnectionSpec, LayerSpec};
use lif_core::{Network, Parameters, SpikeBatch};
use serde::Deserialize;

const TOLERANCE: f64 = 1e-10;

#[derive(Deserialize)]
struct Fixture {
    meta: Meta,
    min_threshold_margin: f64,
    input_spikes: Vec<[usize; 3]>,
    labels: Vec<u32>,
    layer: Vec<LayerFixture>,
    first_spike_step: Vec<Vec<f64>>,
    silent: Vec<Vec<bool>>,
    loss: LossFixture,
    grad_first_spike: Vec<Vec<f64>>,
    grad_input: Vec<Vec<Vec<f64>>>,
}

#[derive(Deserialize)]
#[allow(non_snake_case)]
struct Meta {
    n_in: usize,
    layers: Vec<usize>,
    batch: usize,
    T: f64,
    dt: f64,
    steps: usize,
    tau_m: f64,
    tau_s: f64,
    xi: f64,
    alpha: f64,
    beta: f64,
    training: bool,
}

#[derive(Deserialize)]
struct LayerFixture {
    weight_before: Vec<Vec<f64>>,
    weight_after: Vec<Vec<f64>>,
    bump_count: Vec<u32>,
    current: Vec<Vec<Vec<f64>>>,
    output_spikes: Vec<[usize; 3]>,
    grad_weight: Vec<Vec<f64>>,
}

#[derive(Deserialize)]
struct LossFixture {
    ce: f64,
    reg: f64,
    total: f64,
}

#[test]
fn reproduces_the_script() {
    let fixtures = [
        include_str!("fixtures/seed_01_seedlike.json"),
        include_str!("fixtures/seed_02_small.json"),
        include_str!("fixtures/seed_03_long.json"),
        include_str!("fixtures/seed_04_taus.json"),
        include_str!("fixtures/seed_05_equal_taus.json"),
        include_str!("fixtures/seed_06_bumped.json"),
        include_str!("fixtures/seed_07_eval_silent.json"),
        include_str!("fixtures/seed_08_eval_long.json"),
        include_str!("fixtures/seed_09_dt_half.json"),
        include_str!("fixtures/seed_10_two_layer.json"),
        include_str!("fixtures/seed_11_noreg.json"),
        include_str!("fixtures/seed_12_late_input.json"),
    ];
    for text in fixtures {
        check(&serde_json::from_str(text).expect("a fixture is valid JSON"));
    }
}

fn check(fixture: &Fixture) {
    let meta = &fixture.meta;
    let model = model(meta);
    assert_eq!(model.steps(), meta.steps);
    let mut parameters = Parameters::initial(model.network());
    for (connection, layer) in parameters.connections.iter_mut().zip(&fixture.layer) {
        connection.weights = transposed(&layer.weight_before);
    }
    let spikes = input(fixture);
    let batch = Batch { spikes: &spikes, labels: &fixture.labels };
    let result = model.differentiate(&mut parameters, batch, &loss(meta)).unwrap();

    check_layers(fixture, &parameters, &result);
    check_outputs(fixture, &result);
    if !meta.training {
        assert_eq!(model.infer(&parameters, &spikes).unwrap(), result.pass);
    }
}

fn check_layers(fixture: &Fixture, parameters: &Parameters<f64>, result: &GridGradient<f64>) {
    let mut margin = f64::INFINITY;
    for (position, expected) in fixture.layer.iter().enumerate() {
        close(
            "weight_after",
            &parameters.connections[position].weights,
            &transposed(&expected.weight_after),
        );
        let gradient = &result.gradient.connections[position].weights;
        close("grad_weight", gradient, &transposed(&expected.grad_weight));
        assert_eq!(result.bumps[position].raised, expected.bump_count);
        assert!(result.bumps[position].gave_up.is_empty());
        let mut spikes = Vec::new();
        for (sample, trace) in result.pass.traces[position].iter().enumerate() {
            close("current", &trace.current, &transposed(&expected.current[sample]));
            margin = margin.min(trace.margin);
            for step in 0..fixture.meta.steps {
                let at_step = trace.spikes.at(step).iter();
                spikes.extend(at_step.map(|&neuron| [sample, neuron as usize, step]));
            }
        }
        let mut expected = expected.output_spikes.clone();
        spikes.sort_unstable();
        expected.sort_unstable();
        assert_eq!(spikes, expected);
    }
    close("margin", &[margin], &[fixture.min_threshold_margin]);
}

fn check_outputs(fixture: &Fixture, result: &GridGradient<f64>) {
    let meta = &fixture.meta;
    let outputs = meta.layers[meta.layers.len() - 1];
    assert_eq!(result.pass.first_steps, fixture.first_spike_step.concat());
    let last = &result.pass.traces[meta.layers.len() - 1];
    let silent: Vec<_> = last
        .iter()
        .flat_map(|trace| trace.spikes.first_spikes(outputs))
        .map(|first| first.is_none())
        .collect();
    assert_eq!(silent, fixture.silent.concat());

    let mean = |losses: &[f64]| losses.iter().sum::<f64>() / meta.batch as f64;
    let total = mean(&result.losses);
    let mut gradient = vec![0.0; outputs];
    let Loss::TtfsCrossEntropy { tau, tau_early, .. } = loss(meta) else { unreachable!() };
    let entropy = Loss::TtfsCrossEntropy { tau, alpha: 0.0, tau_early };
    let rows = result.pass.first_steps.chunks(outputs).zip(&fixture.labels);
    let cross_entropies: Vec<_> =
        rows.map(|(row, &label)| entropy.evaluate(row, label as usize, &mut gradient)).collect();
    let cross_entropy = mean(&cross_entropies);
    let expected = &fixture.loss;
    close(
        "loss",
        &[cross_entropy, total - cross_entropy, total],
        &[expected.ce, expected.reg, expected.total],
    );
    close("grad_first_spike", &result.output_gradient, &fixture.grad_first_spike.concat());
    for (gradient, expected) in result.input_gradient.iter().zip(&fixture.grad_input) {
        close("grad_input", gradient, &transposed(expected));
    }
}

fn model(meta: &Meta) -> GridModel {
    let mut layers = vec![LayerSpec::input("0", meta.n_in)];
    let mut connections = Vec::new();
    for (position, &size) in meta.layers.iter().enumerate() {
        let name = (position + 1).to_string();
        connections.push(ConnectionSpec::dense(position.to_string(), &name));
        layers.push(LayerSpec::lif(name, size, meta.tau_m, meta.tau_s));
    }
    let network = Network::new(meta.T, layers, connections).unwrap();
    let mut spec = GridSpec::new(meta.dt, GridVariant::Head);
    if !meta.training {
        spec.bump = 0.0;
    }
    GridModel::new(&network, spec).unwrap()
}

/// The script takes step indices for ms in its loss.
fn loss(meta: &Meta) -> Loss {
    Loss::TtfsCrossEntropy {
        tau: meta.xi * meta.tau_s,
        alpha: meta.alpha,
        tau_early: meta.beta * meta.tau_s,
    }
}

fn input(fixture: &Fixture) -> SpikeBatch<f64> {
    let mut batch = SpikeBatch::new();
    for sample in 0..fixture.meta.batch {
        let of_sample = fixture.input_spikes.iter().filter(|spike| spike[0] == sample);
        let mut spikes: Vec<_> = of_sample.map(|&[_, input, step]| (step, input as u32)).collect();
        spikes.sort_unstable();
        let at = |(step, input)| (step as f64 * fixture.meta.dt, input);
        batch.push_sorted(spikes.into_iter().map(at)).unwrap();
    }
    batch
}

fn transposed(rows: &[Vec<f64>]) -> Vec<f64> {
    (0..rows[0].len()).flat_map(|column| rows.iter().map(move |row| row[column])).collect()
}

#[track_caller]
fn close(what: &str, actual: &[f64], expected: &[f64]) {
    assert_eq!(actual.len(), expected.len(), "{what}");
    for (position, (actual, expected)) in actual.iter().zip(expected).enumerate() {
        let error = (actual - expected).abs();
        assert!(
            error <= TOLERANCE * expected.abs().max(1.0),
            "{what}[{position}]: {actual}, the script has {expected}"
        );
    }
}
