//! A loss that kernels do not know, evaluated on the host.

use lif_core::engine::EngineError;
use lif_core::loss::Objective;
use lif_core::network::Network;

/// What a loss is in each sample of a batch, and the derivatives of their mean.
pub(crate) struct Evaluated {
    pub(crate) losses: Vec<f32>,
    /// Of the shape of the outputs.
    pub(crate) derivatives: Vec<f32>,
}

/// Evaluates the loss of each sample by its row of outputs, which may be longer than there are output neurons.
///
/// # Errors
/// [`EngineError::NotFinite`] names the first sample whose loss or derivative is not finite.
pub(crate) fn evaluate(
    objective: &dyn Objective<f32>,
    network: &Network,
    outputs: &[f32],
    labels: &[u32],
) -> Result<Evaluated, EngineError> {
    let not_finite = |what, sample| {
        let layer = network.output().name.clone();
        Err(EngineError::NotFinite { what, layer, sample })
    };
    let neurons = network.output().size;
    let row = (outputs.len() / labels.len().max(1)).max(1);
    let mut derivatives = vec![0.0; outputs.len()];
    let mut losses = Vec::with_capacity(labels.len());
    let rows = outputs.chunks_exact(row).zip(derivatives.chunks_exact_mut(row)).zip(labels);
    for (sample, ((outputs, derivatives), &label)) in rows.enumerate() {
        let derivatives = &mut derivatives[..neurons];
        let (outputs, label) = (&outputs[..neurons], label as usize);
        let loss = objective.evaluate_in_batch(sample, outputs, label, derivatives);
        if !loss.is_finite() {
            return not_finite("the loss", sample);
        }
        if derivatives.iter().any(|derivative| !derivative.is_finite()) {
            return not_finite("the gradient", sample);
        }
        derivatives.iter_mut().for_each(|derivative| *derivative /= labels.len() as f32);
        losses.push(loss);
    }
    Ok(Evaluated { losses, derivatives })
}
