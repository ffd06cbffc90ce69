//! What [`GridEngine`] does about neurons that are silent in some sample of a batch: the weights that
//! the rule of [`lif_core::grid`] is about.

use super::engine::GridEngine;
use super::input::Source;
use super::parts::{InParts, Raised};
use super::rows::Rows;
use lif_core::SpikeBatch;
use lif_core::engine::{BatchStatistics, Bump, EngineError};
use lif_core::grid::BumpAction;
use std::ops::ControlFlow;

/// What was done about the silent neurons of a batch.
pub(super) struct Bumped {
    pub(super) statistics: BatchStatistics,
    /// The neurons whose weights are raised after the pass.
    pub(super) after: Vec<u32>,
}

impl GridEngine {
    /// Raises the weights of `silent` neurons, or puts them back, or leaves that until after the pass.
    /// Goes on if the batch has to be run again to see whether that was enough.
    pub(super) fn bump_silent(
        &mut self,
        raised: &mut Raised,
        silent: &[u32],
    ) -> ControlFlow<Bumped> {
        let Raised { bumping, original } = raised;
        match bumping.next(self.model.spec(), self.activity.len(), silent) {
            BumpAction::Raise(neurons) => {
                original.get_or_insert_with(|| self.weights.clone());
                self.raise_weights(&neurons);
                ControlFlow::Continue(())
            }
            BumpAction::Done { restore, raise_after, bumps, gave_up } => {
                if let Some(original) = original {
                    self.restore_weights(&restore, original);
                }
                let statistics =
                    BatchStatistics { bumps, bump_gave_up: gave_up, ..BatchStatistics::default() };
                ControlFlow::Break(Bumped { statistics, after: raise_after })
            }
        }
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

    fn restore_weights(&mut self, neurons: &[u32], original: &Rows) {
        if neurons.is_empty() {
            return;
        }
        for &neuron in neurons {
            self.weights.restore(neuron as usize, original);
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
            self.in_parts = Some(InParts::Bumping(Raised::default()));
        }
        self.run(Some(&Source::Spikes(spikes)), None)?;
        let mut silent = vec![0; self.activity.len()];
        self.silent_neurons().into_iter().for_each(|neuron| silent[neuron as usize] = 1);
        Ok(silent)
    }

    fn raise(&mut self, silent: &[u64]) -> ControlFlow<BatchStatistics> {
        let silent: Vec<u32> = (0..).zip(silent).filter(|(_, n)| **n > 0).map(|(j, _)| j).collect();
        let mut raised = match self.in_parts.take() {
            Some(InParts::Bumping(raised)) => raised,
            _ => Raised::default(),
        };
        match self.bump_silent(&mut raised, &silent) {
            ControlFlow::Continue(()) => {
                self.in_parts = Some(InParts::Bumping(raised));
                ControlFlow::Continue(())
            }
            ControlFlow::Break(Bumped { statistics, after }) => {
                self.in_parts = Some(InParts::Bumped(after));
                ControlFlow::Break(statistics)
            }
        }
    }
}
