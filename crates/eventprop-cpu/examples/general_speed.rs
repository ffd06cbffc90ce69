//! How many samples a second of CPU time the general engine trains on, on one thread:
//! `cargo run --release --example general_speed -- [conv|dense|recurrent] [steps]`.
//!
//! Inputs are drawn to look like latency-coded MNIST: a stroke of some 150 pixels, brighter ones
//! earlier.

use eventprop_cpu::{CpuOptions, Precision};
use lif_core::engine::{Batch, Engine, EngineError, Training};
use lif_core::loss::Loss;
use lif_core::network::{ConnectionKindSpec, ConnectionSpec, LayerSpec};
use lif_core::optimiser::Optimiser;
use lif_core::{Network, Parameters, SpikeBatch};

const BATCH: usize = 64;

fn main() -> Result<(), EngineError> {
    let mut arguments = std::env::args().skip(1);
    let name = arguments.next().unwrap_or_else(|| String::from("conv"));
    let steps = arguments.next().and_then(|steps| steps.parse().ok()).unwrap_or(20);
    let mut random = Random(1);
    let spikes = images(&mut random);
    let labels: Vec<u32> = (0..BATCH as u32).map(|sample| sample % 10).collect();
    let network = match &name[..] {
        "dense" => dense(false)?,
        "recurrent" => dense(true)?,
        _ => conv()?,
    };
    let parameters = weights(&network, &mut random);
    let training = || Training {
        optimiser: Optimiser::ADAM,
        input_gradients: false,
        constant_gradients: false,
        ..Training::exact(Loss::VmaxCrossEntropy {})
    };
    let options = CpuOptions { threads: Some(1) };
    let batch = Batch { spikes: &spikes, labels: &labels };
    let mut general = f32::general_engine(&network, training(), options)?;
    measure("general", &mut *general, &parameters, batch, steps)?;
    if name == "dense" {
        let mut fast = f32::dense_engine(&network, training(), options)?;
        measure("fast path", &mut *fast, &parameters, batch, steps)?;
    }
    Ok(())
}

fn measure(
    name: &str,
    engine: &mut dyn Engine<f32>,
    parameters: &Parameters<f32>,
    batch: Batch<'_, f32>,
    steps: usize,
) -> Result<(), EngineError> {
    engine.load(parameters)?;
    engine.train_step(batch, 1e-5)?;
    let (start, mut loss) = (cpu_seconds(), 0.0);
    for _ in 0..steps {
        loss = engine.train_step(batch, 1e-5)?.0.loss / BATCH as f64;
    }
    let seconds = cpu_seconds() - start;
    print!(
        "{name}: {:.0} samples/s, loss {loss:.3}, spikes a sample:",
        (steps * BATCH) as f64 / seconds
    );
    for (layer, description) in engine.network().layers().iter().enumerate().skip(1) {
        let count = engine.spikes(layer).spike_count();
        print!(" {} {}", description.name, count / BATCH);
    }
    println!(", inputs {}", batch.spikes.spike_count() / BATCH);
    Ok(())
}

/// 28x28-12C5-P2-32C5-P2-10.
fn conv() -> Result<Network, EngineError> {
    let image = |name: &str, shape: [usize; 3]| {
        LayerSpec::lif(name, shape.iter().product(), 20.0, 5.0).with_shape(shape)
    };
    let layers = vec![
        LayerSpec::input("input", 784).with_shape([1, 28, 28]),
        image("conv1", [12, 24, 24]),
        image("pool1", [12, 12, 12]),
        image("conv2", [32, 8, 8]),
        image("pool2", [32, 4, 4]),
        LayerSpec::li("out", 10, 20.0, 5.0),
    ];
    let windowed = |from: &str, to: &str, kind, side: usize, weight| ConnectionSpec {
        kind,
        kernel: Some([side, side]),
        weight,
        ..ConnectionSpec::dense(from, to)
    };
    let (conv, pool) = (ConnectionKindSpec::Conv2d, ConnectionKindSpec::SumPool2d);
    let connections = vec![
        windowed("input", "conv1", conv, 5, None),
        windowed("conv1", "pool1", pool, 2, Some(4.0)),
        windowed("pool1", "conv2", conv, 5, None),
        windowed("conv2", "pool2", pool, 2, Some(4.0)),
        ConnectionSpec::dense("pool2", "out"),
    ];
    Ok(Network::new(40.0, layers, connections)?)
}

/// 784-350-10, with a recurrent hidden layer or without.
fn dense(recurrent: bool) -> Result<Network, EngineError> {
    let layers = vec![
        LayerSpec::input("input", 784),
        LayerSpec::lif("hidden", 350, 20.0, 5.0),
        LayerSpec::li("out", 10, 20.0, 5.0),
    ];
    let mut connections =
        vec![ConnectionSpec::dense("input", "hidden"), ConnectionSpec::dense("hidden", "out")];
    if recurrent {
        connections.push(ConnectionSpec::dense("hidden", "hidden"));
    }
    Ok(Network::new(40.0, layers, connections)?)
}

/// Normal weights around a mean that makes every layer spike about as often as trained ones do.
fn weights(network: &Network, random: &mut Random) -> Parameters<f32> {
    let mut parameters = Parameters::initial(network);
    let connections = parameters.connections.iter_mut().zip(network.connections());
    for (own, connection) in connections {
        let (mean, spread) = match (connection.kind.clone(), connection.from, connection.to) {
            (lif_core::network::ConnectionKind::Conv2d(_), 0, _) => (0.3, 0.5),
            (lif_core::network::ConnectionKind::Conv2d(_), ..) => (0.06, 0.25),
            (_, 0, _) => (0.078, 0.045),
            (_, from, to) if from == to => (0.0, 0.02),
            _ => (0.2, 0.37),
        };
        own.weights.iter_mut().for_each(|weight| *weight = mean + spread * random.normal());
    }
    parameters
}

fn images(random: &mut Random) -> SpikeBatch<f32> {
    let mut spikes = SpikeBatch::new();
    for _ in 0..BATCH {
        let mut image = [0.0_f32; 784];
        let (mut y, mut x) = (8.0 + 4.0 * random.uniform(), 8.0 + 8.0 * random.uniform());
        let mut angle = std::f32::consts::TAU * random.uniform();
        for _ in 0..28 {
            angle += 0.5 * random.normal();
            (y, x) = (y + angle.sin(), x + angle.cos());
            if !(5.0..23.0).contains(&y) || !(5.0..23.0).contains(&x) {
                angle += 2.0;
                (y, x) = (y.clamp(5.0, 22.9), x.clamp(5.0, 22.9));
            }
            for (pixel, grey) in image.iter_mut().enumerate() {
                let (dy, dx) = ((pixel / 28) as f32 - y, (pixel % 28) as f32 - x);
                *grey = grey.max(1.3 * (-(dy * dy + dx * dx) / 2.5).exp()).min(1.0);
            }
        }
        let grey = |grey: f32| (grey * 255.0).floor();
        let bright = image.iter().enumerate().filter(|(_, level)| grey(**level) > 20.0);
        let mut train: Vec<(f32, u32)> = bright
            .map(|(pixel, &level)| (20.0 * (255.0 - grey(level)) / 255.0, pixel as u32))
            .collect();
        train.sort_by(|a, b| a.0.total_cmp(&b.0));
        spikes.push_sorted(train).expect("sorted");
    }
    spikes
}

/// User and system time of the process, from the kernel's count of hundredths.
fn cpu_seconds() -> f64 {
    let line = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = line.rsplit(')').next().unwrap_or("").split_whitespace().collect();
    let ticks = |field: usize| fields.get(field).and_then(|text| text.parse::<f64>().ok());
    (ticks(11).unwrap_or(0.0) + ticks(12).unwrap_or(0.0)) / 100.0
}

/// A linear congruential generator: enough for inputs to be timed on.
struct Random(u64);

impl Random {
    fn uniform(&mut self) -> f32 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 40) as f32 / (1_u64 << 24) as f32
    }

    fn normal(&mut self) -> f32 {
        (0..12).map(|_| self.uniform()).sum::<f32>() - 6.0
    }
}
