//! The engine as the training loop knows it.

use crate::activity::sums;
use crate::engine::{CudaEngine, Source, Task};
use crate::name::NAME;
use crate::probe::expect;
use lif_core::engine::{
    Batch, BatchStatistics, Engine, EngineError, OptimiserState, Outputs, Resident,
    UpdateStatistics, check_inputs,
};
use lif_core::network::Network;
use lif_core::{Parameters, SpikeBatch, update};

impl CudaEngine {
    fn check_shape(&self, parameters: &Parameters<f32>) -> Result<(), EngineError> {
        update::check_shape(&self.parameters, parameters)
    }

    fn clear_gradient(&mut self) -> Result<(), EngineError> {
        self.samples = 0;
        self.losses.clear();
        self.input_gradient.clear();
        self.weights.stored.clear_gradient(&self.device)
    }

    /// Stages a batch, runs `task` on it and reads back what the trait's getters show.
    fn run_batch(
        &mut self,
        task: Task,
        batch: Batch<'_, f32>,
        learning_rate: f64,
    ) -> Result<(BatchStatistics, UpdateStatistics), EngineError> {
        batch.check(&self.network)?;
        self.weights.stored.forget_gradient();
        if batch.is_empty() {
            self.clear_gradient()?;
            return Ok(<_>::default());
        }
        self.stage(batch.spikes, batch.labels)?;
        let order: Vec<u32> = (0..batch.len() as u32).collect();
        self.set_queue(&[(0, batch.len())], &order, &[learning_rate])?;
        let outcome = self.run(task, Source::Call, batch.len())?;
        if task == Task::Train {
            self.steps += 1;
        }
        if let Some(buffers) = &self.batch {
            self.losses = self.device.read(&buffers.losses, batch.len())?;
        }
        self.read_input_gradient(batch.spikes)?;
        Ok(outcome.of_one())
    }
}

impl Engine<f32> for CudaEngine {
    fn name(&self) -> &'static str {
        NAME
    }

    fn network(&self) -> &Network {
        &self.network
    }

    /// # Panics
    /// If the device is lost.
    fn parameters(&self) -> Parameters<f32> {
        expect(self.weights.stored.parameters(&self.device, self.parameters.clone()))
    }

    fn load(&mut self, parameters: &Parameters<f32>) -> Result<(), EngineError> {
        self.check_shape(parameters)?;
        self.weights.stored.load(&self.device, parameters)?;
        if self.parameters.layers != parameters.layers {
            self.set_constants(parameters)?;
        }
        Ok(())
    }

    /// # Panics
    /// If the device is lost.
    fn optimiser_state(&self) -> OptimiserState<f32> {
        expect(self.weights.stored.optimiser_state(&self.device, &self.network, self.steps))
    }

    fn load_optimiser_state(&mut self, state: &OptimiserState<f32>) -> Result<(), EngineError> {
        self.weights.stored.load_optimiser_state(&self.device, &self.parameters, state)?;
        self.steps = state.steps;
        Ok(())
    }

    fn infer(&mut self, spikes: &SpikeBatch<f32>) -> Result<Outputs<f32>, EngineError> {
        check_inputs(spikes, &self.network)?;
        let mut outputs = Outputs { values: Vec::new(), predictions: Vec::new() };
        if spikes.is_empty() {
            self.samples = 0;
            return Ok(outputs);
        }
        self.stage(spikes, &[])?;
        self.run(Task::Infer, Source::Call, spikes.len())?;
        if let (Some(buffers), Some(last)) = (&self.batch, self.plan.last()) {
            let values = &buffers.layer(self.plan.len() - 1).outputs;
            let values = self.device.read(values, spikes.len() * last.stride)?;
            let rows = values.chunks_exact(last.stride);
            outputs.values = rows.flat_map(|row| row[..last.targets].iter().copied()).collect();
            let predictions = self.device.read(&buffers.predictions, spikes.len())?;
            outputs.predictions =
                predictions.into_iter().map(|class| u32::try_from(class).ok()).collect();
        }
        Ok(outputs)
    }

    fn differentiate(&mut self, batch: Batch<'_, f32>) -> Result<BatchStatistics, EngineError> {
        Ok(self.run_batch(Task::Differentiate, batch, 0.0)?.0)
    }

    /// # Panics
    /// If the device is lost.
    fn gradient(&self) -> Parameters<f32> {
        expect(self.weights.stored.gradient(&self.device, &self.network))
    }

    fn input_gradient(&self) -> &[f32] {
        &self.input_gradient
    }

    fn losses(&self) -> &[f32] {
        &self.losses
    }

    /// # Panics
    /// If the device is lost.
    fn spikes(&self, layer: usize) -> SpikeBatch<f32> {
        let mut trains = SpikeBatch::new();
        let Some(index) = layer.checked_sub(1) else { return trains };
        let (Some(plan), Some(batch)) = (self.plan.get(index), &self.batch) else { return trains };
        if !plan.spikes {
            (0..self.samples).for_each(|_| push(&mut trains, Vec::new()));
            return trains;
        }
        let (buffers, slots) = (batch.layer(index), batch.room.spikes[index].0);
        let stride = plan.stride;
        let counts = expect(self.device.read(&buffers.spike_counts, self.samples * stride));
        let times = expect(self.device.read(&buffers.spike_times, self.samples * slots * stride));
        for (counts, times) in counts.chunks_exact(stride).zip(times.chunks_exact(slots * stride)) {
            let mut train: Vec<(f32, u32)> = Vec::new();
            for (neuron, &count) in counts[..plan.targets].iter().enumerate() {
                let own = times.iter().skip(neuron).step_by(stride).take(count as usize);
                train.extend(own.map(|&time| (time, neuron as u32)));
            }
            train.sort_by(|a, b| a.0.total_cmp(&b.0));
            push(&mut trains, train);
        }
        trains
    }

    /// # Panics
    /// If the device is lost.
    fn spike_counts(&self, layer: usize) -> Vec<u64> {
        let Some(index) = layer.checked_sub(1) else { return Vec::new() };
        let (Some(plan), Some(batch)) = (self.plan.get(index), &self.batch) else {
            return Vec::new();
        };
        if !plan.spikes {
            return Vec::new();
        }
        let counts = &batch.layer(index).spike_counts;
        let counts = expect(self.device.read(counts, self.samples * plan.stride));
        sums(&counts, plan.stride, plan.targets)
    }

    /// # Panics
    /// If the device is lost.
    fn gradient_buffer(&mut self) -> &mut [f32] {
        expect(self.weights.stored.gradient_buffer(&self.device))
    }

    fn update(&mut self, learning_rate: f64) -> Result<UpdateStatistics, EngineError> {
        self.weights.stored.return_gradient(&self.device)?;
        let samples = self.samples.max(1);
        if self.batch.is_none() || self.data[Source::Call as usize].is_none() {
            // Nothing was ever run: an update of zeros still counts and still decays.
            self.stage(&one_silent_sample(), &[0])?;
        }
        self.set_queue(&[(0, samples)], &[0], &[learning_rate])?;
        self.reset()?;
        self.start(Task::Update, Source::Call, samples)?;
        let outcome = self.outcome()?;
        self.check(&outcome.control)?;
        self.steps += 1;
        Ok(outcome.of_one().1)
    }

    fn train_step(
        &mut self,
        batch: Batch<'_, f32>,
        learning_rate: f64,
    ) -> Result<(BatchStatistics, UpdateStatistics), EngineError> {
        if batch.is_empty() {
            let statistics = self.differentiate(batch)?;
            return Ok((statistics, self.update(learning_rate)?));
        }
        self.run_batch(Task::Train, batch, learning_rate)
    }

    /// # Panics
    /// If the device is lost.
    fn take_activity(&mut self) -> Vec<Vec<u64>> {
        let mut activity = vec![Vec::new()];
        for (plan, counts) in self.plan.iter().zip(&mut self.activity) {
            if !plan.spikes {
                activity.push(Vec::new());
                continue;
            }
            activity.push(expect(self.device.read(counts, plan.targets)));
            expect(self.device.clear(counts));
        }
        activity
    }

    fn resident(&mut self) -> Option<&mut dyn Resident<f32>> {
        Some(self)
    }
}

/// A batch of one sample without spikes.
fn one_silent_sample() -> SpikeBatch<f32> {
    let mut spikes = SpikeBatch::new();
    push(&mut spikes, Vec::new());
    spikes
}

/// Appends a sorted train of a layer: its times lie inside intervals, which are valid.
fn push(trains: &mut SpikeBatch<f32>, train: Vec<(f32, u32)>) {
    let pushed = trains.push_sorted(train);
    debug_assert!(pushed.is_ok());
}
