use super::engine::GridEngine;
use super::source::Kept;
use lif_core::engine::{Batch, BatchError, Engine, EngineError, Resident, Trained};

impl Resident<f32> for GridEngine {
    fn keep(&mut self, samples: Batch<'_, f32>) -> Result<(), EngineError> {
        samples.check(self.network())?;
        self.kept = Kept { input: self.prepare(samples.spikes)?, labels: samples.labels.to_vec() };
        Ok(())
    }

    fn train(
        &mut self,
        order: &[u32],
        size: usize,
        rates: &[f64],
        trained: &mut Trained<'_>,
    ) -> Result<(), BatchError> {
        let kept = std::mem::take(&mut self.kept);
        let outcome = self.train_on(&kept, order.chunks(size.max(1)).zip(rates), trained);
        self.kept = kept;
        outcome
    }
}

impl GridEngine {
    fn train_on<'a>(
        &mut self,
        kept: &Kept,
        batches: impl Iterator<Item = (&'a [u32], &'a f64)>,
        trained: &mut Trained<'_>,
    ) -> Result<(), BatchError> {
        let mut labels = Vec::new();
        for (batch, (samples, &rate)) in batches.enumerate() {
            let failed = |error| BatchError { batch, error };
            labels.clear();
            // Samples out of range have no label; the engine says so.
            let label = |&sample: &u32| kept.labels.get(sample as usize).copied().unwrap_or(0);
            labels.extend(samples.iter().map(label));
            let statistics = self.differentiate_prepared(&kept.input, samples, &labels);
            let statistics = statistics.map_err(failed)?;
            trained(statistics, self.update(rate).map_err(failed)?);
        }
        Ok(())
    }
}
