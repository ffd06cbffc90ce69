//! A network with a bit of everything is described in TOML, trained, kept and trained on.
#![cfg(feature = "cpu")]

use eventprop::lif_core::{Parameters, SpikeBatch};
use eventprop::mnist_spikes::SpikeData;
use eventprop::{Checkpoint, Config, Data, Event, Samples, Trainer};
use std::ops::ControlFlow;

/// Convolution with delays, pooling, adaptation, recurrence with delays, a skip connection, a
/// refractory time, constants for each neuron; everything learns, each at its own rate.
const EVERYTHING: &str = r#"
name = "everything"
[network]
duration = 40.0

[[network.layers]]
name = "input"
kind = "input"
size = 24
shape = [1, 4, 6]

[[network.layers]]
name = "conv"
kind = "lif"
size = 24
shape = [2, 3, 4]
tau_mem = 20.0
tau_syn = 5.0

[[network.layers]]
name = "pool"
kind = "lif"
size = 8
shape = [2, 2, 2]
tau_mem = 18.0
tau_syn = 5.0
refractory = 0.5
reset = -0.1

[[network.layers]]
name = "loop"
kind = "lif"
size = 4
tau_mem = [20.0, 18.0, 16.0, 14.0]
tau_syn = 5.0
threshold = [1.0, 1.1, 0.9, 1.0]
adaptation = { beta = 0.1, tau = 30.0 }

[[network.layers]]
name = "output"
kind = "li"
size = 3
tau_mem = 20.0
tau_syn = 5.0
bias = 0.01

[[network.connections]]
from = "input"
to = "conv"
kind = "conv2d"
kernel = [2, 3]
weights = { uniform = { low = 1.0, high = 4.0 } }
delays = { uniform = { low = 0.0, high = 0.02 } }

[[network.connections]]
from = "conv"
to = "pool"
kind = "sum_pool2d"
kernel = [2, 2]
stride = [1, 2]
weight = 6.0

[[network.connections]]
from = "pool"
to = "loop"
kind = "dense"
weights = { normal = { mean = 2.5, sd = 0.8 } }

[[network.connections]]
from = "loop"
to = "loop"
kind = "dense"
weights = { normal = { mean = 0.0, sd = 0.1 } }
delays = { constant = 1.0 }

[[network.connections]]
from = "loop"
to = "output"
kind = "dense"
weights = { normal = { mean = 0.2, sd = 0.4 } }

[[network.connections]]
from = "input"
to = "output"
kind = "dense"
weights = { normal = { mean = 0.0, sd = 0.1 } }

[loss]
kind = "mean_cross_entropy"

[training]
epochs = 6
batch_size = 8
lr = 0.02
threads = 1
optimiser = { kind = "adam" }
learning_rates = { delays = 3.0, tau_mem = 2.0, tau_syn = 1.0, threshold = 0.2, bias = 0.1, adaptation = 0.3 }
"#;

/// Each class lights two columns of the image.
fn samples(count: usize, salt: usize) -> Samples {
    let (mut spikes, mut labels) = (SpikeBatch::new(), Vec::new());
    for sample in 0..count {
        let label = (sample * 7 + salt) % 3;
        let mut train: Vec<(f32, u32)> = (0..24)
            .filter(|input| input % 6 / 2 == label)
            .map(|input| (((sample * 31 + input * 17 + salt * 5) % 13) as f32 / 3.0, input as u32))
            .collect();
        train.sort_by(|a, b| a.0.total_cmp(&b.0));
        spikes.push_sorted(train).unwrap();
        labels.push(label as u32);
    }
    Samples::new(SpikeData { spikes, labels, classes: 3, inputs: 24, shape: [1, 4, 6] })
}

fn data() -> Data {
    Data { train: samples(60, 0), validation: None, test: samples(20, 1) }
}

fn config() -> Config {
    Config::parse(EVERYTHING, "everything").unwrap_or_else(|error| panic!("{error}"))
}

fn run(trainer: &mut Trainer) {
    while !trainer.is_finished() {
        trainer.run_epoch(|_| ControlFlow::Continue(())).unwrap();
    }
}

fn lists(parameters: &Parameters<f32>) -> Vec<(String, Vec<f32>)> {
    let mut lists = Vec::new();
    parameters.for_each(|id, values| lists.push((format!("{id:?}"), values.to_vec())));
    lists
}

#[test]
fn everything_learns() {
    let mut trainer = Trainer::new(config(), data()).unwrap();
    let before = lists(&trainer.checkpoint().parameters);
    run(&mut trainer);
    let history = &trainer.progress().history;
    assert!(history[5].train_loss < 0.7 * history[0].train_loss, "{history:?}");
    for layer in &history[5].layers {
        assert!(layer.spikes_per_sample > 1.0, "{layer:?}");
    }
    let after = lists(&trainer.checkpoint().parameters);
    for ((name, before), (_, after)) in
        before.iter().zip(&after).filter(|((_, b), _)| !b.is_empty())
    {
        assert_ne!(before, after, "{name} does not learn");
        assert!(after.iter().all(|value| value.is_finite()));
        if name.starts_with("Delays") {
            assert!(after.iter().all(|&delay| delay >= 0.0), "{name}: {after:?}");
        }
    }
    // Some of the shortest delays were driven to 0 and held there.
    let held = |(name, values): &(String, Vec<f32>)| name == "Delays(0)" && values.contains(&0.0);
    assert!(after.iter().any(held), "{after:?}");
}

#[test]
fn a_resumed_training_ends_with_the_same_bits_on_any_number_of_threads() {
    let mut whole = Trainer::new(config(), data()).unwrap();
    run(&mut whole);
    let mut batches = 0;
    let mut first = Trainer::new(config(), data()).unwrap();
    while batches < 11 {
        let stop = |event: Event<'_>| {
            batches += usize::from(matches!(event, Event::Batch { .. }));
            if batches == 11 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        first.run_epoch(stop).unwrap();
    }
    let mut checkpoint = Checkpoint::from_bytes(&first.checkpoint().to_bytes()).unwrap();
    checkpoint.config.training.threads = 3;
    let mut resumed = Trainer::resume(checkpoint, data()).unwrap();
    run(&mut resumed);
    let (whole, resumed) = (whole.checkpoint(), resumed.checkpoint());
    assert!(lists(&whole.parameters) == lists(&resumed.parameters));
    assert!(whole.optimiser == resumed.optimiser);
}

#[test]
fn what_is_written_is_read() {
    let config = config();
    assert_eq!(Config::parse(&config.to_toml(), "again").unwrap(), config);
}
