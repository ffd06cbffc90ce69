//! What [`GridEngine`] does about neurons that are silent in some sample of a batch: the rule of
//! [`lif_core::grid`].

use super::engine::GridEngine;
use super::input::Source;
use super::parts::{Bumping, InParts};
use lif_core::SpikeBatch;
use lif_core::engine::{BatchStatistics, Bump, EngineError};
use lif_core::grid::{GridSpec, GridVariant};
use std::ops::ControlFlow;

impl GridEngine {
    /// Raises the weights of `silent` neurons, or puts them back, or leaves that until after the pass.
    /// Goes on if the batch has to be run again to see whether that was enough.
    pub(super) fn bump_silent(
        &mut self,
        bumping: &mut Bumping,
        silent: &[u32],
    ) -> ControlFlow<BatchStatistics> {
        let GridSpec { variant, bump, max_repeats, .. } = *self.model.spec();
        let Bumping { raised, repeats, original, after } = bumping;
        let done = |bumps, bump_gave_up| {
            ControlFlow::Break(BatchStatistics {
                bumps,
                bump_gave_up,
                ..BatchStatistics::default()
            })
        };
        if silent.is_empty() || bump == 0.0 {
            return done(raised.iter().sum(), 0);
        }
        if variant == GridVariant::First {
            after.extend_from_slice(silent);
            return done(silent.len() as u64, 0);
        }
        raised.resize(self.activity.len(), 0);
        if *repeats == max_repeats {
            for &neuron in silent {
                if let Some(original) = original {
                    self.weights.restore(neuron as usize, original);
                }
                raised[neuron as usize] = 0;
            }
            self.totals = self.weights.totals();
            return done(raised.iter().sum(), silent.len() as u64);
        }
        *repeats += 1;
        original.get_or_insert_with(|| self.weights.clone());
        self.raise_weights(silent);
        silent.iter().for_each(|&neuron| raised[neuron as usize] += 1);
        ControlFlow::Continue(())
    }

    /// Raises the weights of `neurons` by a bump.
    pub(super) fn raise_weights(&mut self, neurons: &[u32]) {
        if neurons.is_empty() {
            return;
        }
        let bump = self.model.spec().bump as f32;
        for &neuron in neurons {
            self.weights.raise(neuron as usize, bump);
        }
        self.totals = self.weights.totals();
    }

    /// The neurons that were silent in some sample of the pass last run.
    pub(super) fn silent_neurons(&self) -> Vec<u32> {
        let all = self.chunks.iter().flat_map(|chunk| &chunk.silent);
        let mut silent: Vec<u32> = all.copied().collect();
        silent.sort_unstable();
        silent.dedup();
        silent
    }

    /// Ends a batch that was differentiated in parts, before its update.
    pub(super) fn end_parts(&mut self) {
        if let Some(InParts::Bumped(after)) = self.in_parts.take() {
            self.raise_weights(&after);
        }
    }
}

impl Bump<f32> for GridEngine {
    fn silent(&mut self, spikes: &SpikeBatch<f32>) -> Result<Vec<u64>, EngineError> {
        if !matches!(self.in_parts, Some(InParts::Bumping(_))) {
            self.in_parts = Some(InParts::Bumping(Bumping::default()));
        }
        self.run(Some(&Source::Spikes(spikes)), None)?;
        let mut silent = vec![0; self.activity.len()];
        self.silent_neurons().into_iter().for_each(|neuron| silent[neuron as usize] = 1);
        Ok(silent)
    }

    fn raise(&mut self, silent: &[u64]) -> ControlFlow<BatchStatistics> {
        let silent: Vec<u32> = (0..).zip(silent).filter(|(_, n)| **n > 0).map(|(j, _)| j).collect();
        let mut bumping = match self.in_parts.take() {
            Some(InParts::Bumping(bumping)) => bumping,
            _ => Bumping::default(),
        };
        let flow = self.bump_silent(&mut bumping, &silent);
        self.in_parts = Some(match flow {
            ControlFlow::Continue(()) => InParts::Bumping(bumping),
            ControlFlow::Break(_) => InParts::Bumped(bumping.after),
        });
        flow
    }
}
