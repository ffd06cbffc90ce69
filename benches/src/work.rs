//! What a training step has to do at the least: multiply-adds and bytes, counted from the spikes of a
//! batch. The formulae stand in [`FORMULAE`], for the report.

use crate::workload::Workload;
use anyhow::Result;
use lif_core::SpikeBatch;

/// Neurons come in blocks of this many: a block computes for all or for none.
pub const BLOCK: usize = 16;

/// How [`Work`] is counted, in Markdown.
pub const FORMULAE: &str = "\
A layer of N neurons (rounded up to blocks of 16) that in a sample receives E events at G different \
times needs

- forward: N (E + 3 G) multiply-adds (one addition of a weight an event; an interval decays V and I \
and adds one to the other) and 4 N E bytes of weights;
- backward: for each block E' and G', those up to its last spike: 16 (E' + 3 G') multiply-adds (one \
addition to the gradient an event; an interval decays two adjoints and adds one to the other) and \
8 * 16 E' bytes of gradient, read and written; where a layer that learns lies below, 16 * 3 E' \
multiply-adds and 4 * 16 E' bytes of weights more, for the errors sent down. A leaky readout has no \
spike that ends its part: all events count;
- update (Adam): for each weight one square root and one division, 7 multiply-adds, 28 bytes: weight, \
gradient and two moments read, three of them written.

Not counted: the test for crossings and their solution, sorting, the loss, decays (worked out once a \
sample for all neurons), and whatever a different algorithm might save. Weights of a block are taken \
to come from the smallest cache that holds them all; so are the arrays of the update.";

/// What a layer does, a sample.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct LayerWork {
    /// Multiply-adds forward.
    pub forward: f64,
    /// Bytes read forward.
    pub forward_bytes: f64,
    /// Multiply-adds backward.
    pub backward: f64,
    /// Bytes read and written backward.
    pub backward_bytes: f64,
    /// The bytes of a block's weights, which decide where they live.
    pub block_bytes: usize,
}

/// What a batch does.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Work {
    /// Layers above the input, a sample of the batch on average.
    pub layers: Vec<LayerWork>,
    /// Input spikes a sample.
    pub input_spikes: f64,
    /// Spikes of all hidden layers, a sample.
    pub hidden_spikes: f64,
    /// Weights, those that fill up blocks included.
    pub weights: usize,
}

impl Work {
    /// Counts the spikes of the workload's first batches.
    ///
    /// # Errors
    /// If the engine fails.
    pub fn count(workload: &Workload) -> Result<Self> {
        let network = workload.network();
        let mut engine = workload.engine(1)?;
        let sizes: Vec<usize> = network.layers().iter().map(|layer| layer.size).collect();
        let blocks = |layer: usize| sizes[layer].div_ceil(BLOCK);
        let mut work = Self {
            layers: vec![LayerWork::default(); sizes.len() - 1],
            weights: (1..sizes.len()).map(|l| sizes[l - 1] * blocks(l) * BLOCK).sum(),
            ..Self::default()
        };
        let mut samples = 0;
        for position in 0..workload.batches().min(64) {
            let batch = workload.batch(position);
            engine.differentiate(batch)?;
            let mut below = batch.spikes.clone();
            work.input_spikes += below.spike_count() as f64;
            for layer in 1..sizes.len() {
                let spikes = network.layers()[layer].is_lif().then(|| engine.spikes(layer));
                let counted = &mut work.layers[layer - 1];
                counted.block_bytes = sizes[layer - 1] * BLOCK * size_of::<f32>();
                counted.add(&below, spikes.as_ref(), blocks(layer), layer > 1, network.duration());
                if layer + 1 < sizes.len() {
                    below = spikes.unwrap_or_default();
                    work.hidden_spikes += below.spike_count() as f64;
                }
            }
            samples += batch.len();
            if samples >= 256 {
                break;
            }
        }
        let share = 1.0 / samples as f64;
        work.input_spikes *= share;
        work.hidden_spikes *= share;
        for layer in &mut work.layers {
            let LayerWork { forward, forward_bytes, backward, backward_bytes, .. } = layer;
            for value in [forward, forward_bytes, backward, backward_bytes] {
                *value *= share;
            }
        }
        Ok(work)
    }

    /// Bytes that Adam reads and writes in an update.
    pub fn update_bytes(&self) -> f64 {
        28.0 * self.weights as f64
    }

    /// Bytes that an update walks through: weights, gradient, two moments.
    pub fn update_working_set(&self) -> usize {
        16 * self.weights
    }
}

impl LayerWork {
    /// Adds what a batch needs that receives `below` and sends `spikes` (None of a readout).
    fn add(
        &mut self,
        below: &SpikeBatch<f32>,
        spikes: Option<&SpikeBatch<f32>>,
        blocks: usize,
        errors_below: bool,
        duration: f64,
    ) {
        let mut last_spikes = vec![f32::NEG_INFINITY; blocks];
        for sample in 0..below.len() {
            last_spikes.fill(f32::NEG_INFINITY);
            match spikes {
                // Ascending in time: the last of a block is what remains.
                Some(spikes) => spikes
                    .get(sample)
                    .iter()
                    .for_each(|(time, neuron)| last_spikes[neuron as usize / BLOCK] = time),
                None => last_spikes.fill(f32::INFINITY),
            }
            let times = below.get(sample).times();
            let times = &times[..times.partition_point(|&time| f64::from(time) <= duration)];
            let (events, groups) = counts(times);
            let lanes = (blocks * BLOCK) as f64;
            self.forward += lanes * (events + 3.0 * groups);
            self.forward_bytes += 4.0 * lanes * events;
            for &last in &last_spikes {
                let (events, groups) = counts(&times[..times.partition_point(|&t| t <= last)]);
                let errors = if errors_below { events } else { 0.0 };
                let lanes = BLOCK as f64;
                self.backward += lanes * (events + 3.0 * groups + 3.0 * errors);
                self.backward_bytes += lanes * (8.0 * events + 4.0 * errors);
            }
        }
    }
}

/// The events at these ascending times, and their different times.
fn counts(times: &[f32]) -> (f64, f64) {
    let changes = times.windows(2).filter(|pair| pair[0] != pair[1]).count();
    (times.len() as f64, (changes + usize::from(!times.is_empty())) as f64)
}
