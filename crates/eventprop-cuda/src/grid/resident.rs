//! Training on samples that stay on the device: the host waits only now and then, to see whether all went well.

use super::data::Data;
use super::engine::{CudaGridEngine, Source, Task};
use crate::abi::NONE;
use crate::memory::check_data;
use crate::queue::{Outcome, check_order, ranges};
use lif_core::engine::{Batch, BatchError, BatchStatistics, EngineError, Resident, Trained};

/// Steps between two looks at the device, at most. What runs after a step in which a neuron was silent is lost and run
/// again, so where that is common looks are frequent.
const STEPS_BETWEEN_LOOKS: usize = 64;
/// Steps that are started together, if there are so many of the same size.
const STEPS_OF_A_GRAPH: usize = 16;

impl Resident<f32> for CudaGridEngine {
    fn keep(&mut self, samples: Batch<'_, f32>) -> Result<(), EngineError> {
        samples.check(self.model.network())?;
        self.forget(Source::Kept)?;
        let free = self.device.free_memory()?;
        let check = |bytes| check_data(bytes, free);
        let data = Data::new(&self.device, &self.model, samples.spikes, samples.labels, check)?;
        self.data[Source::Kept as usize] = Some(data);
        Ok(())
    }

    fn train(
        &mut self,
        order: &[u32],
        size: usize,
        rates: &[f64],
        trained: &mut Trained<'_>,
    ) -> Result<(), BatchError> {
        let at = |batch: usize| move |error| BatchError { batch, error };
        let kept = self.data[Source::Kept as usize].as_ref().map_or(0, Data::len);
        check_order(kept, order, size, rates).map_err(at(0))?;
        self.make_room(size.min(order.len()), Source::Kept).map_err(at(0))?;
        self.end_parts().map_err(at(0))?;
        self.stored.forget_gradient();
        let steps: Vec<&[u32]> = order.chunks(size).collect();
        let (mut next, mut look) = (0, STEPS_BETWEEN_LOOKS);
        while next < steps.len() {
            let alone = look == 1 || !self.knows_loss();
            let end = steps.len().min(next + if alone { 1 } else { look });
            let (steps, rates) = (&steps[next..end], &rates[next..end]);
            let (outcome, bumped) =
                if alone { self.step(steps[0], rates[0]) } else { self.run_steps(steps, rates) }
                    .map_err(at(next))?;
            let fails = outcome.control.parameter_not_finite != NONE;
            // A step that fails so may have been counted already.
            let counted = usize::from(fails && self.learns_at_once());
            let sound = outcome.finished().saturating_sub(counted);
            for (mut batch, update) in outcome.statistics().take(sound) {
                // Of one step: others wake nobody.
                batch += bumped;
                trained(batch, update);
            }
            next += sound;
            self.updates += sound as u64;
            if fails {
                self.check(&outcome.control).map_err(at(next))?;
            }
            // Later steps may have left marks of their own; only a step by itself says what it met.
            look = if outcome.control.is_faulty() { 1 } else { STEPS_BETWEEN_LOOKS.min(2 * look) };
        }
        Ok(())
    }
}

impl CudaGridEngine {
    /// Starts one step after the other and waits for the last.
    fn run_steps(
        &mut self,
        steps: &[&[u32]],
        rates: &[f64],
    ) -> Result<(Outcome, BatchStatistics), EngineError> {
        self.set_queue(&ranges(steps), &steps.concat(), rates)?;
        self.queue.reset(&self.device)?;
        // Only the last may be shorter.
        for steps in steps.chunk_by(|a, b| a.len() == b.len()) {
            for steps in steps.chunks(STEPS_OF_A_GRAPH) {
                // One of each length of graph is recorded.
                let together = if steps.len() == STEPS_OF_A_GRAPH { STEPS_OF_A_GRAPH } else { 1 };
                for steps in steps.chunks(together) {
                    self.samples = steps[0].len();
                    self.start_steps(steps.len(), self.samples)?;
                }
            }
        }
        Ok((self.queue.outcome(&self.device)?, BatchStatistics::default()))
    }

    /// A step on the host's orders.
    fn step(
        &mut self,
        samples: &[u32],
        rate: f64,
    ) -> Result<(Outcome, BatchStatistics), EngineError> {
        self.set_queue(&[(0, samples.len())], samples, &[rate])?;
        self.run(Task::Learn, Source::Kept, samples)
    }
}
