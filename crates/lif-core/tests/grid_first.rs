//! The variant `first` of the clock-driven model, for which the script left no numbers: against a
//! transcription of its loops onto dense arrays, and each of its oddities alone.

use lif_core::engine::Batch;
use lif_core::grid::{GridModel, GridSpec, GridVariant};
use lif_core::loss::{Loss, Objective};
use lif_core::network::{ConnectionSpec, LayerSpec};
use lif_core::{Network, Parameters, SpikeBatch};
use proptest::prelude::*;

const LOSS: Loss = Loss::TtfsCrossEntropy { tau: 2.0, alpha: 0.01, tau_early: 10.0 };
const TAUS: (f64, f64) = (20.0, 5.0);

fn model(inputs: usize, neurons: usize, duration: f64) -> GridModel {
    let layers =
        vec![LayerSpec::input("in", inputs), LayerSpec::lif("out", neurons, TAUS.0, TAUS.1)];
    let network = Network::new(duration, layers, vec![ConnectionSpec::dense("in", "out")]).unwrap();
    GridModel::new(&network, GridSpec::new(1.0, GridVariant::First)).unwrap()
}

fn parameters(model: &GridModel, weights: &[f64]) -> Parameters<f64> {
    let mut parameters = Parameters::initial(model.network());
    parameters.connections[0].weights = weights.to_vec();
    parameters
}

fn batch(samples: &[&[(f64, u32)]]) -> SpikeBatch<f64> {
    let mut batch = SpikeBatch::new();
    for &sample in samples {
        batch.push_sorted(sample.iter().copied()).unwrap();
    }
    batch
}

/// The script's loops for one sample: (I, S), each `[step][neuron]`.
fn transcribed_forward(
    x: &[Vec<f64>],
    weights: &[f64],
    neurons: usize,
) -> (Vec<Vec<f64>>, Vec<Vec<f64>>) {
    let (a, s) = (1.0 / TAUS.0, 1.0 / TAUS.1);
    let steps = x.len();
    let mut v = vec![vec![0.0; neurons]; steps];
    let mut current = v.clone();
    let mut spikes = v.clone();
    for n in 0..steps {
        // Python's row -1 is the last row, still zero at the first step.
        let before = (n + steps - 1) % steps;
        for j in 0..neurons {
            let drive: f64 = (0..x[n].len()).map(|i| weights[i * neurons + j] * x[n][i]).sum();
            v[n][j] = v[before][j] + a * (current[before][j] - v[before][j]);
            current[n][j] = (1.0 - s) * current[before][j] + drive;
            spikes[n][j] = f64::from(u8::from(v[n][j] > 1.0));
            v[n][j] *= 1.0 - spikes[n][j];
        }
    }
    (current, spikes)
}

fn transcribed_backward(
    x: &[Vec<f64>],
    (current, spikes): &(Vec<Vec<f64>>, Vec<Vec<f64>>),
    g: &[f64],
    gradient: &mut [f64],
) {
    let (a, s) = (1.0 / TAUS.0, 1.0 / TAUS.1);
    let (mut lv, mut li) = (vec![0.0; g.len()], vec![0.0; g.len()]);
    for n in (0..x.len()).rev() {
        for j in 0..g.len() {
            lv[j] *= 1.0 - a;
            lv[j] += spikes[n][j] * (lv[j] + g[j]) / (current[n][j] - 1.0 + 1e-10);
            li[j] += s * (lv[j] - li[j]);
            for i in 0..x[n].len() {
                gradient[i * g.len() + j] -= x[n][i] * li[j];
            }
        }
    }
}

proptest! {
    #[test]
    fn equals_its_transcription(
        weights in proptest::collection::vec(-0.3..1.2_f64, 6 * 4),
        rasters in proptest::collection::vec(proptest::collection::vec(0_usize..44, 6), 3),
        labels in proptest::collection::vec(0_u32..4, 3),
    ) {
        let (inputs, neurons, steps) = (6, 4, 40);
        let model = model(inputs, neurons, steps as f64);
        let mut spikes = SpikeBatch::new();
        let mut expected_gradient = vec![0.0; weights.len()];
        let mut expected_first = Vec::new();
        for (times, &label) in rasters.iter().zip(&labels) {
            let mut train: Vec<_> =
                times.iter().enumerate().map(|(i, &n)| (n as f64, i as u32)).collect();
            train.sort_by(|a, b| a.0.total_cmp(&b.0));
            spikes.push_sorted(train).unwrap();

            let mut x = vec![vec![0.0; inputs]; steps];
            for (i, &n) in times.iter().enumerate().filter(|(_, n)| **n < steps) {
                x[n][i] = 1.0;
            }
            let pass = transcribed_forward(&x, &weights, neurons);
            let first: Vec<_> = (0..neurons)
                .map(|j| pass.1.iter().position(|s| s[j] > 0.0).unwrap_or(steps) as f64)
                .collect();
            let mut g = vec![0.0; neurons];
            LOSS.evaluate(&first, label as usize, &mut g);
            g.iter_mut().for_each(|g| *g /= rasters.len() as f64);
            transcribed_backward(&x, &pass, &g, &mut expected_gradient);
            expected_first.extend(first);
        }
        let silent: Vec<bool> = (0..neurons)
            .map(|j| expected_first.iter().skip(j).step_by(neurons).any(|&t| t == steps as f64))
            .collect();

        let mut parameters = parameters(&model, &weights);
        let batch = Batch { spikes: &spikes, labels: &labels };
        let result = model.differentiate(&mut parameters, batch, &LOSS).unwrap();
        prop_assert_eq!(&result.pass.first_steps, &expected_first);
        let scale = expected_gradient.iter().fold(1.0, |scale: f64, g| scale.max(g.abs()));
        for (gradient, expected) in
            result.gradient.connections[0].weights.iter().zip(&expected_gradient)
        {
            // A current near the threshold after a spike makes jumps that magnify rounding.
            prop_assert!((gradient - expected).abs() <= 1e-9 * scale, "{} {}", gradient, expected);
        }
        for (position, weight) in parameters.connections[0].weights.iter().enumerate() {
            let raised = weights[position] + if silent[position % neurons] { 0.1 } else { 0.0 };
            prop_assert_eq!(*weight, raised);
        }
    }
}

#[test]
fn an_input_reaches_the_current_at_once_and_the_voltage_a_step_later() {
    let model = model(1, 1, 12.0);
    let trace =
        &model.infer(&parameters(&model, &[25.0]), &batch(&[&[(4.0, 0)]])).unwrap().traces[0][0];
    assert_eq!(trace.current[3..6], [0.0, 25.0, 20.0]);
    assert_eq!(trace.spikes.first_spikes(1), [Some(5)]);
}

#[test]
fn the_bump_comes_once_after_the_pass() {
    let model = model(2, 2, 40.0);
    let mut parameters = parameters(&model, &[0.01, 30.0, 0.02, 0.0]);
    let spikes = batch(&[&[(1.0, 0), (2.0, 1)]]);
    let batch = Batch { spikes: &spikes, labels: &[0] };
    let result = model.differentiate(&mut parameters, batch, &LOSS).unwrap();
    assert_eq!(result.pass.first_steps, [40.0, 2.0]);
    assert_eq!(result.bumps[0].raised, [1, 0]);
    assert_eq!(parameters.connections[0].weights, [0.01 + 0.1, 30.0, 0.02 + 0.1, 0.0]);
}

#[test]
fn the_loss_acts_on_every_spike_even_with_a_negative_slope() {
    // The neuron spikes at steps 5 and 6, then an inhibitory input at step 6 takes I below 1.
    let model = model(2, 1, 8.0);
    let mut parameters = parameters(&model, &[40.0, -30.0]);
    let spikes = batch(&[&[(4.0, 0), (6.0, 1)]]);
    let result = model
        .differentiate(&mut parameters, Batch { spikes: &spikes, labels: &[0] }, &LOSS)
        .unwrap();
    let trace = &result.pass.traces[0][0];
    assert_eq!((trace.spikes.at(5), trace.spikes.at(6)), (&[0][..], &[0][..]));
    let g = result.output_gradient[0];
    let (a, s) = (1.0 / 20.0, 1.0 / 5.0);
    let (at_5, at_6) = (40.0 * 0.8, 40.0 * 0.64 - 30.0);
    assert!(at_6 < 0.0);
    let guard = 1e-10;
    let lv_6 = g / (at_6 - 1.0 + guard);
    let li_6 = s * lv_6;
    let decayed = lv_6 * (1.0 - a);
    let lv_5 = decayed + (decayed + g) / (at_5 - 1.0 + guard);
    let li_5 = li_6 + s * (lv_5 - li_6);
    let li_4 = li_5 + s * (lv_5 * (1.0 - a) - li_5);
    let gradient = &result.gradient.connections[0].weights;
    assert!((gradient[0] + li_4).abs() < 1e-15, "{} {}", gradient[0], -li_4);
    assert!((gradient[1] + li_6).abs() < 1e-15, "{} {}", gradient[1], -li_6);
}
