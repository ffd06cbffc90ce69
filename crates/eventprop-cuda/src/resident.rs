//! Training on samples that stay on the device: the host waits only now and then, to see whether all
//! went well.

use crate::abi::{Control, NONE};
use crate::data::{Data, longest};
use crate::engine::{CudaEngine, Source, Task};
use crate::memory::check_data;
use crate::queue::{check_order, ranges};
use crate::update::statistics;
use lif_core::engine::{
    Batch, BatchError, BatchStatistics, EngineError, Resident, UpdateStatistics,
};

/// Steps between two looks at the device. What runs after a step that failed is lost and run again.
const STEPS_BETWEEN_LOOKS: usize = 64;

impl Resident<f32> for CudaEngine {
    fn keep(&mut self, samples: Batch<'_, f32>) -> Result<(), EngineError> {
        samples.check(&self.network)?;
        let spikes = samples.spikes;
        self.forget(Source::Resident)?;
        check_data(Data::bytes(spikes.len(), spikes.spike_count()), self.device.free_memory()?)?;
        let mut data = Data::new(&self.device, spikes.len(), spikes.spike_count())?;
        data.write(&self.device, spikes, samples.labels, self.network.input().size)?;
        self.kept_arrivals = longest(spikes, self.network.duration() as f32);
        self.data[Source::Resident as usize] = Some(data);
        Ok(())
    }

    fn train(
        &mut self,
        order: &[u32],
        size: usize,
        rates: &[f64],
    ) -> Result<(BatchStatistics, UpdateStatistics), BatchError> {
        let (mut batches, mut updates) = (BatchStatistics::default(), UpdateStatistics::default());
        let at = |batch: usize| move |error| BatchError { batch, error };
        let kept = self.data[Source::Resident as usize].as_ref().map_or(0, Data::len);
        check_order(kept, order, size, rates).map_err(at(0))?;
        self.make_room(size.min(order.len()), self.kept_arrivals).map_err(at(0))?;
        let steps: Vec<&[u32]> = order.chunks(size).collect();
        // The host evaluates a loss of one's own after each.
        let most = if self.has_own_loss() { 1 } else { STEPS_BETWEEN_LOOKS };
        let (mut next, mut look) = (0, most);
        while next < steps.len() {
            let end = steps.len().min(next + look);
            let outcome = self.run_steps(&steps[next..end], &rates[next..end]).map_err(at(next))?;
            let (batch, update) = statistics(&outcome);
            batches += batch;
            updates += update;
            let alone = end == next + 1;
            next += outcome.cursor as usize;
            self.steps += outcome.cursor as u64;
            look = most;
            if outcome.is_faulty() {
                // Later steps may have left marks of their own; only a step by itself says what it met.
                if alone || outcome.parameter_not_finite != NONE {
                    self.check(&outcome).map_err(at(next))?;
                    self.grow().map_err(at(next))?;
                } else if outcome.runaway == NONE && outcome.capacity != 0 {
                    self.grow().map_err(at(next))?;
                }
                look = 1;
            }
        }
        Ok((batches, updates))
    }
}

impl CudaEngine {
    /// Starts one step after the other and waits for the last.
    fn run_steps(&mut self, steps: &[&[u32]], rates: &[f64]) -> Result<Control, EngineError> {
        self.set_queue(&ranges(steps), &steps.concat(), rates)?;
        self.reset()?;
        self.weights.stored.forget_gradient();
        for samples in steps {
            if self.has_own_loss() {
                self.start_with_own_loss(Task::Train, Source::Resident, samples)?;
            } else {
                self.start(Task::Train, Source::Resident, samples.len())?;
            }
            self.samples = samples.len();
        }
        self.outcome()
    }
}
