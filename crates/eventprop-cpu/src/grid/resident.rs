use super::engine::GridEngine;
use super::source::Kept;
use lif_core::engine::{
    Batch, BatchError, BatchStatistics, Engine, EngineError, Resident, UpdateStatistics,
};

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
    ) -> Result<(BatchStatistics, UpdateStatistics), BatchError> {
        let kept = std::mem::take(&mut self.kept);
        let trained = self.train_on(&kept, order, size, rates);
        self.kept = kept;
        trained
    }
}

impl GridEngine {
    fn train_on(
        &mut self,
        kept: &Kept,
        order: &[u32],
        size: usize,
        rates: &[f64],
    ) -> Result<(BatchStatistics, UpdateStatistics), BatchError> {
        let (mut sums, mut updates) = (BatchStatistics::default(), UpdateStatistics::default());
        let mut labels = Vec::with_capacity(size);
        for (batch, (samples, &rate)) in order.chunks(size.max(1)).zip(rates).enumerate() {
            let failed = |error| BatchError { batch, error };
            labels.clear();
            // Samples out of range have no label; the engine says so.
            let label = |&sample: &u32| kept.labels.get(sample as usize).copied().unwrap_or(0);
            labels.extend(samples.iter().map(label));
            sums += self.differentiate_prepared(&kept.input, samples, &labels).map_err(failed)?;
            updates += self.update(rate).map_err(failed)?;
        }
        Ok((sums, updates))
    }
}
