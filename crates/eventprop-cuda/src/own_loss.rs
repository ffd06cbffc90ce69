//! Losses that kernels do not know: the host evaluates them, between a graph that ends at the measurements of the
//! output layer and one that starts at the derivatives by them.

use crate::engine::{CudaEngine, Source, Task};
use crate::host_loss::evaluate;
use lif_core::engine::EngineError;

impl CudaEngine {
    /// Whether the host has to evaluate the loss.
    pub(crate) fn has_own_loss(&self) -> bool {
        self.training.objective.known().is_none()
    }

    /// Puts [`Task::Differentiate`] or [`Task::Train`] for a batch, made of the samples at these positions of its source,
    /// into the stream in two parts. The second is left out where the first failed: then there is nothing to measure.
    ///
    /// # Errors
    /// [`EngineError::NotFinite`] names the first sample whose loss or derivative is not finite; those of the device.
    pub(crate) fn start_with_own_loss(
        &mut self,
        task: Task,
        source: Source,
        samples: &[u32],
    ) -> Result<(), EngineError> {
        self.start(Task::Infer, source, samples.len())?;
        if self.outcome()?.control.is_faulty() {
            return Ok(());
        }
        let Some(data) = &self.data[source as usize] else { return Ok(()) };
        let labels = samples.iter().map(|&sample| data.given_labels[sample as usize]);
        self.evaluate(&labels.collect::<Vec<_>>())?;
        let rest = if task == Task::Train { Task::TrainBack } else { Task::DifferentiateBack };
        self.start(rest, source, samples.len())
    }

    fn evaluate(&mut self, labels: &[u32]) -> Result<(), EngineError> {
        let Self { training, network, plan, device, batch, .. } = self;
        let (Some(batch), Some(last)) = (batch, plan.last()) else { return Ok(()) };
        let (outputs, by_outputs) = batch.output_mut(plan.len() - 1);
        let outputs = device.read(outputs, labels.len() * last.stride)?;
        let evaluated = evaluate(&*training.objective, network, &outputs, labels)?;
        device.write(&evaluated.derivatives, by_outputs)?;
        device.write(&evaluated.losses, &mut batch.losses)
    }
}
