//! Training on samples that stay on the device: the host waits only now and then, to see whether all
//! went well.

use crate::abi::NONE;
use crate::data::{Data, longest};
use crate::engine::{CudaEngine, Source, Task};
use crate::memory::check_data;
use crate::queue::{Outcome, check_order, ranges};
use lif_core::engine::{Batch, BatchError, EngineError, Resident, Trained};

/// Steps between two looks at the device. What runs after a step that failed is lost and run again.
const STEPS_BETWEEN_LOOKS: usize = 64;

impl Resident<f32> for CudaEngine {
    fn keep(&mut self, samples: Batch<'_, f32>) -> Result<(), EngineError> {
        samples.check(&self.network)?;
        let spikes = samples.spikes;
        let kept = &self.data[Source::Resident as usize];
        if !kept.as_ref().is_some_and(|data| data.holds(spikes)) {
            // Who keeps more and more gets some more than asked for.
            let spare = if kept.is_some() { spikes.spike_count() / 4 } else { 0 };
            let room = spikes.spike_count() + spare;
            self.forget(Source::Resident)?;
            check_data(Data::bytes(spikes.len(), room), self.device.free_memory()?)?;
            let data = Data::new(&self.device, spikes.len(), room)?;
            self.data[Source::Resident as usize] = Some(data);
        }
        if let Some(data) = &mut self.data[Source::Resident as usize] {
            data.write(&self.device, spikes, samples.labels, self.network.input().size)?;
        }
        self.kept_arrivals = longest(spikes, self.network.duration() as f32);
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
            let alone = end == next + 1;
            for (batch, update) in outcome.statistics().take(outcome.finished()) {
                trained(batch, update);
            }
            next += outcome.finished();
            self.steps += outcome.finished() as u64;
            look = most;
            let control = &outcome.control;
            if control.is_faulty() {
                // Later steps may have left marks of their own; only a step by itself says what it met.
                if alone || control.parameter_not_finite != NONE {
                    self.check(control).map_err(at(next))?;
                    self.grow().map_err(at(next))?;
                } else if control.runaway == NONE && control.capacity != 0 {
                    self.grow().map_err(at(next))?;
                }
                look = 1;
            }
        }
        Ok(())
    }
}

impl CudaEngine {
    /// Starts one step after the other and waits for the last.
    fn run_steps(&mut self, steps: &[&[u32]], rates: &[f64]) -> Result<Outcome, EngineError> {
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
