//! Training speed on samples kept on the device, one JSON line a configuration:
//! `speed [toy]`, or `speed SAMPLES BATCH EVENTS` for one, to be profiled. Data are random, of the shape of
//! latency-coded MNIST.

use eventprop_cuda::{CudaEngine, CudaOptions, probe};
use lif_core::engine::{Batch, Engine, EngineError, Training};
use lif_core::loss::Loss;
use lif_core::network::{ConnectionSpec, LayerSpec};
use lif_core::optimiser::Optimiser;
use lif_core::{Network, Parameters, SpikeBatch};
use std::time::Instant;

const INPUTS: usize = 784;

/// What is measured.
struct Setting {
    name: &'static str,
    hidden: Option<usize>,
    samples: usize,
    /// Input spikes a sample.
    events: usize,
    batch: usize,
    epochs: usize,
}

fn main() -> Result<(), EngineError> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let numbers: Vec<usize> = arguments.iter().filter_map(|text| text.parse().ok()).collect();
    let device = probe(0)?;
    let settings = match numbers[..] {
        [samples, batch, events] => {
            vec![Setting {
                name: "784-350-10 vmax",
                hidden: Some(350),
                samples,
                events,
                batch,
                epochs: 2,
            }]
        }
        _ => settings(arguments.iter().any(|argument| argument == "toy")),
    };
    for setting in settings {
        let seconds = measure(&setting)?;
        let Setting { name, samples, events, batch, epochs, .. } = setting;
        println!(
            "{{\"name\": \"{name}\", \"device\": \"{}\", \"samples\": {samples}, \"events\": {events}, \
             \"batch\": {batch}, \"epochs\": {epochs}, \"seconds_per_epoch\": {seconds:.6}, \
             \"samples_per_second\": {:.0}}}",
            device.name,
            samples as f64 / seconds,
        );
    }
    Ok(())
}

fn settings(toy: bool) -> Vec<Setting> {
    let mut settings = Vec::new();
    let (samples, epochs) = if toy { (8, 1) } else { (60_000, 5) };
    let batches: &[usize] = if toy { &[4] } else { &[128, 1024, 4096] };
    for &batch in batches {
        for events in if toy { vec![20] } else { vec![150, 784] } {
            let hidden = Some(if toy { 40 } else { 350 });
            settings.push(Setting {
                name: "784-350-10 vmax",
                hidden,
                samples,
                events,
                batch,
                epochs,
            });
        }
        let events = if toy { 20 } else { 784 };
        settings.push(Setting {
            name: "784-10 ttfs",
            hidden: None,
            samples,
            events,
            batch,
            epochs,
        });
    }
    settings
}

/// The median of the seconds an epoch takes, after one to warm up.
fn measure(setting: &Setting) -> Result<f64, EngineError> {
    let mut uniform = uniform();
    let loss = match setting.hidden {
        Some(_) => Loss::VmaxCrossEntropy {},
        None => Loss::TtfsCrossEntropy { tau: 2.0, alpha: 0.01, tau_early: 10.0 },
    };
    let training = Training {
        optimiser: Optimiser::ADAM,
        input_gradients: false,
        constant_gradients: false,
        ..Training::exact(loss)
    };
    let network = network(setting.hidden);
    let mut parameters = Parameters::<f32>::initial(&network);
    for connection in &mut parameters.connections {
        // About 1.5 spikes a neuron and sample.
        let mean = if connection.weights.len() == INPUTS * network.layers()[1].size {
            7.0 / setting.events as f32
        } else {
            0.0
        };
        connection.weights.fill_with(|| mean * (0.5 + uniform()) + 0.05 * (uniform() - 0.5));
    }
    let mut engine = CudaEngine::new(&network, training, CudaOptions::default())?;
    engine.load(&parameters)?;
    let spikes = spikes(setting, &mut uniform);
    let labels: Vec<u32> = (0..setting.samples as u32).map(|sample| sample % 10).collect();
    let order: Vec<u32> = (0..setting.samples as u32).rev().collect();
    let rates = vec![1e-4; setting.samples.div_ceil(setting.batch)];
    let Some(resident) = engine.resident() else { return Ok(f64::NAN) };
    resident.keep(Batch { spikes: &spikes, labels: &labels })?;
    let mut seconds = Vec::new();
    for _ in 0..=setting.epochs {
        let start = Instant::now();
        resident.train(&order, setting.batch, &rates).map_err(|error| error.error)?;
        seconds.push(start.elapsed().as_secs_f64());
    }
    let mut seconds = seconds.split_off(1);
    seconds.sort_by(f64::total_cmp);
    Ok(seconds[seconds.len() / 2])
}

fn network(hidden: Option<usize>) -> Network {
    let mut layers = vec![LayerSpec::input("in", INPUTS)];
    let mut connections = Vec::new();
    match hidden {
        Some(size) => {
            layers.push(LayerSpec::lif("hidden", size, 20.0, 5.0));
            layers.push(LayerSpec::li("out", 10, 20.0, 5.0));
            connections.push(ConnectionSpec::dense("in", "hidden"));
            connections.push(ConnectionSpec::dense("hidden", "out"));
        }
        None => {
            layers.push(LayerSpec::lif("out", 10, 20.0, 5.0));
            connections.push(ConnectionSpec::dense("in", "out"));
        }
    }
    Network::new(20.0, layers, connections).expect("a valid network")
}

/// Spikes at one of 256 times, of sources that spike once at most.
fn spikes(setting: &Setting, uniform: &mut impl FnMut() -> f32) -> SpikeBatch<f32> {
    let mut spikes = SpikeBatch::with_capacity(setting.samples, setting.samples * setting.events);
    for _ in 0..setting.samples {
        let first = (uniform() * INPUTS as f32) as usize;
        let mut train: Vec<(f32, u32)> = (0..setting.events)
            .map(|k| ((uniform() * 256.0).floor() * 0.06, ((first + 5 * k) % INPUTS) as u32))
            .collect();
        train.sort_by(|a, b| a.0.total_cmp(&b.0));
        spikes.push_sorted(train).expect("sorted");
    }
    spikes
}

fn uniform() -> impl FnMut() -> f32 {
    let mut state = 1_u64;
    move || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 40) as f32 / (1 << 24) as f32
    }
}
