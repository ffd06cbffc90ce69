//! A batch on the host's orders: its silent neurons are woken first, by the rule of [`lif_core::grid`].

use super::engine::{CudaGridEngine, Source, Task};
use super::parts::{InParts, Raising};
use crate::abi::Control;
use crate::probe::expect;
use lif_core::SpikeBatch;
use lif_core::engine::{BatchStatistics, Bump, EngineError};
use lif_core::grid::BumpAction;
use std::ops::ControlFlow;

impl CudaGridEngine {
    /// Runs one batch, made of the samples at these positions of a source, and `task` at its end; its silent neurons are
    /// woken first, unless that has been done. The queue must begin with it.
    pub(super) fn run(
        &mut self,
        task: Task,
        source: Source,
        samples: &[u32],
    ) -> Result<(Control, BatchStatistics), EngineError> {
        self.samples = samples.len();
        let mut raising = Raising::default();
        let (statistics, after) = loop {
            self.queue.reset(&self.device)?;
            let way = if self.knows_loss() { Task::BothWays } else { Task::Forward };
            let silent = self.silent_neurons(way, source, samples.len())?;
            if !self.wakes() {
                break <_>::default();
            }
            match self.raise_silent(&mut raising, &silent)? {
                ControlFlow::Continue(()) => {}
                ControlFlow::Break((statistics, after)) => {
                    if statistics.bump_gave_up > 0 {
                        self.queue.reset(&self.device)?;
                        self.start(way, source, samples.len())?;
                    }
                    break (statistics, after);
                }
            }
        };
        if !self.knows_loss() {
            let labels = self.data[source as usize].as_ref().map_or(&[][..], |d| &d.given_labels);
            let labels: Vec<u32> = samples.iter().map(|&sample| labels[sample as usize]).collect();
            self.evaluate(&labels)?;
            self.start(Task::Backward, source, samples.len())?;
        }
        self.raise(&after)?;
        self.start(task, source, samples.len())?;
        let outcome = self.queue.outcome(&self.device)?;
        self.check(&outcome)?;
        Ok((outcome, statistics))
    }

    /// Runs a batch one way or both; the neurons that are silent in some sample, ascending, if someone wants to know.
    fn silent_neurons(
        &mut self,
        way: Task,
        source: Source,
        samples: usize,
    ) -> Result<Vec<u32>, EngineError> {
        self.device.clear(&mut self.silent)?;
        self.start(way, source, samples)?;
        if self.model.spec().bump == 0.0 {
            return Ok(Vec::new());
        }
        let marks = self.device.read(&self.silent, self.room.shape.neurons)?;
        Ok((0..).zip(marks).filter(|&(_, mark)| mark != 0).map(|(neuron, _)| neuron).collect())
    }

    /// Raises the weights of `silent` neurons, or puts them back, or leaves some until after the pass: which. Goes on if the
    /// batch has to be run again to see whether that was enough.
    fn raise_silent(
        &mut self,
        raising: &mut Raising,
        silent: &[u32],
    ) -> Result<ControlFlow<(BatchStatistics, Vec<u32>)>, EngineError> {
        let shape = self.room.shape;
        match raising.bumping.next(self.model.spec(), shape.neurons, silent) {
            BumpAction::Raise(neurons) => {
                if raising.original.is_none() {
                    let all = self.stored.layout.len();
                    raising.original = Some(self.device.read(&self.stored.values, all)?);
                }
                self.raise(&neurons)?;
                Ok(ControlFlow::Continue(()))
            }
            BumpAction::Done { restore, raise_after, bumps, gave_up } => {
                if let Some(original) = raising.original.as_ref().filter(|_| !restore.is_empty()) {
                    self.change_weights(&restore, |weight, place| *weight = original[place])?;
                }
                let statistics =
                    BatchStatistics { bumps, bump_gave_up: gave_up, ..BatchStatistics::default() };
                Ok(ControlFlow::Break((statistics, raise_after)))
            }
        }
    }

    /// Raises the weights of `neurons` by a bump.
    fn raise(&mut self, neurons: &[u32]) -> Result<(), EngineError> {
        let bump = self.model.spec().bump as f32;
        self.change_weights(neurons, |weight, _| *weight += bump)
    }

    /// Changes the weights of `neurons`, each known by its place: seldom, so on the host.
    fn change_weights(
        &mut self,
        neurons: &[u32],
        change: impl Fn(&mut f32, usize),
    ) -> Result<(), EngineError> {
        if neurons.is_empty() {
            return Ok(());
        }
        let all = self.stored.layout.len();
        let mut weights = self.device.read(&self.stored.values, all)?;
        for &neuron in neurons {
            let places = (neuron as usize..all).step_by(self.room.shape.stride);
            places.for_each(|place| change(&mut weights[place], place));
        }
        self.device.write(&weights, &mut self.stored.values)
    }

    /// Ends a batch that was differentiated in parts, before its update.
    pub(super) fn end_parts(&mut self) -> Result<(), EngineError> {
        match self.in_parts.take() {
            Some(InParts::Bumped(after)) => self.raise(&after),
            _ => Ok(()),
        }
    }
}

impl Bump<f32> for CudaGridEngine {
    fn silent(&mut self, spikes: &SpikeBatch<f32>) -> Result<Vec<u64>, EngineError> {
        if !matches!(self.in_parts, Some(InParts::Bumping(_))) {
            self.in_parts = Some(InParts::Bumping(Raising::default()));
        }
        let mut silent = vec![0; self.room.shape.neurons];
        if self.stage(spikes, &[], 0.0)? {
            let neurons = self.silent_neurons(Task::Forward, Source::Call, spikes.len())?;
            neurons.into_iter().for_each(|neuron| silent[neuron as usize] = 1);
        }
        Ok(silent)
    }

    fn raise(&mut self, silent: &[u64]) -> ControlFlow<BatchStatistics> {
        let silent: Vec<u32> = (0..).zip(silent).filter(|(_, n)| **n > 0).map(|(j, _)| j).collect();
        let mut raising = match self.in_parts.take() {
            Some(InParts::Bumping(raising)) => raising,
            _ => Raising::default(),
        };
        match expect(self.raise_silent(&mut raising, &silent)) {
            ControlFlow::Continue(()) => {
                self.in_parts = Some(InParts::Bumping(raising));
                ControlFlow::Continue(())
            }
            ControlFlow::Break((statistics, after)) => {
                self.in_parts = Some(InParts::Bumped(after));
                ControlFlow::Break(statistics)
            }
        }
    }
}
