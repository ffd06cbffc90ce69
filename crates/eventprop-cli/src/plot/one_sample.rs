use super::DataFolder;
use super::on_grid::OnGrid;
use super::simulator::Simulator;
use crate::numbers;
use crate::source::{self, Source};
use anyhow::{Result, ensure};
use eventprop::lif_core::engine::{Engine, Training};
use eventprop::lif_core::reference::Reference;
use eventprop::lif_core::{Network, Parameters, SpikeBatch};
use eventprop::{Config, Data};
use std::path::PathBuf;

/// Which network and which sample.
#[derive(clap::Args)]
#[group(skip)]
pub(super) struct Args {
    /// A run's folder, a checkpoint, a configuration (.toml, .json) or a preset.
    network: PathBuf,
    /// The sample's position in the test set.
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = numbers::from_zero)]
    sample: usize,
    /// Take it from the training set.
    #[arg(long)]
    train: bool,
    #[command(flatten)]
    data: DataFolder,
}

/// A sample, shown to the network.
pub(super) struct OneSample {
    pub(super) simulator: Box<dyn Simulator>,
    pub(super) spikes: SpikeBatch<f64>,
    pub(super) label: u32,
    /// What stands above the picture.
    pub(super) title: String,
}

impl Args {
    pub(super) fn load(&self) -> Result<OneSample> {
        let source = Source::load(&self.network)?;
        let source = source.with_data(self.data.data_folder.as_deref())?;
        let Source { config, network, parameters } = source;
        let data = source::loaded(Data::load(&config), &config)?;
        let (samples, set) =
            if self.train { (data.train, "training") } else { (data.test, "test") };
        ensure!(
            self.sample < samples.len(),
            "--sample {}: the {set} set has {} samples, numbered from 0",
            self.sample,
            samples.len()
        );
        let mut spikes = SpikeBatch::new();
        let train = samples.spikes(self.sample);
        spikes.push_sorted(train.iter().map(|(time, input)| (f64::from(time), input)))?;
        let label = samples.label(self.sample);
        let mut simulator = simulator(&config, &network, parameters.cast())?;
        let taken = simulator.show(&spikes)?.map_or("nothing".into(), |class| class.to_string());
        let title = format!("{set} sample {}: label {label}, taken for {taken}", self.sample);
        Ok(OneSample { simulator, spikes, label, title })
    }
}

/// The simulator that `config` means: with exact event times, or the clock-driven model.
fn simulator(
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
