//! What [`GridEngine`] does with a batch: chunks of it on all threads, then the sums over them.

use super::chunk::{Above, CHUNK, Chunk, Learning, add_gradients};
use super::engine::GridEngine;
use super::layer::Layer;
use super::source::Source;
use crate::trials::Kind;
use lif_core::SpikeBatch;
use lif_core::engine::{BatchStatistics, Engine, EngineError, check_inputs};
use lif_core::grid::{Bumped, Raising};
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
        for chunk in self.layers.last().into_iter().flat_map(|layer| &layer.chunks) {
            self.losses.extend_from_slice(&chunk.losses);
            statistics.correct += chunk.correct;
        }
        if let Some(sample) = self.losses.iter().position(|loss| !loss.is_finite()) {
            let layer = self.network().output().name.clone();
            return Err(EngineError::NotFinite { what: "the loss", layer, sample });
        }
        statistics.loss = self.losses.iter().map(|&loss| f64::from(loss)).sum();
        self.layers.iter_mut().for_each(Layer::add_activity);
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
        let classes = self.network().output().size;
        if let Some(sample) = labels.iter().position(|&label| label as usize >= classes) {
            let label = labels[sample];
            let reason = format!("sample {sample} has label {label}, the output {classes} neurons");
            return Err(EngineError::Batch(reason));
        }
        Ok(())
    }

    /// Runs a batch through all layers and back, raising the weights of silent neurons unless that has
    /// been done.
    fn run_awake(
        &mut self,
        source: &Source<'_>,
        labels: &[u32],
    ) -> Result<BatchStatistics, EngineError> {
        let mut statistics = BatchStatistics::default();
        let last = self.layers.len() - 1;
        for layer in 0..=last {
            let labels = (layer == last).then_some(labels);
            self.run(layer, Some(source), labels)?;
            if self.in_parts.is_whole() {
                statistics += self.wake(layer, labels)?;
            }
        }
        (0..last).rev().for_each(|layer| self.run_back(layer));
        Ok(statistics)
    }

    /// Raises the weights of a layer's silent neurons and runs it again, as often as the rule says.
    fn wake(
        &mut self,
        layer: usize,
        labels: Option<&[u32]>,
    ) -> Result<BatchStatistics, EngineError> {
        let mut raising = Raising::default();
        loop {
            let silent = self.layers[layer].silent_neurons();
            match self.bump_silent(layer, &mut raising, &silent) {
                ControlFlow::Continue(()) => self.run(layer, None, labels)?,
                ControlFlow::Break(Bumped { statistics, after }) => {
                    if statistics.bump_gave_up > 0 {
                        self.run(layer, None, labels)?;
                    }
                    self.raise_weights(layer, &after);
                    return Ok(statistics);
                }
            }
        }
    }

    /// Runs a batch forward through a layer, and backward if there are labels: what it hears of `source`
    /// if it is the first and else of the layer below, or what it heard before.
    pub(super) fn run(
        &mut self,
        layer: usize,
        source: Option<&Source<'_>>,
        labels: Option<&[u32]>,
    ) -> Result<(), EngineError> {
        let (below, rest) = self.layers.split_at_mut(layer);
        let (below, (work, chunks)) = (below.last(), rest[0].work(self.weights.layer(layer)));
        if let Some(source) = source {
            chunks.resize_with(source.len().div_ceil(CHUNK), Chunk::default);
        }
        let learning = labels.map(|labels| Learning {
            loss: &self.loss,
            labels,
            share: (labels.len() as f32).recip(),
        });
        let in_range = AtomicBool::new(true);
        let run = |(position, chunk): (usize, &mut Chunk)| {
            let start = position * CHUNK;
            match (source, below) {
                (Some(_), Some(below)) => {
                    let fired = &below.chunks[position].fired;
                    let arrival = |step| work.dynamics.arrival(step);
                    chunk.input.read_fired(fired, below.blocks(), work.steps, arrival);
                }
                (Some(source), None) => {
                    let range = start..source.len().min(start + CHUNK);
                    if !source.read(&mut chunk.input, range, &self.model) {
                        in_range.store(false, Ordering::Relaxed);
                    }
                }
                (None, _) => {}
            }
            chunk.run(&work, start, learning.as_ref());
        };
        let chunks = chunks.par_iter_mut().enumerate();
        self.threads.run(|| self.threads.each(chunks, run));
        match source {
            Some(Source::Spikes(spikes)) if !in_range.into_inner() => {
                self.layers[layer].chunks.clear();
                check_inputs(spikes, self.network())
            }
            _ => Ok(()),
        }
    }

    /// Runs a batch back through a layer below one that it has gone back through.
    fn run_back(&mut self, layer: usize) {
        let (below, above) = self.layers.split_at_mut(layer + 1);
        let (work, chunks) = below[layer].work(self.weights.layer(layer));
        let weights = self.weights.layer(layer + 1);
        let run = |(chunk, of_above): (&mut Chunk, &Chunk)| {
            chunk.run_back(&work, &Above { chunk: of_above, weights });
        };
        let chunks = chunks.par_iter_mut().zip(&above[0].chunks);
        self.threads.run(|| self.threads.each(chunks, run));
    }

    /// Adds up the batch's gradient, threads sharing the inputs.
    fn add_gradients(&mut self) {
        let threads = &self.threads;
        for (layer, Layer { chunks, .. }) in self.layers.iter().enumerate() {
            let share = self.model.layers()[layer].inputs.div_ceil(threads.count());
            for (block, rows) in self.gradient.blocks_mut(layer).enumerate() {
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
    }

    /// The derivative by the time of each spike of `spikes`, from what the first layer's chunks have left.
    fn find_input_gradient(&mut self, spikes: &SpikeBatch<f32>) {
        let (weights, steps) = (self.weights.layer(0), self.model.steps());
        for (sample, train) in spikes.iter().enumerate() {
            let (chunk, sample) = self.layers[0].chunk_of(sample);
            for (time, input) in train.iter() {
                let spec = self.model.spec();
                let step = spec.variant.arrival(spec.step_of(f64::from(time)).min(steps));
                let seen = step < steps;
                self.input_gradient.push(if seen {
                    chunk.by_spike(weights, steps, sample, input as usize, step)
                } else {
                    0.0
                });
            }
        }
    }
}
