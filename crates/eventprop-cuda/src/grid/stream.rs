//! What the engine puts into the device's stream.

use super::abi;
use super::batch::Batch;
use super::engine::{CudaGridEngine, Neurons, Source, Task};
use super::program::Program;
use lif_core::engine::EngineError;
use lif_core::grid::GridVariant;

impl CudaGridEngine {
    /// Puts a task for a batch of `samples` into the stream.
    pub(super) fn start(
        &self,
        task: Task,
        source: Source,
        samples: usize,
    ) -> Result<(), EngineError> {
        let Some(program) = self.program(source, samples, false) else { return Ok(()) };
        match task {
            Task::Forward(layer) => program.forward(layer),
            Task::BothWays => program.both_ways(),
            Task::Backward => program.backward(),
            Task::Down => program.down(),
            Task::Differentiate => program.differentiate(),
            Task::Learn => program.learn(),
        }
    }

    /// Puts `steps` whole steps on `samples` of the kept samples each into the stream: one graph, recorded once. Where a neuron
    /// is silent that is to be woken, it and the steps after it change nothing.
    pub(super) fn start_steps(&mut self, steps: usize, samples: usize) -> Result<(), EngineError> {
        let (key, stops) = ((steps, samples), self.wakes());
        let graph = match self.graphs.iter().position(|&(known, _)| known == key) {
            Some(graph) => graph,
            None => {
                let Some(program) = self.program(Source::Kept, samples, stops) else {
                    return Ok(());
                };
                let graph = self.device.record(|_| {
                    (0..steps).try_for_each(|_| {
                        (0..self.last()).try_for_each(|layer| program.forward(layer))?;
                        program.both_ways()?;
                        program.down()?;
                        program.learn()
                    })
                })?;
                self.graphs.push((key, graph));
                self.graphs.len() - 1
            }
        };
        self.device.start(&self.graphs[graph].1)
    }

    /// A layer as kernels are told of it.
    fn describe(
        &self,
        batch: &Batch,
        position: usize,
        samples: usize,
        stops_at_silence: bool,
    ) -> abi::Grid {
        let (layer, spec) = (&self.model.layers()[position], self.model.spec());
        let (membrane, synapse) = (layer.membrane_rate, layer.synaptic_rate);
        let Neurons { silent, activity } = &self.neurons[position];
        let first = self.stored.layout.starts[position][0];
        abi::Grid {
            is_first: i32::from(spec.variant == GridVariant::First),
            silent_step: spec.variant.silent_step(self.model.steps()) as i32,
            stops_at_silence: i32::from(stops_at_silence),
            membrane: membrane as f32,
            keeps_voltage: (1.0 - membrane) as f32,
            synapse: synapse as f32,
            keeps_current: (1.0 - synapse) as f32,
            threshold: layer.threshold as f32,
            weights: self.stored.values.at(first),
            gradient: self.stored.gradient.at(first),
            silent: silent.address(),
            activity: activity.address(),
            ..batch.layers[position].describe(&batch.room, &batch.room.shapes[position], samples)
        }
    }

    /// None where nothing was given to compute.
    pub(super) fn program(
        &self,
        source: Source,
        samples: usize,
        stops_at_silence: bool,
    ) -> Option<Program<'_>> {
        let (batch, data) = (self.batch.as_ref()?, self.data[source as usize].as_ref()?);
        let layer = |position: usize| {
            let grid = self.describe(batch, position, samples, stops_at_silence);
            let heard = batch.layers[position].heard.as_ref();
            let heard = heard.map(|heard| heard.trains.describe(data.labels.address(), true));
            (grid, heard.unwrap_or_else(|| data.describe()))
        };
        Some(Program {
            device: &self.device,
            layers: (0..=self.last()).map(layer).collect(),
            loss: self.loss,
            batch,
            data,
            queue: &self.queue,
            stored: &self.stored,
            learns_at_once: self.learns_at_once(),
            norm: self.norm.as_ref(),
        })
    }
}
