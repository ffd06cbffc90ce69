//! A small training on digits-like spike trains, whose every bit other tests look at.

use eventprop_cpu::{CpuOptions, GridEngine, Precision};
use lif_core::engine::{Batch, Engine, Training};
use lif_core::grid::{GridSpec, GridVariant};
use lif_core::loss::Loss;
use lif_core::network::{ConnectionSpec, LayerSpec};
use lif_core::optimiser::{Clip, Optimiser};
use lif_core::{Network, Parameters, SpikeBatch};

/// Pixels of an image.
const INPUTS: usize = 196;
const CLASSES: usize = 10;
const SAMPLES: usize = 72;
const BATCH: usize = 24;
const EPOCHS: usize = 3;

/// What is trained. Layer sizes are no multiples of a block, and seven threads divide none of them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Recipe {
    /// What the recipe is called.
    pub(crate) name: &'static str,
    /// Sizes of the hidden layers.
    pub(crate) hidden: &'static [usize],
    /// Time constants in ms.
    pub(crate) tau: (f64, f64),
    /// The loss, which decides between a spiking and a leaky output.
    pub(crate) loss: Loss,
    /// The optimiser.
    pub(crate) optimiser: Optimiser,
    /// Gradient clipping.
    pub(crate) clip: Option<Clip>,
    /// The step in ms, of a clock-driven model.
    pub(crate) grid: Option<f64>,
}

/// Between them: closed-form, polynomial, general and equal time constants, every kind of output, one
/// and two hidden layers, both optimisers; exact times and a grid.
pub(crate) const RECIPES: [Recipe; 5] = [
    Recipe {
        name: "vmax",
        hidden: &[70],
        tau: (20.0, 5.0),
        loss: Loss::VmaxCrossEntropy {},
        optimiser: Optimiser::ADAM,
        clip: None,
        grid: None,
    },
    Recipe {
        name: "first-spike, two layers",
        hidden: &[53, 37],
        tau: (10.0, 5.0),
        loss: Loss::TtfsCrossEntropy { tau: 2.0, alpha: 0.01, tau_early: 10.0 },
        optimiser: Optimiser::ADAM,
        clip: Some(Clip::Value(0.02)),
        grid: None,
    },
    Recipe {
        name: "mean, general time constants",
        hidden: &[61],
        tau: (20.0, 6.3),
        loss: Loss::MeanCrossEntropy {},
        optimiser: Optimiser::Sgd { momentum: 0.5 },
        clip: Some(Clip::Norm(0.5)),
        grid: None,
    },
    Recipe {
        name: "exp-weighted mean, equal time constants",
        hidden: &[18, 33],
        tau: (8.0, 8.0),
        loss: Loss::ExpMeanCrossEntropy {},
        optimiser: Optimiser::ADAM,
        clip: None,
        grid: None,
    },
    Recipe {
        name: "on a grid, two layers",
        hidden: &[53, 37],
        tau: (10.0, 5.0),
        loss: Loss::TtfsCrossEntropy { tau: 2.0, alpha: 0.01, tau_early: 10.0 },
        optimiser: Optimiser::ADAM,
        clip: None,
        grid: Some(0.5),
    },
];

/// The weights after training, connection by connection; the loss must have fallen and neurons must
/// have spiked, or the bits would say little.
pub(crate) fn train(recipe: &Recipe, threads: usize) -> Vec<f32> {
    let network = network(recipe);
    let training = Training {
        optimiser: recipe.optimiser,
        clip: recipe.clip,
        slope_floor: 0.02,
        input_gradients: false,
        constant_gradients: false,
        ..Training::exact(recipe.loss)
    };
    let mut engine = engine(recipe, &network, training, threads);
    engine.load(&start(&network)).unwrap();
    let batches = batches();
    let mut losses = Vec::new();
    for _ in 0..EPOCHS {
        let mut loss = 0.0;
        for (spikes, labels) in &batches {
            let (statistics, _) = engine.train_step(Batch { spikes, labels }, 0.01).unwrap();
            loss += statistics.loss;
        }
        losses.push(loss / SAMPLES as f64);
    }
    assert!(losses[EPOCHS - 1] < losses[0], "{}: {losses:?}", recipe.name);
    let activity = engine.take_activity();
    for (layer, counts) in activity.iter().enumerate().skip(1).take(recipe.hidden.len()) {
        let spikes = counts.iter().sum::<u64>() as f64 / (SAMPLES * EPOCHS) as f64;
        assert!(spikes > 5.0, "{}, layer {layer}: {spikes} spikes a sample", recipe.name);
    }
    engine.parameters().connections.into_iter().flat_map(|c| c.weights).collect()
}

fn engine(
    recipe: &Recipe,
    network: &Network,
    training: Training<f32>,
    threads: usize,
) -> Box<dyn Engine<f32>> {
    let Some(dt) = recipe.grid else {
        let options = CpuOptions { threads: Some(threads) };
        return f32::dense_engine(network, training, options).unwrap();
    };
    let spec = GridSpec::new(dt, GridVariant::Head);
    let training = Training { slope_floor: 0.0, ..training };
    Box::new(GridEngine::new(network, spec, training, threads).unwrap())
}

fn network(recipe: &Recipe) -> Network {
    let (tau_mem, tau_syn) = recipe.tau;
    let mut layers = vec![LayerSpec::input("0", INPUTS)];
    for (below, &size) in recipe.hidden.iter().enumerate() {
        layers.push(LayerSpec::lif((below + 1).to_string(), size, tau_mem, tau_syn));
    }
    let last = layers.len().to_string();
    layers.push(match recipe.loss {
        Loss::TtfsCrossEntropy { .. } | Loss::SpikeTimeSum {} => {
            LayerSpec::lif(last, CLASSES, tau_mem, tau_syn)
        }
        _ => LayerSpec::li(last, CLASSES, tau_mem, tau_syn),
    });
    let connections = (1..layers.len())
        .map(|layer| ConnectionSpec::dense((layer - 1).to_string(), layer.to_string()))
        .collect();
    Network::new(60.0, layers, connections).unwrap()
}

/// Weights that have each layer spike about once a neuron.
fn start(network: &Network) -> Parameters<f32> {
    let mut parameters = Parameters::initial(network);
    let mut random = Random(3);
    for (position, connection) in parameters.connections.iter_mut().enumerate() {
        let spikes_below = match position {
            0 => 60.0,
            layer => network.layers()[layer].size as f32,
        };
        for weight in &mut connection.weights {
            *weight = (8.0 + 8.0 * random.normal()) / spikes_below;
        }
    }
    parameters
}

/// Each class has a pattern of bright pixels; a sample spikes at its brightness, of 256 levels, with
/// some pixels changed.
fn batches() -> Vec<(SpikeBatch<f32>, Vec<u32>)> {
    let mut random = Random(1);
    let patterns: Vec<Vec<u32>> =
        (0..CLASSES).map(|_| (0..INPUTS).map(|_| random.below(256)).collect()).collect();
    let mut batches = Vec::new();
    for _ in 0..SAMPLES / BATCH {
        let (mut spikes, mut labels) = (SpikeBatch::new(), Vec::new());
        for _ in 0..BATCH {
            let label = random.below(CLASSES as u32);
            let mut train: Vec<(f32, u32)> = Vec::new();
            for (pixel, &grey) in patterns[label as usize].iter().enumerate() {
                let grey = if random.below(5) == 0 { random.below(256) } else { grey };
                if grey > 170 {
                    train.push((20.0 * (1.0 - grey as f32 / 255.0), pixel as u32));
                }
            }
            train.sort_by(|a, b| a.0.total_cmp(&b.0));
            spikes.push_sorted(train).unwrap();
            labels.push(label);
        }
        batches.push((spikes, labels));
    }
    batches
}

/// SplitMix64.
#[derive(Clone, Debug)]
pub(crate) struct Random(pub(crate) u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, bound: u32) -> u32 {
        (self.next() % u64::from(bound)) as u32
    }

    /// The sum of twelve uniform numbers, about normal.
    pub(crate) fn normal(&mut self) -> f32 {
        (0..12).map(|_| (self.next() >> 40) as f32 / (1 << 24) as f32).sum::<f32>() - 6.0
    }
}
