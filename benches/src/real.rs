//! Workloads on real data: MNIST and Yin-Yang as spike trains, with the networks of the presets.

use crate::workload::Workload;
use anyhow::{Context, Result};
use eventprop::{Config, Data, Initialiser, Samples};
use eventprop_cpu::{GridEngine, GridInput};
use lif_core::SpikeBatch;
use lif_core::engine::Engine;
use lif_core::loss::Loss;
use lif_core::network::{LayerSpec, OneOrMany};
use mnist_spikes::{Dropout, yin_yang};

/// A workload on real data that is timed on one and on two threads.
pub struct Task {
    /// Its name among the benchmarks.
    pub name: &'static str,
    /// What it is, for a table.
    pub description: &'static str,
    /// Samples a batch.
    pub batch_size: usize,
    build: fn(usize) -> Result<Workload>,
}

/// All of them. What is said to have 264 hidden spikes a sample has its weights scaled until it has.
pub static TASKS: [Task; 7] = [
    Task {
        name: "mnist-paper",
        description: "MNIST 784-350-10, `mnist-paper`: batch 5, input dropout 0.2",
        batch_size: 5,
        build: |batch| mnist_workload("mnist-paper", batch, |_| ()),
    },
    Task {
        name: "mnist-1",
        description: "MNIST 784-350-10, batch 1",
        batch_size: 1,
        build: |batch| {
            mnist_workload("mnist-paper", batch, without_dropout)?.calibrate(|_| HIDDEN_SPIKES)
        },
    },
    Task {
        name: "mnist-64",
        description: "MNIST 784-350-10, batch 64, 264 hidden spikes a sample",
        batch_size: 64,
        build: |batch| {
            mnist_workload("mnist-paper", batch, without_dropout)?.calibrate(|_| HIDDEN_SPIKES)
        },
    },
    Task {
        name: "mnist-128",
        description: "MNIST 784-350-10, batch 128, 264 hidden spikes a sample",
        batch_size: 128,
        build: |batch| {
            mnist_workload("mnist-paper", batch, without_dropout)?.calibrate(|_| HIDDEN_SPIKES)
        },
    },
    Task {
        name: "mnist-general",
        description: "as batch 64, but tau 20 and 6.3 ms (no integer ratio)",
        batch_size: 64,
        build: |batch| {
            let change = |config: &mut Config| {
                without_dropout(config);
                for layer in &mut config.network.layers[1..] {
                    layer.tau_syn = Some(OneOrMany::One(6.3));
                }
            };
            mnist_workload("mnist-paper", batch, change)?.calibrate(|_| HIDDEN_SPIKES)
        },
    },
    Task {
        name: "mnist-equal",
        description: "as batch 64, but tau 10 and 10 ms (equal constants)",
        batch_size: 64,
        build: |batch| {
            let change = |config: &mut Config| {
                without_dropout(config);
                for layer in &mut config.network.layers[1..] {
                    layer.tau_mem = Some(OneOrMany::One(10.0));
                    layer.tau_syn = Some(OneOrMany::One(10.0));
                }
            };
            mnist_workload("mnist-paper", batch, change)?.calibrate(|_| HIDDEN_SPIKES)
        },
    },
    Task {
        name: "yin-yang",
        description: "Yin-Yang 5-200-3, batch 32",
        batch_size: 32,
        build: yin_yang_workload,
    },
];

/// Hidden spikes a sample of a trained 784-350-10.
pub const HIDDEN_SPIKES: f64 = 264.0;

/// Images that workloads take from MNIST: enough that no cache holds what is made of them.
const IMAGES: usize = 8192;

impl Task {
    /// The task called `name`.
    ///
    /// # Errors
    /// If there is none.
    pub fn named(name: &str) -> Result<&'static Self> {
        TASKS.iter().find(|task| task.name == name).with_context(|| format!("no task {name}"))
    }

    /// Its data, encoded, with its network.
    ///
    /// # Errors
    /// If the configuration is invalid or the engine fails.
    pub fn workload(&self) -> Result<Workload> {
        (self.build)(self.batch_size)
    }
}

/// The network and recipe of `preset` with a change, on the first images of MNIST.
///
/// # Errors
/// If the configuration is invalid.
pub fn mnist_workload(
    preset: &str,
    batch_size: usize,
    change: impl FnOnce(&mut Config),
) -> Result<Workload> {
    let mut config = Config::preset(preset)?;
    change(&mut config);
    config.training.batch_size = batch_size;
    config.check()?;
    let samples = Data::load(&config)?.train;
    let dropout = Dropout::new(config.data.dropout, config.training.seed, 0);
    let batches = (0..IMAGES / batch_size).map(|batch| {
        let (mut spikes, mut labels) = (SpikeBatch::new(), Vec::new());
        for sample in batch * batch_size..(batch + 1) * batch_size {
            push(&samples, sample, dropout.as_ref(), &mut spikes);
            labels.push(samples.label(sample));
        }
        (spikes, labels)
    });
    let batches = batches.collect();
    Workload::new(config, batches)
}

fn push(samples: &Samples, sample: usize, dropout: Option<&Dropout>, to: &mut SpikeBatch<f32>) {
    let train = samples.spikes(sample);
    match dropout {
        Some(dropout) => dropout.push(train, samples.in_set(sample), to),
        None => to.push_train(train),
    }
}

fn without_dropout(config: &mut Config) {
    config.data.dropout = 0.0;
}

/// Wunderlich & Pehle's Yin-Yang: two spiking layers, first-spike loss.
fn yin_yang_workload(batch_size: usize) -> Result<Workload> {
    let mut config = Config::preset("mnist-paper")?;
    config.name = "yin-yang".into();
    config.data.dropout = 0.0;
    let network = &mut config.network;
    network.layers[0] = LayerSpec::input("input", 5);
    network.layers[1].size = 200;
    network.layers[2] = LayerSpec { size: 3, ..LayerSpec::lif("output", 3, 20.0, 5.0) };
    network.connections[0].weights = Some(Initialiser::Normal { mean: 1.5, sd: 0.78 });
    network.connections[1].weights = Some(Initialiser::Normal { mean: 0.93, sd: 0.1 });
    config.loss = Loss::TtfsCrossEntropy { tau: 0.5, alpha: 0.003, tau_early: 6.4 };
    config.training.batch_size = batch_size;
    config.check()?;
    let (count, seed) = yin_yang::TRAIN;
    let encoding = yin_yang::Encoding::new(0.0, 30.0, Some(0.0))?;
    let data = encoding.encode::<f32>(&yin_yang::draw(count, seed));
    let batches = (0..count / batch_size).map(|batch| {
        let mut spikes = SpikeBatch::new();
        let samples = batch * batch_size..(batch + 1) * batch_size;
        samples.clone().for_each(|sample| spikes.push_train(data.spikes.get(sample)));
        (spikes, data.labels[samples].to_vec())
    });
    let batches = batches.collect();
    Workload::new(config, batches)
}

/// The clock-driven model on MNIST, as its preset trains it: samples prepared once, taken in any
/// order.
pub struct GridTask {
    /// The engine, its weights loaded.
    pub engine: GridEngine,
    /// The samples, prepared.
    pub prepared: GridInput,
    /// Which samples make each batch, with their labels.
    pub batches: Vec<(Vec<u32>, Vec<u32>)>,
    /// The same batches as spikes.
    pub spikes: Vec<SpikeBatch<f32>>,
}

/// The presets on a grid.
pub const GRID_PRESETS: [&str; 2] = ["seed", "seed-readme"];

impl GridTask {
    /// The preset `preset` on `threads` threads, on the first images of MNIST in a fixed random
    /// order.
    ///
    /// # Errors
    /// If the preset is none on a grid, or the engine refuses it.
    pub fn new(preset: &str, threads: usize) -> Result<Self> {
        let config = Config::preset(preset)?;
        let grid = config.grid.with_context(|| format!("{preset} is not on a grid"))?;
        let network = config.network.build()?;
        let training = config.training.for_engine(config.loss, &network)?;
        let mut engine = GridEngine::new(&network, grid, training, threads)?;
        engine.load(&config.network.initial_parameters(config.training.seed)?)?;

        let samples = Data::load(&config)?.train;
        let order = mnist_spikes::order(config.training.seed, 0, IMAGES);
        let (mut all, mut spikes, mut batches) = (SpikeBatch::new(), Vec::new(), Vec::new());
        (0..IMAGES).for_each(|sample| all.push_train(samples.spikes(sample)));
        for batch in order.chunks_exact(config.training.batch_size) {
            let mut batch_spikes = SpikeBatch::new();
            batch.iter().for_each(|&sample| batch_spikes.push_train(all.get(sample as usize)));
            spikes.push(batch_spikes);
            let labels = batch.iter().map(|&sample| samples.label(sample as usize)).collect();
            batches.push((batch.to_vec(), labels));
        }
        Ok(Self { prepared: engine.prepare(&all)?, engine, batches, spikes })
    }

    /// Samples a batch.
    pub fn batch_size(&self) -> usize {
        self.batches[0].0.len()
    }

    /// A training step at learning rate 0 on prepared samples.
    ///
    /// # Errors
    /// Those of the engine.
    pub fn step(&mut self, batch: usize) -> Result<()> {
        let (samples, labels) = &self.batches[batch % self.batches.len()];
        self.engine.differentiate_prepared(&self.prepared, samples, labels)?;
        self.engine.update(0.0)?;
        Ok(())
    }
}
