use crate::data::Samples;
use crate::gather::{Pass, Pick};
use crate::metrics::{Evaluation, LayerActivity, Score};
use crate::stride::Stride;
use lif_core::Network;
use lif_core::engine::{Engine, EngineError};
use lif_core::loss::Objective;
use std::ops::{ControlFlow, Range};

/// Samples of one call to the engine: enough to keep many cores busy.
const BATCH: usize = 512;

/// Runs `samples` through the network as it is, without dropout, and measures `objective`.
///
/// # Errors
/// Those of [`Engine::infer`].
pub fn evaluate(
    engine: &mut dyn Engine<f32>,
    objective: &dyn Objective<f32>,
    samples: &Samples,
) -> Result<Evaluation, EngineError> {
    let measured = measure(engine, objective, samples, 0..samples.len())?;
    Ok(measured.evaluation(engine.network(), samples))
}

/// What the samples of a set, or some of them, came to.
pub(crate) struct Measured {
    /// By sample: the bits of its loss, its prediction ([`NONE`] if there is none).
    pub(crate) samples: Vec<[u32; 2]>,
    /// Spikes of each neuron, by layer that spikes.
    pub(crate) spikes: Vec<Vec<u64>>,
}

const NONE: u32 = u32::MAX;

/// Runs the samples at `part` of a set through the network.
pub(crate) fn measure(
    engine: &mut dyn Engine<f32>,
    objective: &dyn Objective<f32>,
    samples: &Samples,
    part: Range<usize>,
) -> Result<Measured, EngineError> {
    let outputs = engine.network().output().size;
    let lif = spiking_layers(engine.network());
    let mut measured = Measured {
        samples: Vec::with_capacity(part.len()),
        spikes: lif.iter().map(|&layer| vec![0; engine.network().layers()[layer].size]).collect(),
    };
    let mut gradient = vec![0.0; outputs];
    let order: Vec<u32> = part.map(|sample| sample as u32).collect();
    let pass = Pass {
        samples,
        order: &order,
        batch_size: BATCH,
        first: 0,
        draws: None,
        pick: Pick::All,
        stride: &Stride::one(),
    };
    let _ = pass.for_each(|gathered| -> Result<_, EngineError> {
        let batch = gathered.batch();
        let outcome = engine.infer(batch.spikes)?;
        let values = outcome.values.chunks_exact(outputs);
        for ((values, prediction), &label) in values.zip(&outcome.predictions).zip(batch.labels) {
            let loss = objective.evaluate(values, label as usize, &mut gradient);
            measured.samples.push([loss.to_bits(), prediction.unwrap_or(NONE)]);
        }
        for (counts, &layer) in measured.spikes.iter_mut().zip(&lif) {
            let sent = engine.spike_counts(layer);
            counts.iter_mut().zip(sent).for_each(|(sum, count)| *sum += count);
        }
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(measured)
}

impl Measured {
    /// The same, where all of `samples` were measured.
    pub(crate) fn evaluation(&self, network: &Network, samples: &Samples) -> Evaluation {
        let outputs = network.output().size;
        let mut confusion = vec![vec![0; outputs + 1]; outputs];
        let (mut loss, mut correct) = (0.0, 0);
        for (sample, &[bits, prediction]) in self.samples.iter().enumerate() {
            let label = samples.label(sample);
            loss += f64::from(f32::from_bits(bits));
            correct += u64::from(prediction == label);
            let column = if prediction == NONE { outputs } else { prediction as usize };
            confusion[label as usize][column] += 1;
        }
        let count = samples.len().max(1) as f64;
        let lif = spiking_layers(network);
        let layers = lif.iter().zip(&self.spikes).map(|(&layer, counts)| LayerActivity {
            layer: network.layers()[layer].name.clone(),
            spikes_per_sample: counts.iter().sum::<u64>() as f64 / count,
            silent: counts.iter().filter(|&&count| count == 0).count(),
        });
        Evaluation {
            samples: samples.len(),
            score: Score { loss: loss / count, accuracy: correct as f64 / count },
            layers: layers.collect(),
            confusion,
        }
    }
}

fn spiking_layers(network: &Network) -> Vec<usize> {
    (0..network.layers().len()).filter(|&layer| network.layers()[layer].is_lif()).collect()
}
