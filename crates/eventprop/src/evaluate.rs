use crate::data::Samples;
use crate::gather::Pass;
use crate::metrics::{Evaluation, LayerActivity, Score};
use lif_core::engine::{Engine, EngineError};
use lif_core::loss::Objective;
use std::ops::ControlFlow;

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
    let outputs = engine.network().output().size;
    let lif: Vec<_> = (0..engine.network().layers().len())
        .filter(|&layer| engine.network().layers()[layer].is_lif())
        .collect();
    let mut spikes: Vec<Vec<u64>> =
        lif.iter().map(|&layer| vec![0; engine.network().layers()[layer].size]).collect();
    let mut confusion = vec![vec![0; outputs + 1]; outputs];
    let (mut loss, mut correct) = (0.0, 0);
    let mut gradient = vec![0.0; outputs];
    let order: Vec<u32> = (0..samples.len() as u32).collect();
    let pass = Pass { samples, order: &order, batch_size: BATCH, first: 0, draws: None };
    let _ = pass.for_each(|gathered| -> Result<_, EngineError> {
        let batch = gathered.batch();
        let measured = engine.infer(batch.spikes)?;
        let values = measured.values.chunks_exact(outputs);
        for ((values, prediction), &label) in values.zip(&measured.predictions).zip(batch.labels) {
            loss += f64::from(objective.evaluate(values, label as usize, &mut gradient));
            correct += u64::from(*prediction == Some(label));
            let column = prediction.map_or(outputs, |class| class as usize);
            confusion[label as usize][column] += 1;
        }
        for (counts, &layer) in spikes.iter_mut().zip(&lif) {
            for train in engine.spikes(layer).iter() {
                train.indices().iter().for_each(|&neuron| counts[neuron as usize] += 1);
            }
        }
        Ok(ControlFlow::Continue(()))
    })?;
    let count = samples.len().max(1) as f64;
    let layers = lif.iter().zip(&spikes).map(|(&layer, counts)| LayerActivity {
        layer: engine.network().layers()[layer].name.clone(),
        spikes_per_sample: counts.iter().sum::<u64>() as f64 / count,
        silent: counts.iter().filter(|&&count| count == 0).count(),
    });
    Ok(Evaluation {
        samples: samples.len(),
        score: Score { loss: loss / count, accuracy: correct as f64 / count },
        layers: layers.collect(),
        confusion,
    })
}
