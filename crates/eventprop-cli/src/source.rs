use anyhow::{Result, bail, ensure};
use eventprop::lif_core::{Network, Parameters};
use eventprop::{Checkpoint, Config};
use std::path::Path;

/// Fills in the folder of a data set that was fetched.
pub(crate) fn find_data(config: &mut Config) {
    #[cfg(feature = "fetch")]
    if config.data.folder.is_none() {
        config.data.folder = crate::data::fetched(config.data.name);
    }
    #[cfg(not(feature = "fetch"))]
    let _ = config;
}

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
            let file = path.join("checkpoint.safetensors");
            ensure!(file.exists(), "{} is no run: it holds no checkpoint", path.display());
            return Self::checkpoint(&file);
        }
        if path.extension().is_some_and(|extension| extension == "toml") {
            return Self::fresh(Config::load(path)?);
        }
        let name = path.to_string_lossy();
        match Config::presets().any(|preset| preset == name) {
            true if !path.exists() => Self::fresh(Config::preset(&name)?),
            _ => Self::checkpoint(path),
        }
    }

    fn checkpoint(path: &Path) -> Result<Self> {
        if !path.exists() {
            // With the nearest preset, in case one was meant.
            let name = path.to_string_lossy();
            let preset =
                (!name.contains(['/', '.'])).then(|| Config::preset(&name).err()).flatten();
            let meant = preset.map_or(String::new(), |error| format!(", and {error}"));
            bail!("there is no file {name}{meant}");
        }
        let Checkpoint { config, network, parameters, .. } = Checkpoint::load(path)?;
        Ok(Self { config, network, parameters })
    }

    fn fresh(mut config: Config) -> Result<Self> {
        find_data(&mut config);
        let parameters = config.network.initial_parameters(config.training.seed)?;
        Ok(Self { network: config.network.build()?, config, parameters })
    }
}
