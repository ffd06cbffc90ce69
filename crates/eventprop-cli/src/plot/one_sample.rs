use super::simulator::{Simulator, simulator};
use crate::source::Source;
use anyhow::{Result, ensure};
use eventprop::Data;
use eventprop::lif_core::SpikeBatch;
use std::path::PathBuf;

/// Which network and which sample.
#[derive(clap::Args)]
#[group(skip)]
pub(super) struct Args {
    /// A run's folder, a checkpoint, a configuration (.toml) or a preset.
    network: PathBuf,
    /// The sample's position in the test set.
    #[arg(long, value_name = "N", default_value_t = 0)]
    sample: usize,
    /// Take it from the training set.
    #[arg(long)]
    train: bool,
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
        let Source { config, network, parameters } = Source::load(&self.network)?;
        let data = Data::load(&config)?;
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
