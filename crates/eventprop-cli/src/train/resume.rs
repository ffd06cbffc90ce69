use anyhow::{Context, Result, bail};
use eventprop::{Checkpoint, Config, Data, Parallel, RunFolder, Trainer};
use std::path::{Path, PathBuf};

/// What `--resume` names.
pub(super) enum Resumed {
    /// The folder of a run, or the checkpoint in it: the run goes on there.
    Run(PathBuf),
    /// Any other checkpoint: a new run begins with it.
    Branch(PathBuf),
}

impl Resumed {
    pub(super) fn at(path: &Path) -> Self {
        if path.is_dir() {
            return Self::Run(path.into());
        }
        match path.parent() {
            Some(folder)
                if path.ends_with("checkpoint.safetensors")
                    && folder.join("config.toml").is_file() =>
            {
                Self::Run(if folder.as_os_str().is_empty() { ".".into() } else { folder.into() })
            }
            _ => Self::Branch(path.into()),
        }
    }
}

/// What a configuration begins with on its way to other ranks; no checkpoint does.
const BEGINNING: &[u8] = b"config:";

/// A training as it was left.
pub(super) enum Left {
    /// It came as far as a checkpoint.
    Checkpoint(Box<Checkpoint>),
    /// It was killed before the first one: all there is is the beginning.
    Beginning(Box<Config>),
}

impl Left {
    /// Reads the checkpoint of a run, or where there is none yet, its configuration.
    pub(super) fn in_folder(folder: &RunFolder) -> Result<Self> {
        let (checkpoint, config) = (folder.checkpoint(), folder.config());
        if checkpoint.exists() {
            return Ok(Self::Checkpoint(Box::new(Checkpoint::load(&checkpoint)?)));
        }
        if !config.exists() {
            bail!("{} is no run: it holds no checkpoint", folder.path().display());
        }
        let name = config.display().to_string();
        let text =
            std::fs::read_to_string(&config).with_context(|| format!("cannot read {name}"))?;
        Ok(Self::Beginning(Box::new(Config::parse(&text, &name)?)))
    }

    /// As bytes, for other ranks.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        match self {
            Self::Checkpoint(checkpoint) => checkpoint.to_bytes(),
            Self::Beginning(config) => [BEGINNING, config.to_toml().as_bytes()].concat(),
        }
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Result<Self> {
        Ok(match bytes.strip_prefix(BEGINNING) {
            Some(config) => {
                let config = std::str::from_utf8(config)?;
                Self::Beginning(Box::new(Config::parse(config, "the first rank's configuration")?))
            }
            None => Self::Checkpoint(Box::new(Checkpoint::from_bytes(bytes)?)),
        })
    }

    pub(super) fn config(&self) -> &Config {
        match self {
            Self::Checkpoint(checkpoint) => &checkpoint.config,
            Self::Beginning(config) => config,
        }
    }

    pub(super) fn trainer(self, data: Data, parallel: Parallel) -> Result<Trainer> {
        Ok(match self {
            Self::Checkpoint(checkpoint) => Trainer::resume_in(*checkpoint, data, parallel)?,
            Self::Beginning(config) => Trainer::new_in(*config, data, parallel)?,
        })
    }
}
