//! What [`GridEngine`] does about neurons that are silent in some sample of a batch: the weights that
//! the rule of [`lif_core::grid`] is about.

use super::engine::GridEngine;
use super::rows::Rows;
use super::source::Source;
use lif_core::SpikeBatch;
use lif_core::engine::{BatchStatistics, Bump, EngineError};
use lif_core::grid::{BumpAction, Bumped, Raising};
use std::ops::ControlFlow;

impl GridEngine {
    /// Raises the weights of a layer's `silent` neurons, or puts them back, or leaves that until after
    /// the pass. Goes on if the layer has to be run again to see whether that was enough.
    pub(super) fn bump_silent(
        &mut self,
        layer: usize,
        raising: &mut Raising<Rows>,
        silent: &[u32],
    ) -> ControlFlow<Bumped> {
        let Raising { bumping, original } = raising;
        match bumping.next(self.model.spec(), self.layers[layer].neurons(), silent) {
            BumpAction::Raise(neurons) => {
                original.get_or_insert_with(|| self.weights.clone());
                self.raise_weights(layer, &neurons);
                ControlFlow::Continue(())
            }
            BumpAction::Done { restore, bumped } => {
                if let Some(original) = original {
                    self.restore_weights(layer, &restore, original);
                }
                ControlFlow::Break(bumped)
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
        let after = self.in_parts.end();
        self.raise_weights(0, &after);
    }
}

impl Bump<f32> for GridEngine {
    fn silent(&mut self, spikes: &SpikeBatch<f32>) -> Result<Vec<u64>, EngineError> {
        let at = self.in_parts.layer();
        for layer in 0..=at {
            self.run(layer, Some(&Source::Spikes(spikes)), None)?;
        }
        let layer = &self.layers[at];
        let mut silent = vec![0; layer.neurons()];
        layer.silent_neurons().into_iter().for_each(|neuron| silent[neuron as usize] = 1);
        Ok(silent)
    }

    fn raise(&mut self, silent: &[u64]) -> ControlFlow<BatchStatistics> {
        let mut parts = std::mem::take(&mut self.in_parts);
        let outcome = parts.raise(self.layers.len(), silent, |layer, raising, silent| {
            self.bump_silent(layer, raising, silent)
        });
        self.in_parts = parts;
        outcome
    }
}
