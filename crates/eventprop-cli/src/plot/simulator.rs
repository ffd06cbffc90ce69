use anyhow::Result;
use eventprop::lif_core::engine::{Batch, Engine};
use eventprop::lif_core::reference::{Reference, Trace};
use eventprop::lif_core::{Network, Parameters, SpikeBatch};

/// What shows a sample in double precision: the reference, with exact event times, or the clock-driven model.
pub(super) trait Simulator {
    fn network(&self) -> &Network;

    fn parameters(&self) -> Parameters<f64>;

    /// Shows it one sample; the class that is named, if one is.
    fn show(&mut self, spikes: &SpikeBatch<f64>) -> Result<Option<u32>>;

    /// The spikes of a layer after the input in the sample last shown.
    fn spikes(&self, layer: usize) -> SpikeBatch<f64>;

    /// Follows neurons, given as (layer, index), through the one sample of `batch`.
    fn trace(&self, batch: Batch<'_, f64>, neurons: &[(usize, usize)]) -> Result<Vec<Trace>>;
}

impl Simulator for Reference {
    fn network(&self) -> &Network {
        Engine::network(self)
    }

    fn parameters(&self) -> Parameters<f64> {
        Engine::parameters(self)
    }

    fn show(&mut self, spikes: &SpikeBatch<f64>) -> Result<Option<u32>> {
        Ok(self.infer(spikes)?.predictions[0])
    }

    fn spikes(&self, layer: usize) -> SpikeBatch<f64> {
        Engine::spikes(self, layer)
    }

    fn trace(&self, batch: Batch<'_, f64>, neurons: &[(usize, usize)]) -> Result<Vec<Trace>> {
        let step = Engine::network(self).duration() / 400.0;
        Ok(Self::trace(self, batch, neurons, step)?)
    }
}
