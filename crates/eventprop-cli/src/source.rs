use anyhow::{Context, Result, bail};
use eventprop::lif_core::{Network, Parameters};
use eventprop::{Checkpoint, Config};
use std::path::Path;

/// A network with its parameters: trained, or as training would start.
pub(crate) struct Source {
    pub(crate) config: Config,
    pub(crate) network: Network,
    pub(crate) parameters: Parameters<f32>,
}

impl Source {
    /// Reads a run's folder, a checkpoint, a configuration (.toml) or a preset's name.
    pub(crate) fn load(path: &Path) -> Result<Self> {
        if path.is_dir() {
            return Self::checkpoint(&path.join("checkpoint.safetensors"));
        }
        if path.extension().is_some_and(|extension| extension == "toml") {
            let name = path.display().to_string();
            let text =
                std::fs::read_to_string(path).with_context(|| format!("cannot read {name}"))?;
            return Self::fresh(Config::parse(&text, &name)?);
        }
        let name = path.to_string_lossy();
        match Config::presets().any(|preset| preset == name) {
            true if !path.exists() => Self::fresh(Config::preset(&name)?),
            _ => Self::checkpoint(path),
        }
    }

    fn checkpoint(path: &Path) -> Result<Self> {
        if !path.exists() {
            bail!(
                "there is no {}; name a run's folder, a checkpoint, a configuration (.toml) or a preset",
                path.display()
            );
        }
        let Checkpoint { config, network, parameters, .. } = Checkpoint::load(path)?;
        Ok(Self { config, network, parameters })
    }

    fn fresh(config: Config) -> Result<Self> {
        let parameters = config.network.initial_parameters(config.training.seed)?;
        Ok(Self { network: config.network.build()?, config, parameters })
    }
}
