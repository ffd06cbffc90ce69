use super::on_grid::OnGrid;
use anyhow::Result;
use eventprop::Config;
use eventprop::lif_core::engine::{Batch, Engine, Training};
use eventprop::lif_core::reference::{Reference, Trace};
use eventprop::lif_core::{Network, Parameters, SpikeBatch};

/// What shows a sample in double precision.
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

/// The one that `config` means: with exact event times, or the clock-driven model.
pub(super) fn simulator(
    config: &Config,
    network: &Network,
    parameters: Parameters<f64>,
) -> Result<Box<dyn Simulator>> {
    if let Some(grid) = config.grid {
        return Ok(Box::new(OnGrid::new(network, grid, config.loss, parameters)?));
    }
    let mut engine = Reference::new(network, Training::exact(config.loss))?;
    engine.load(&parameters)?;
    Ok(Box::new(engine))
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
