//! A batch on the host's orders: its silent neurons are woken first, by the rule of [`lif_core::grid`].

use super::batch::Shape;
use super::engine::{CudaGridEngine, Source, Task};
use crate::probe::expect;
use crate::queue::Outcome;
use lif_core::SpikeBatch;
use lif_core::engine::{BatchStatistics, Bump, EngineError};
use lif_core::grid::{BumpAction, Bumped, Raising};
use std::ops::ControlFlow;

impl CudaGridEngine {
    /// Runs one batch, made of the samples at these positions of a source, and `task` at its end; its silent neurons are
    /// woken first, unless that has been done. The queue must begin with it.
    pub(super) fn run(
        &mut self,
        task: Task,
        source: Source,
        samples: &[u32],
    ) -> Result<(Outcome, BatchStatistics), EngineError> {
        self.samples = samples.len();
        let (mut statistics, mut after) = (BatchStatistics::default(), Vec::new());
        for layer in 0..=self.last() {
            let bumped = self.wake(layer, source, samples.len())?;
            statistics += bumped.statistics;
            after = bumped.after;
        }
        if !self.knows_loss() {
            let labels = self.data[source as usize].as_ref().map_or(&[][..], |d| &d.given_labels);
            let labels: Vec<u32> = samples.iter().map(|&sample| labels[sample as usize]).collect();
            self.evaluate(&labels)?;
            self.start(Task::Backward, source, samples.len())?;
        }
        self.start(Task::Down, source, samples.len())?;
        self.raise(0, &after)?;
        self.start(task, source, samples.len())?;
        let outcome = self.queue.outcome(&self.device)?;
        self.check(&outcome.control)?;
        Ok((outcome, statistics))
    }

    /// Runs a layer until its neurons are as awake as the rule makes them.
    fn wake(
        &mut self,
        layer: usize,
        source: Source,
        samples: usize,
    ) -> Result<Bumped, EngineError> {
        let goes_back = layer == self.last() && self.knows_loss();
        let way = if goes_back { Task::BothWays } else { Task::Forward(layer) };
        let mut raising = Raising::default();
        loop {
            self.queue.reset(&self.device)?;
            let silent = self.silent_neurons(layer, way, source, samples)?;
            if !self.wakes() {
                return Ok(Bumped::default());
            }
            match self.raise_silent(layer, &mut raising, &silent)? {
                ControlFlow::Continue(()) => {}
                ControlFlow::Break(bumped) => {
                    if bumped.statistics.bump_gave_up > 0 {
                        self.queue.reset(&self.device)?;
                        self.start(way, source, samples)?;
                    }
                    return Ok(bumped);
                }
            }
        }
    }

    /// Runs a layer one way or both; the neurons that are silent in some sample, ascending, if someone wants to know.
    fn silent_neurons(
        &mut self,
        layer: usize,
        way: Task,
        source: Source,
        samples: usize,
    ) -> Result<Vec<u32>, EngineError> {
        self.device.clear(&mut self.neurons[layer].silent)?;
        self.start(way, source, samples)?;
        if self.model.spec().bump == 0.0 {
            return Ok(Vec::new());
        }
        let marks =
            self.device.read(&self.neurons[layer].silent, self.room.shapes[layer].neurons)?;
        Ok((0..).zip(marks).filter(|&(_, mark)| mark != 0).map(|(neuron, _)| neuron).collect())
    }

    /// Raises the weights of a layer's `silent` neurons, or puts them back, or leaves some until after the pass: which. Goes on
    /// if the layer has to be run again to see whether that was enough.
    fn raise_silent(
        &mut self,
        layer: usize,
        raising: &mut Raising<Vec<f32>>,
        silent: &[u32],
    ) -> Result<ControlFlow<Bumped>, EngineError> {
        let neurons = self.room.shapes[layer].neurons;
        match raising.bumping.next(self.model.spec(), neurons, silent) {
            BumpAction::Raise(neurons) => {
                if raising.original.is_none() {
                    let all = self.stored.layout.len();
                    raising.original = Some(self.device.read(&self.stored.values, all)?);
                }
                self.raise(layer, &neurons)?;
                Ok(ControlFlow::Continue(()))
            }
            BumpAction::Done { restore, bumped } => {
                if let Some(original) = raising.original.as_ref().filter(|_| !restore.is_empty()) {
                    self.change_weights(layer, &restore, |weight, place| {
                        *weight = original[place]
                    })?;
                }
                Ok(ControlFlow::Break(bumped))
            }
        }
    }

    /// Raises the weights of a layer's `neurons` by a bump.
    fn raise(&mut self, layer: usize, neurons: &[u32]) -> Result<(), EngineError> {
        let bump = self.model.spec().bump as f32;
        self.change_weights(layer, neurons, |weight, _| *weight += bump)
    }

    /// Changes the weights of a layer's `neurons`, each known by its place: seldom, so on the host.
    fn change_weights(
        &mut self,
        layer: usize,
        neurons: &[u32],
        change: impl Fn(&mut f32, usize),
    ) -> Result<(), EngineError> {
        if neurons.is_empty() {
            return Ok(());
        }
        let all = self.stored.layout.len();
        let mut weights = self.device.read(&self.stored.values, all)?;
        let Shape { inputs, stride, .. } = self.room.shapes[layer];
        let first = self.stored.layout.starts[layer][0];
        for &neuron in neurons {
            let places = (first + neuron as usize..first + inputs * stride).step_by(stride);
            places.for_each(|place| change(&mut weights[place], place));
        }
        self.device.write(&weights, &mut self.stored.values)
    }

    /// Ends a batch that was differentiated in parts, before its update.
    pub(super) fn end_parts(&mut self) -> Result<(), EngineError> {
        let after = self.in_parts.end();
        self.raise(0, &after)
    }
}

impl Bump<f32> for CudaGridEngine {
    fn silent(&mut self, spikes: &SpikeBatch<f32>) -> Result<Vec<u64>, EngineError> {
        let at = self.in_parts.layer();
        let mut silent = vec![0; self.room.shapes[at].neurons];
        if self.stage(spikes, &[], 0.0)? {
            for layer in 0..at {
                self.start(Task::Forward(layer), Source::Call, spikes.len())?;
            }
            let neurons = self.silent_neurons(at, Task::Forward(at), Source::Call, spikes.len())?;
            neurons.into_iter().for_each(|neuron| silent[neuron as usize] = 1);
        }
        Ok(silent)
    }

    fn raise(&mut self, silent: &[u64]) -> ControlFlow<BatchStatistics> {
        let mut parts = std::mem::take(&mut self.in_parts);
        let outcome = parts.raise(self.neurons.len(), silent, |layer, raising, silent| {
            expect(self.raise_silent(layer, raising, silent))
        });
        self.in_parts = parts;
        outcome
    }
}
