//! What [`GridEngine`] does about neurons that are silent in some sample of a batch: the weights that
//! the rule of [`lif_core::grid`] is about.

use super::engine::GridEngine;
use super::parts::{InParts, Raised};
use super::rows::Rows;
use super::source::Source;
use lif_core::SpikeBatch;
use lif_core::engine::{BatchStatistics, Bump, EngineError};
use lif_core::grid::BumpAction;
use std::ops::ControlFlow;

/// What was done about the silent neurons of a batch.
pub(super) struct Bumped {
    pub(super) statistics: BatchStatistics,
    /// The neurons whose weights are raised after the pass (variant `first`, which has one layer).
    pub(super) after: Vec<u32>,
}

impl GridEngine {
    /// Raises the weights of a layer's `silent` neurons, or puts them back, or leaves that until after
    /// the pass. Goes on if the layer has to be run again to see whether that was enough.
    pub(super) fn bump_silent(
        &mut self,
        layer: usize,
        raised: &mut Raised,
        silent: &[u32],
    ) -> ControlFlow<Bumped> {
        let Raised { bumping, original } = raised;
        match bumping.next(self.model.spec(), self.layers[layer].neurons(), silent) {
            BumpAction::Raise(neurons) => {
                original.get_or_insert_with(|| self.weights.clone());
                self.raise_weights(layer, &neurons);
                ControlFlow::Continue(())
            }
            BumpAction::Done { restore, raise_after, bumps, gave_up } => {
                if let Some(original) = original {
                    self.restore_weights(layer, &restore, original);
                }
                let statistics =
                    BatchStatistics { bumps, bump_gave_up: gave_up, ..BatchStatistics::default() };
                ControlFlow::Break(Bumped { statistics, after: raise_after })
            }
        }
    }

    /// Raises the weights of a layer's `neurons` by a bump.
    pub(super) fn raise_weights(&mut self, layer: usize, neurons: &[u32]) {
        if neurons.is_empty() {
            return;
        }
        let bump = self.model.spec().bump as f32;
        for &neuron in neurons {
            self.weights.raise(layer, neuron as usize, bump);
        }
        self.layers[layer].totals = self.weights.layer(layer).totals();
    }

    fn restore_weights(&mut self, layer: usize, neurons: &[u32], original: &Rows) {
        if neurons.is_empty() {
            return;
        }
        for &neuron in neurons {
            self.weights.restore(layer, neuron as usize, original);
        }
        self.layers[layer].totals = self.weights.layer(layer).totals();
    }

    /// Ends a batch that was differentiated in parts, before its update.
    pub(super) fn end_parts(&mut self) {
        if let Some(InParts::Bumped(after)) = self.in_parts.take() {
            self.raise_weights(0, &after);
        }
    }
}

impl Bump<f32> for GridEngine {
    fn silent(&mut self, spikes: &SpikeBatch<f32>) -> Result<Vec<u64>, EngineError> {
        let at = match self.in_parts {
            Some(InParts::Bumping { layer, .. }) => layer,
            _ => {
                self.in_parts = Some(InParts::start());
                0
            }
        };
        for layer in 0..=at {
            self.run(layer, Some(&Source::Spikes(spikes)), None)?;
        }
        let layer = &self.layers[at];
        let mut silent = vec![0; layer.neurons()];
        layer.silent_neurons().into_iter().for_each(|neuron| silent[neuron as usize] = 1);
        Ok(silent)
    }

    fn raise(&mut self, silent: &[u64]) -> ControlFlow<BatchStatistics> {
        let silent: Vec<u32> = (0..).zip(silent).filter(|(_, n)| **n > 0).map(|(j, _)| j).collect();
        let begun = self.in_parts.take().filter(|parts| matches!(parts, InParts::Bumping { .. }));
        let InParts::Bumping { layer, mut raised, below } = begun.unwrap_or_else(InParts::start)
        else {
            return ControlFlow::Break(BatchStatistics::default());
        };
        match self.bump_silent(layer, &mut raised, &silent) {
            ControlFlow::Continue(()) => {
                self.in_parts = Some(InParts::Bumping { layer, raised, below });
                ControlFlow::Continue(())
            }
            ControlFlow::Break(Bumped { mut statistics, after }) => {
                statistics += below;
                if layer + 1 == self.layers.len() {
                    self.in_parts = Some(InParts::Bumped(after));
                    return ControlFlow::Break(statistics);
                }
                let (layer, raised) = (layer + 1, Raised::default());
                self.in_parts = Some(InParts::Bumping { layer, raised, below: statistics });
                ControlFlow::Continue(())
            }
        }
    }
}
