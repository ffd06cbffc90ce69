//! What [`GridEngine`] does with a batch: chunks of it on all threads, then the sums over them.

use super::bump::Bumped;
use super::chunk::{CHUNK, Chunk, Learning, Work, add_gradients};
use super::engine::GridEngine;
use super::input::Source;
use super::parts::Raised;
use super::rows::LANES;
use crate::trials::Kind;
use lif_core::SpikeBatch;
use lif_core::engine::{BatchStatistics, Engine, EngineError, check_inputs};
use rayon::prelude::*;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use wide::f32x16;

impl GridEngine {
    /// Runs a batch forward and backward, bumps and sums included.
    pub(super) fn learn(
        &mut self,
        source: &Source<'_>,
        labels: &[u32],
    ) -> Result<BatchStatistics, EngineError> {
        self.input_gradient.clear();
        self.check_labels(source.len(), labels)?;
        let _attempt = self.threads.attempt(Kind::Differentiation, source.len());
        let mut statistics = self.run_awake(source, labels)?;
        statistics.samples = labels.len();
        self.losses.clear();
        for chunk in &self.chunks {
            self.losses.extend_from_slice(&chunk.losses);
            statistics.correct += chunk.correct;
        }
        if let Some(sample) = self.losses.iter().position(|loss| !loss.is_finite()) {
            let layer = self.network().output().name.clone();
            return Err(EngineError::NotFinite { what: "the loss", layer, sample });
        }
        statistics.loss = self.losses.iter().map(|&loss| f64::from(loss)).sum();
        self.add_activity();
        self.add_gradients();
        if let (Source::Spikes(spikes), true) = (source, self.training.input_gradients) {
            self.find_input_gradient(spikes);
        }
        Ok(statistics)
    }

    fn check_labels(&self, samples: usize, labels: &[u32]) -> Result<(), EngineError> {
        if samples != labels.len() {
            let labels = labels.len();
            return Err(EngineError::Batch(format!("{labels} labels for {samples} samples")));
        }
        let classes = self.activity.len();
        if let Some(sample) = labels.iter().position(|&label| label as usize >= classes) {
            let label = labels[sample];
            let reason = format!("sample {sample} has label {label}, the output {classes} neurons");
            return Err(EngineError::Batch(reason));
        }
        Ok(())
    }

    /// Runs a batch, raising the weights of silent neurons unless that has been done.
    fn run_awake(
        &mut self,
        source: &Source<'_>,
        labels: &[u32],
    ) -> Result<BatchStatistics, EngineError> {
        self.run(Some(source), Some(labels))?;
        if self.in_parts.is_some() {
            return Ok(BatchStatistics::default());
        }
        let mut raised = Raised::default();
        loop {
            let silent = self.silent_neurons();
            match self.bump_silent(&mut raised, &silent) {
                ControlFlow::Continue(()) => self.run(None, Some(labels))?,
                ControlFlow::Break(Bumped { statistics, after }) => {
                    if statistics.bump_gave_up > 0 {
                        self.run(None, Some(labels))?;
                    }
                    self.raise_weights(&after);
                    return Ok(statistics);
                }
            }
        }
    }

    /// Runs a batch forward, and backward if there are labels: that of `source`, or the one run before.
    pub(super) fn run(
        &mut self,
        source: Option<&Source<'_>>,
        labels: Option<&[u32]>,
    ) -> Result<(), EngineError> {
        if let Some(source) = source {
            self.chunks.resize_with(source.len().div_ceil(CHUNK), Chunk::default);
        }
        let work = Work {
            dynamics: self.dynamics,
            steps: self.model.steps(),
            weights: &self.weights,
            totals: &self.totals,
        };
        let learning = labels.map(|labels| Learning {
            loss: &self.loss,
            labels,
            share: (labels.len() as f32).recip(),
            differences: self.training.input_gradients,
        });
        let in_range = AtomicBool::new(true);
        let run = |(position, chunk): (usize, &mut Chunk)| {
            let start = position * CHUNK;
            if let Some(source) = source {
                let range = start..source.len().min(start + CHUNK);
                if !source.read(&mut chunk.input, range, &self.model) {
                    in_range.store(false, Ordering::Relaxed);
                }
            }
            chunk.run(&work, start, learning.as_ref());
        };
        let chunks = self.chunks.par_iter_mut().enumerate();
        self.threads.run(|| self.threads.each(chunks, run));
        match source {
            Some(Source::Spikes(spikes)) if !in_range.into_inner() => {
                self.chunks.clear();
                check_inputs(spikes, self.network())
            }
            _ => Ok(()),
        }
    }

    /// Adds up the batch's gradient, threads sharing the inputs.
    fn add_gradients(&mut self) {
        let inputs = self.model.layers()[0].inputs;
        let threads = &self.threads;
        let share = inputs.div_ceil(threads.count());
        let chunks = &self.chunks;
        for (block, rows) in self.gradient.blocks_mut().enumerate() {
            if threads.count() == 1 {
                add_gradients(chunks, block, None, rows);
                continue;
            }
            let add = |(part, rows): (usize, &mut [f32x16])| {
                let range = part * share..part * share + rows.len();
                add_gradients(chunks, block, Some(range), rows);
            };
            threads.run(|| threads.each(rows.par_chunks_mut(share).enumerate(), add));
        }
    }

    fn add_activity(&mut self) {
        for (block, counts) in self.activity.chunks_mut(LANES).enumerate() {
            for chunk in &self.chunks {
                for (count, &spikes) in counts.iter_mut().zip(chunk.activity[block].as_array()) {
                    *count += spikes as u64;
                }
            }
        }
    }

    /// The derivative by the time of each spike of `spikes`, from what the chunks have left.
    fn find_input_gradient(&mut self, spikes: &SpikeBatch<f32>) {
        let (blocks, steps) = (self.weights.blocks(), self.model.steps());
        for (sample, train) in spikes.iter().enumerate() {
            let start = sample % CHUNK * blocks * steps;
            let difference = &self.chunks[sample / CHUNK].difference[start..];
            for (time, input) in train.iter() {
                let spec = self.model.spec();
                let step = spec.variant.arrival(spec.step_of(f64::from(time)).min(steps));
                let of_block = |block: usize| {
                    let row = self.weights.block(block)[input as usize];
                    (row * difference[block * steps + step]).reduce_add()
                };
                let seen = step < steps;
                self.input_gradient.push(if seen { (0..blocks).map(of_block).sum() } else { 0.0 });
            }
        }
    }
}
