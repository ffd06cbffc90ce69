//! The engine as the training loop knows it.

use super::data::Data;
use super::engine::{CudaGridEngine, Source, Task};
use crate::activity::sums;
use crate::memory::check_data;
use crate::name::NAME;
use crate::probe::expect;
use crate::update::{change, finish_update};
use lif_core::engine::{
    Batch, BatchStatistics, Bump, Engine, EngineError, OptimiserState, Outputs, Resident,
    UpdateStatistics, check_inputs,
};
use lif_core::grid::BatchInParts;
use lif_core::{Network, Parameters, SpikeBatch, update};

impl CudaGridEngine {
    /// Copies a batch in, as the queue's only step; false, and nothing, if there is no sample.
    pub(super) fn stage(
        &mut self,
        spikes: &SpikeBatch<f32>,
        labels: &[u32],
        learning_rate: f64,
    ) -> Result<bool, EngineError> {
        check_inputs(spikes, self.model.network())?;
        self.samples = spikes.len();
        if spikes.is_empty() {
            return Ok(false);
        }
        let free = self.device.free_memory()?;
        let check = |bytes| check_data(bytes, free);
        let data = Data::new(&self.device, &self.model, spikes, labels, check)?;
        self.data[Source::Call as usize] = Some(data);
        self.make_room(spikes.len(), Source::Call)?;
        let order: Vec<u32> = (0..spikes.len() as u32).collect();
        self.set_queue(&[(0, spikes.len())], &order, &[learning_rate])?;
        self.queue.reset(&self.device)?;
        Ok(true)
    }
}

impl Engine<f32> for CudaGridEngine {
    fn name(&self) -> &'static str {
        NAME
    }

    fn network(&self) -> &Network {
        self.model.network()
    }

    /// # Panics
    /// If the device is lost.
    fn parameters(&self) -> Parameters<f32> {
        expect(self.stored.parameters(&self.device, Parameters::initial(self.network())))
    }

    fn load(&mut self, parameters: &Parameters<f32>) -> Result<(), EngineError> {
        let own = Parameters::initial(self.network());
        update::check_shape(&own, parameters)?;
        if parameters.layers != own.layers {
            let reason = "on a grid the constants of neurons are those of the description";
            return Err(EngineError::Shape(reason.into()));
        }
        self.in_parts = BatchInParts::default();
        self.stored.load(&self.device, parameters)
    }

    /// # Panics
    /// If the device is lost.
    fn optimiser_state(&self) -> OptimiserState<f32> {
        expect(self.stored.optimiser_state(&self.device, self.network(), self.updates))
    }

    fn load_optimiser_state(&mut self, state: &OptimiserState<f32>) -> Result<(), EngineError> {
        let own = Parameters::initial(self.network());
        self.stored.load_optimiser_state(&self.device, &own, state)?;
        self.updates = state.steps;
        Ok(())
    }

    fn infer(&mut self, spikes: &SpikeBatch<f32>) -> Result<Outputs<f32>, EngineError> {
        let mut outputs = Outputs { values: Vec::new(), predictions: Vec::new() };
        if !self.stage(spikes, &[], 0.0)? {
            return Ok(outputs);
        }
        for layer in 0..=self.last() {
            self.start(Task::Forward(layer), Source::Call, spikes.len())?;
        }
        if let Some((batch, last)) =
            self.batch.as_ref().and_then(|batch| Some((batch, batch.layers.last()?)))
        {
            let shape = self.room.output();
            let values = self.device.read(&last.outputs, spikes.len() * shape.stride)?;
            let rows = values.chunks_exact(shape.stride);
            outputs.values = rows.flat_map(|row| &row[..shape.neurons]).copied().collect();
            let predictions = self.device.read(&batch.predictions, spikes.len())?;
            outputs.predictions =
                predictions.into_iter().map(|class| u32::try_from(class).ok()).collect();
        }
        Ok(outputs)
    }

    fn differentiate(&mut self, batch: Batch<'_, f32>) -> Result<BatchStatistics, EngineError> {
        batch.check(self.model.network())?;
        self.stored.forget_gradient();
        if !self.stage(batch.spikes, batch.labels, 0.0)? {
            self.losses.clear();
            self.input_gradient.clear();
            self.stored.clear_gradient(&self.device)?;
            return Ok(BatchStatistics::default());
        }
        let order: Vec<u32> = (0..batch.len() as u32).collect();
        let (outcome, bumped) = self.run(Task::Differentiate, Source::Call, &order)?;
        if let Some(buffers) = &self.batch {
            self.losses = self.device.read(&buffers.losses, batch.len())?;
        }
        self.read_input_gradient(batch.spikes)?;
        Ok(BatchStatistics {
            bumps: bumped.bumps,
            bump_gave_up: bumped.bump_gave_up,
            ..outcome.of_one().0
        })
    }

    /// # Panics
    /// If the device is lost.
    fn gradient(&self) -> Parameters<f32> {
        expect(self.stored.gradient(&self.device, self.network()))
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
        let Some((layer, batch)) = layer.checked_sub(1).zip(self.batch.as_ref()) else {
            return trains;
        };
        let Some(batch) = batch.layers.get(layer) else { return trains };
        let (shape, dt) = (&self.room.shapes[layer], self.model.spec().dt);
        let sample = shape.words() * shape.stride;
        let fired = expect(self.device.read(&batch.fired, self.samples * sample));
        for fired in fired.chunks_exact(sample) {
            let spikes = (0..shape.steps).flat_map(|step| {
                let word = &fired[step / 32 * shape.stride..];
                let time = (step as f64 * dt) as f32;
                let sent = move |neuron: &usize| word[*neuron] >> (step % 32) & 1 == 1;
                (0..shape.neurons).filter(sent).map(move |neuron| (time, neuron as u32))
            });
            // Steps ascend: the batch takes every train.
            let pushed = trains.push_sorted(spikes);
            debug_assert!(pushed.is_ok());
        }
        trains
    }

    /// # Panics
    /// If the device is lost.
    fn spike_counts(&self, layer: usize) -> Vec<u64> {
        let Some((layer, batch)) = layer.checked_sub(1).zip(self.batch.as_ref()) else {
            return Vec::new();
        };
        let Some(batch) = batch.layers.get(layer) else { return Vec::new() };
        let shape = &self.room.shapes[layer];
        let counts = expect(self.device.read(&batch.counts, self.samples * shape.stride));
        sums(&counts, shape.stride, shape.neurons)
    }

    /// # Panics
    /// If the device is lost.
    fn gradient_buffer(&mut self) -> &mut [f32] {
        expect(self.stored.gradient_buffer(&self.device))
    }

    fn update(&mut self, learning_rate: f64) -> Result<UpdateStatistics, EngineError> {
        self.end_parts()?;
        self.stored.return_gradient(&self.device)?;
        self.set_queue(&[(0, 0)], &[], &[learning_rate])?;
        self.queue.reset(&self.device)?;
        change(&self.device, &self.stored, &self.queue, self.norm.as_ref())?;
        finish_update(&self.device, &self.queue)?;
        let outcome = self.queue.outcome(&self.device)?;
        self.check(&outcome.control)?;
        self.updates += 1;
        Ok(outcome.of_one().1)
    }

    /// # Panics
    /// If the device is lost.
    fn take_activity(&mut self) -> Vec<Vec<u64>> {
        let layers = self.neurons.iter_mut().zip(&self.room.shapes).map(|(of_layer, shape)| {
            let counts = expect(self.device.read(&of_layer.activity, shape.neurons));
            expect(self.device.clear(&mut of_layer.activity));
            counts
        });
        std::iter::once(Vec::new()).chain(layers).collect()
    }

    fn resident(&mut self) -> Option<&mut dyn Resident<f32>> {
        Some(self)
    }

    fn bump(&mut self) -> Option<&mut dyn Bump<f32>> {
        (self.model.spec().bump > 0.0).then_some(self)
    }
}
