//! A training as a TOML file: data, network, loss, training. See [`Config`].

mod assign;
mod augmentation;
mod data;
mod dataset;
mod error;
mod form;
mod network;
mod overrides;
mod place;
mod single;
mod training;

pub use augmentation::AugmentationConfig;
pub use data::{DataConfig, EncodingConfig};
pub use dataset::{CameraConfig, DataKind, DatasetName, DrawConfig, DrawsConfig};
pub use error::ConfigError;
pub use network::{ConnectionConfig, NetworkConfig};
pub use overrides::{OverrideError, Overrides};
pub use training::{RateTargetConfig, TrainingConfig};

use crate::parallel::DEFAULT_SHARDS;
use lif_core::grid::{GridModel, GridSpec};
use lif_core::loss::Loss;
use lif_core::{DescriptionError, Network};
use serde::{Deserialize, Deserializer, Serialize};
use std::path::Path;

/// Everything that determines a training: the same configuration gives the same weights to the bit.
///
/// ```
/// let config = eventprop::Config::preset("mnist").unwrap();
/// assert_eq!(config.network.build().unwrap().output().size, 10);
/// // What is written is what is read.
/// let again = eventprop::Config::parse(&config.to_toml(), "copy").unwrap();
/// assert_eq!(config, again);
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// What runs are called after: a preset's name or one of your own. What has none is called
    /// [`UNNAMED`](Self::UNNAMED).
    #[serde(default = "default_name")]
    pub name: String,
    /// Samples and how they become spikes.
    #[serde(default)]
    pub data: DataConfig,
    /// Layers, connections, how their weights start.
    pub network: NetworkConfig,
    /// What is minimised; default the cross-entropy over the highest voltages of an `li` output.
    #[serde(default = "default_loss")]
    pub loss: Loss,
    /// How.
    #[serde(default)]
    pub training: TrainingConfig,
    /// The clock-driven model in place of exact event times: see [`lif_core::grid`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grid: Option<GridSpec>,
}

/// The presets: their names and their TOML.
const PRESETS: [(&str, &str); 14] = [
    ("mnist", include_str!("../presets/mnist.toml")),
    ("mnist-best", include_str!("../presets/mnist-best.toml")),
    ("mnist-deep", include_str!("../presets/mnist-deep.toml")),
    ("mnist-conv", include_str!("../presets/mnist-conv.toml")),
    ("mnist-paper", include_str!("../presets/mnist-paper.toml")),
    ("fashion", include_str!("../presets/fashion.toml")),
    ("fashion-conv", include_str!("../presets/fashion-conv.toml")),
    ("events", include_str!("../presets/events.toml")),
    ("yin-yang", include_str!("../presets/yin-yang.toml")),
    ("yin-yang-delays", include_str!("../presets/yin-yang-delays.toml")),
    ("yin-yang-paper", include_str!("../presets/yin-yang-paper.toml")),
    ("seed", include_str!("../presets/seed.toml")),
    ("seed-deep", include_str!("../presets/seed-deep.toml")),
    ("seed-readme", include_str!("../presets/seed-readme.toml")),
];

impl Config {
    /// The name of a configuration that gives itself none.
    pub const UNNAMED: &str = "custom";

    /// The names of the presets, the default first.
    pub fn presets() -> impl Iterator<Item = &'static str> {
        PRESETS.iter().map(|(name, _)| *name)
    }

    /// The preset called `name`.
    ///
    /// # Errors
    /// If there is none of that name.
    pub fn preset(name: &str) -> Result<Self, ConfigError> {
        match PRESETS.iter().find(|(preset, _)| *preset == name) {
            Some((_, text)) => Self::parse(text, &format!("preset {name}")),
            None => Err(ConfigError::no_preset(name, Self::presets())),
        }
    }

    /// Reads and checks a configuration. `origin` is what errors call it, such as its path.
    ///
    /// # Errors
    /// Names line and column of what is not TOML or not known, with the nearest known word, or the
    /// field whose value is out of range.
    pub fn parse(text: &str, origin: &str) -> Result<Self, ConfigError> {
        let config: Self =
            toml::from_str(text).map_err(|error| ConfigError::syntax(origin, text, &error))?;
        config.check().map_err(|error| ConfigError::invalid(origin, text, error))?;
        Ok(config)
    }

    /// Reads and checks a configuration from values in any form that serde knows: JSON, or those of
    /// another language. `origin` is what errors call it.
    ///
    /// # Errors
    /// Names the field that is not known, with the nearest known word, or whose value is out of range.
    pub fn read<'de, D>(values: D, origin: &str) -> Result<Self, ConfigError>
    where
        D: Deserializer<'de, Error: std::fmt::Display>,
    {
        let config: Self = read_values(values, origin)?;
        config.check().map_err(|error| ConfigError::invalid(origin, "", error))?;
        Ok(config)
    }

    /// Reads and checks the file at `path`: JSON if its name ends in `.json`, else TOML. One that gives
    /// itself no name is called after its file.
    ///
    /// # Errors
    /// If it cannot be read; those of [`parse`](Self::parse) and [`read`](Self::read).
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let origin = path.display().to_string();
        if path.is_dir() {
            return Err(ConfigError::Unreadable(format!(
                "{origin} is a folder, not a configuration; a run goes on with --resume {origin}"
            )));
        }
        let bytes = std::fs::read(path).map_err(|error| {
            ConfigError::Unreadable(format!("cannot read configuration {origin}: {error}"))
        })?;
        let Ok(text) = String::from_utf8(bytes) else {
            return Err(ConfigError::Unreadable(format!(
                "{origin} is no text, and so no configuration; a checkpoint goes on with --resume {origin}"
            )));
        };
        if path.extension().is_none_or(|extension| extension != "json") {
            return Ok(Self::parse(&text, &origin)?.named_after(path));
        }
        // From bytes, as problems are read, for the same reader.
        let mut json = serde_json::Deserializer::from_slice(text.as_bytes());
        let config = Self::read(&mut json, &origin)?;
        json.end().map_err(|error| ConfigError::value(&origin, "", &error))?;
        Ok(config.named_after(path))
    }

    fn named_after(mut self, path: &Path) -> Self {
        if let (Self::UNNAMED, Some(stem)) = (self.name.as_str(), path.file_stem()) {
            let unnamed = std::mem::replace(&mut self.name, stem.to_string_lossy().into_owned());
            if self.check().is_err() {
                // A file may be called what a run's folder may not.
                self.name = unnamed;
            }
        }
        self
    }

    /// The configuration as TOML, every value spelled out.
    pub fn to_toml(&self) -> String {
        toml::to_string_pretty(self).expect("a configuration is numbers, strings, lists and tables")
    }

    /// Checks every value; what [`parse`](Self::parse) returned has passed.
    ///
    /// # Errors
    /// Names the first field out of its range.
    pub fn check(&self) -> Result<(), DescriptionError> {
        let network = self.network.build()?;
        if !plain_name(&self.name) {
            let reason = format!(
                "\"{}\" names folders: letters, digits, '-', '_' and '.' only, a letter or digit first",
                self.name
            );
            return Err(DescriptionError::new("name", reason));
        }
        self.data.check()?;
        self.loss.check()?;
        self.check_loss(&network)?;
        self.training.check(&network)?;
        single::check(self)?;
        let Some(grid) = self.grid else { return Ok(()) };
        if self.training.skip_silent_label {
            let reason = "on a grid silence counts as a spike at the last step; grid.bump wakes silent neurons there";
            return Err(DescriptionError::new("training.skip_silent_label", reason));
        }
        let on_grid = GridModel::new(&network, grid).map_err(|error| match error.path.as_str() {
            path if path.starts_with("grid.") => error,
            path => DescriptionError::new(format!("network.{path}"), error.reason),
        });
        on_grid.map(drop)
    }

    /// Has batches cut into [`DEFAULT_SHARDS`] unless it is said how, so that any number of ranks up to
    /// that gives the same bits.
    pub fn cut_batches(&mut self) {
        self.training.shards.get_or_insert(DEFAULT_SHARDS);
    }

    fn check_loss(&self, network: &Network) -> Result<(), DescriptionError> {
        use lif_core::loss::Objective;
        let needs_spikes = Objective::<f64>::readout(&self.loss).needs_spikes();
        let output = network.output();
        if needs_spikes == output.is_lif() {
            return Ok(());
        }
        let (loss, layer) = (self.loss.name(), &output.name);
        let (needed, others) = match needs_spikes {
            true => ("a lif", "vmax_cross_entropy, mean_cross_entropy or exp_mean_cross_entropy"),
            false => ("an li", "ttfs_cross_entropy or spike_time_sum"),
        };
        let reason = format!(
            "{loss} needs {needed} layer as output, \"{layer}\" is none; such an output has {others}"
        );
        Err(DescriptionError::new("loss.kind", reason))
    }
}

/// Reads a part of a configuration from values in any form that serde knows, unchecked.
///
/// # Errors
/// Names the field that is not known, with the nearest known word, or is of another type.
pub fn read_values<'de, T, D>(values: D, origin: &str) -> Result<T, ConfigError>
where
    T: Deserialize<'de>,
    D: Deserializer<'de, Error: std::fmt::Display>,
{
    serde_path_to_error::deserialize(values)
        .map_err(|error| ConfigError::value(origin, error.path(), error.inner()))
}

fn default_name() -> String {
    Config::UNNAMED.into()
}

fn default_loss() -> Loss {
    Loss::VmaxCrossEntropy {}
}

fn plain_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.len() <= 64
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
}
