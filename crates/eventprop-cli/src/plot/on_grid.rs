use super::simulator::Simulator;
use anyhow::Result;
use eventprop::lif_core::engine::Batch;
use eventprop::lif_core::grid::{GridModel, GridSpec};
use eventprop::lif_core::loss::Loss;
use eventprop::lif_core::reference::Trace;
use eventprop::lif_core::{Network, Parameters, SpikeBatch};

/// The clock-driven model.
pub(super) struct OnGrid {
    model: GridModel,
    parameters: Parameters<f64>,
    loss: Loss,
    /// What each layer after the input sent in the sample last shown.
    sent: Vec<SpikeBatch<f64>>,
}

impl OnGrid {
    pub(super) fn new(
        network: &Network,
        grid: GridSpec,
        loss: Loss,
        parameters: Parameters<f64>,
    ) -> Result<Self> {
        Ok(Self { model: GridModel::new(network, grid)?, parameters, loss, sent: Vec::new() })
    }
}

impl Simulator for OnGrid {
    fn network(&self) -> &Network {
        self.model.network()
    }

    fn parameters(&self) -> Parameters<f64> {
        self.parameters.clone()
    }

    fn show(&mut self, spikes: &SpikeBatch<f64>) -> Result<Option<u32>> {
        let pass = self.model.infer(&self.parameters, spikes)?;
        let dt = self.model.spec().dt;
        self.sent.clear();
        for of_layer in &pass.traces {
            let raster = &of_layer[0].spikes;
            let mut sent = SpikeBatch::new();
            sent.push_sorted((0..self.model.steps()).flat_map(|step| {
                raster.at(step).iter().map(move |&neuron| (step as f64 * dt, neuron))
            }))?;
            self.sent.push(sent);
        }
        Ok(Some(GridModel::predict(&pass.first_steps) as u32))
    }

    fn spikes(&self, layer: usize) -> SpikeBatch<f64> {
        self.sent[layer - 1].clone()
    }

    fn trace(&self, batch: Batch<'_, f64>, neurons: &[(usize, usize)]) -> Result<Vec<Trace>> {
        Ok(self.model.trace(&self.parameters, batch, &self.loss, neurons)?)
    }
}
