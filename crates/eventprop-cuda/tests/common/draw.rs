//! Networks with weights and samples.

use eventprop_cuda::{CudaEngine, CudaOptions};
use lif_core::engine::{Batch, Engine, Training};
use lif_core::loss::Loss;
use lif_core::{ConnectionParameters, Network, Parameters, SpikeBatch};

pub(crate) const INPUTS: usize = 50;

/// A network with weights, input spikes and labels.
#[derive(Clone, Debug)]
pub(crate) struct Draw {
    pub(crate) network: Network,
    pub(crate) parameters: Parameters<f32>,
    pub(crate) spikes: SpikeBatch<f32>,
    pub(crate) labels: Vec<u32>,
    pub(crate) loss: Loss,
}

impl Draw {
    pub(crate) fn batch(&self) -> Batch<'_, f32> {
        Batch { spikes: &self.spikes, labels: &self.labels }
    }

    pub(crate) fn training(&self) -> Training<f32> {
        Training { constant_gradients: false, ..Training::exact(self.loss) }
    }

    pub(crate) fn cuda(&self, training: Training<f32>) -> CudaEngine {
        let mut engine = CudaEngine::new(&self.network, training, CudaOptions::default()).unwrap();
        engine.load(&self.parameters).unwrap();
        engine
    }
}

/// Delays of up to 12 ms in steps of 1/4 ms, as input spikes have them: many arrive together, some after
/// the end, and some spikes overtake others.
pub(crate) fn fill_delays(
    connection: &mut ConnectionParameters<f32>,
    uniform: &mut impl FnMut() -> f64,
) {
    connection.delays.fill_with(|| (uniform() * 48.0).floor() as f32 / 4.0);
}

/// Trains of up to `most` spikes, some of them at equal times, some after the end.
pub(crate) fn spikes(
    samples: usize,
    most: usize,
    uniform: &mut impl FnMut() -> f64,
) -> SpikeBatch<f32> {
    let mut spikes = SpikeBatch::new();
    for _ in 0..samples {
        let count = (uniform() * most as f64) as usize;
        let mut train: Vec<(f32, u32)> = (0..count)
            .map(|_| ((uniform() * 128.0).floor() as f32 / 4.0, (uniform() * INPUTS as f64) as u32))
            .collect();
        train.sort_by(|a, b| a.0.total_cmp(&b.0));
        spikes.push_sorted(train).unwrap();
    }
    spikes
}

pub(crate) fn uniform(seed: u64) -> impl FnMut() -> f64 {
    let mut state = seed;
    move || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 11) as f64 / (1_u64 << 53) as f64
    }
}

pub(crate) fn weights(parameters: &Parameters<f32>) -> Vec<f32> {
    parameters.connections.iter().flat_map(|connection| connection.weights.clone()).collect()
}

pub(crate) fn delays(parameters: &Parameters<f32>) -> Vec<f32> {
    parameters.connections.iter().flat_map(|connection| connection.delays.clone()).collect()
}
