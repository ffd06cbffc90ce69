//! What is trained: networks and random data of the shape of MNIST.

use eventprop_cuda::{CudaEngine, CudaGridEngine, CudaOptions};
use lif_core::engine::{Engine, EngineError, Training};
use lif_core::grid::{GridSpec, GridVariant};
use lif_core::loss::Loss;
use lif_core::network::{ConnectionSpec, LayerSpec};
use lif_core::optimiser::Optimiser;
use lif_core::{Network, Parameters, SpikeBatch};

/// A model, and the input spikes of a sample.
pub(crate) struct Workload {
    pub(crate) model: Model,
    pub(crate) events: usize,
}

#[derive(Clone, Copy)]
pub(crate) enum Model {
    /// A hidden layer of so many neurons, inputs at any time.
    Hidden(usize),
    /// No hidden layer, the same inputs.
    Output,
    /// No hidden layer, with inputs, weights and optimiser of the PyTorch script that `bench_torch.py`
    /// measures: every input spikes, early (white) or late (black).
    Seed,
    /// The same on its grid of 1 ms. The loop that lifts silent neurons is left out, as of the script.
    Grid,
}

const INPUTS: usize = 784;
/// When white and black inputs spike, and how many are white: those of MNIST above one half.
const WHITE: f32 = 2.0;
const BLACK: f32 = 12.0;
const WHITE_SHARE: f32 = 0.127;

impl Model {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Hidden(_) => "784-350-10 vmax",
            Self::Output => "784-10 ttfs",
            Self::Seed => "784-10 ttfs, seed's data",
            Self::Grid => "784-10 on a grid, seed's data",
        }
    }

    pub(crate) fn training(self) -> Training<f32> {
        let loss = match self {
            Self::Hidden(_) => Loss::VmaxCrossEntropy {},
            _ => Loss::TtfsCrossEntropy { tau: 2.0, alpha: 0.01, tau_early: 10.0 },
        };
        let optimiser = match self {
            Self::Seed | Self::Grid => Optimiser::SGD,
            _ => Optimiser::ADAM,
        };
        Training {
            optimiser,
            input_gradients: false,
            constant_gradients: false,
            ..Training::exact(loss)
        }
    }

    /// An engine for it, with all weights 0; on a grid there are no options.
    pub(crate) fn engine(
        self,
        network: &Network,
        options: CudaOptions,
    ) -> Result<Box<dyn Engine<f32>>, EngineError> {
        Ok(match self {
            Self::Grid => {
                let spec = GridSpec { bump: 0.0, ..GridSpec::new(1.0, GridVariant::Head) };
                Box::new(CudaGridEngine::new(network, spec, self.training(), options.device)?)
            }
            _ => Box::new(CudaEngine::new(network, self.training(), options)?),
        })
    }

    pub(crate) fn network(self) -> Network {
        let mut layers = vec![LayerSpec::input("in", INPUTS)];
        let mut connections = Vec::new();
        match self {
            Self::Hidden(size) => {
                layers.push(LayerSpec::lif("hidden", size, 20.0, 5.0));
                layers.push(LayerSpec::li("out", 10, 20.0, 5.0));
                connections.push(ConnectionSpec::dense("in", "hidden"));
                connections.push(ConnectionSpec::dense("hidden", "out"));
            }
            _ => {
                layers.push(LayerSpec::lif("out", 10, 20.0, 5.0));
                connections.push(ConnectionSpec::dense("in", "out"));
            }
        }
        Network::new(20.0, layers, connections).expect("a valid network")
    }
}

impl Workload {
    /// Weights at which a neuron spikes about 1.5 times a sample; those that the script begins from.
    pub(crate) fn parameters(&self, network: &Network) -> Parameters<f32> {
        let mut uniform = uniform();
        let mut parameters = Parameters::<f32>::initial(network);
        for (position, connection) in parameters.connections.iter_mut().enumerate() {
            let first = position == 0;
            connection.weights.fill_with(|| match self.model {
                // Mean and deviation 0.1, from four uniform numbers.
                Model::Seed | Model::Grid => {
                    let sum: f32 = (0..4).map(|_| uniform()).sum();
                    0.1 + 0.1 * (sum - 2.0) * 3.0_f32.sqrt()
                }
                _ => {
                    let mean = if first { 7.0 / self.events as f32 } else { 0.0 };
                    mean * (0.5 + uniform()) + 0.05 * (uniform() - 0.5)
                }
            });
        }
        parameters
    }

    pub(crate) fn spikes(&self, samples: usize) -> SpikeBatch<f32> {
        let mut uniform = uniform();
        let mut spikes = SpikeBatch::with_capacity(samples, samples * self.events);
        for _ in 0..samples {
            let train = match self.model {
                Model::Seed | Model::Grid => two_times(&mut uniform),
                _ => latencies(self.events, &mut uniform),
            };
            spikes.push_sorted(train).expect("sorted");
        }
        spikes
    }
}

fn two_times(uniform: &mut impl FnMut() -> f32) -> Vec<(f32, u32)> {
    let (white, black): (Vec<u32>, Vec<u32>) =
        (0..INPUTS as u32).partition(|_| uniform() < WHITE_SHARE);
    let at = |time| move |source| (time, source);
    white.into_iter().map(at(WHITE)).chain(black.into_iter().map(at(BLACK))).collect()
}

/// Spikes at one of 256 times, of sources that spike once at most.
fn latencies(events: usize, uniform: &mut impl FnMut() -> f32) -> Vec<(f32, u32)> {
    let first = (uniform() * INPUTS as f32) as usize;
    let mut train: Vec<(f32, u32)> = (0..events)
        .map(|k| ((uniform() * 256.0).floor() * 0.06, ((first + 5 * k) % INPUTS) as u32))
        .collect();
    train.sort_by(|a, b| a.0.total_cmp(&b.0));
    train
}

fn uniform() -> impl FnMut() -> f32 {
    let mut state = 1_u64;
    move || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 40) as f32 / (1 << 24) as f32
    }
}
