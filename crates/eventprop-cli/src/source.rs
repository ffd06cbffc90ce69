use anyhow::{Result, bail, ensure};
use eventprop::lif_core::{Network, Parameters};
use eventprop::{Checkpoint, Config, DataError};
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

/// Data, or why there are none: with the command that fetches them, where it could.
pub(crate) fn loaded<T>(data: Result<T, DataError>, config: &Config) -> Result<T> {
    #[cfg(feature = "fetch")]
    if let (None, Some(name)) = (&config.data.folder, crate::data::fetched_as(config.data.name)) {
        let hint = |error| anyhow::anyhow!("{error}; or: eventprop data fetch {name}");
        return data.map_err(hint);
    }
    let _ = config;
    Ok(data?)
}

/// Reads the file of a checkpoint.
pub(crate) fn checkpoint(path: &Path) -> Result<Checkpoint> {
    let is = |known: &str| path.extension().is_some_and(|extension| extension == known);
    if path.is_file() && (is("toml") || is("json")) {
        bail!(
            "{} is no checkpoint but a description of what could be trained; give a run's folder or a \
             checkpoint (.safetensors)",
            path.display()
        );
    }
    Ok(Checkpoint::load(path)?)
}

/// A network with its parameters: trained, or as training would start.
pub(crate) struct Source {
    pub(crate) config: Config,
    pub(crate) network: Network,
    pub(crate) parameters: Parameters<f32>,
}

impl Source {
    /// Reads a run's folder, a checkpoint, a configuration (.toml, .json) or a preset's name.
    pub(crate) fn load(path: &Path) -> Result<Self> {
        if path.is_dir() {
            let file = path.join("checkpoint.safetensors");
            ensure!(file.exists(), "{} is no run: it holds no checkpoint", path.display());
            return Self::checkpoint(&file);
        }
        if path.extension().is_some_and(|extension| extension == "toml" || extension == "json") {
            return Self::fresh(Config::load(path)?);
        }
        let name = path.to_string_lossy();
        match Config::presets().any(|preset| preset == name) {
            true if !path.exists() => Self::fresh(Config::preset(&name)?),
            _ => Self::checkpoint(path),
        }
    }

    /// The same with its data in `folder`, if that is given.
    pub(crate) fn with_data(mut self, folder: Option<&Path>) -> Result<Self> {
        if let Some(folder) = folder {
            self.config.data.folder = Some(folder.into());
            self.config.check()?;
        }
        Ok(self)
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
        let Checkpoint { config, network, parameters, .. } = checkpoint(path)?;
        Ok(Self { config, network, parameters })
    }

    fn fresh(mut config: Config) -> Result<Self> {
        find_data(&mut config);
        let parameters = config.network.initial_parameters(config.training.seed)?;
        Ok(Self { network: config.network.build()?, config, parameters })
    }
}
