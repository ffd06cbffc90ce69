use super::difference::difference;
use crate::source;
use anyhow::{Context, Result, bail, ensure};
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
            let checkpoint = Checkpoint::load(&checkpoint)?;
            check_unchanged(&config, &checkpoint.config)?;
            return Ok(Self::Checkpoint(Box::new(checkpoint)));
        }
        if !config.exists() {
            bail!("{} is no run: it holds no checkpoint", folder.path().display());
        }
        Ok(Self::Beginning(Box::new(read(&config)?)))
    }

    /// The beginning of a new run of `epochs` epochs.
    pub(super) fn for_longer(resumed: &Resumed, epochs: u32) -> Result<Self> {
        let path = match resumed {
            Resumed::Run(folder) => folder.join("checkpoint.safetensors"),
            Resumed::Branch(path) => path.clone(),
        };
        let checkpoint = source::checkpoint(&path)?;
        if let Resumed::Run(folder) = resumed {
            check_unchanged(&folder.join("config.toml"), &checkpoint.config)?;
        }
        let done = checkpoint.progress.epoch;
        ensure!(
            epochs > done,
            "--epochs {epochs}: {} has {done} behind it; give how many there are to be in all",
            path.display()
        );
        Ok(Self::Checkpoint(Box::new(checkpoint)))
    }

    /// Refuses data that cannot be those of the epochs that are done.
    pub(super) fn check_data(&self, data: &Data) -> Result<()> {
        let Self::Checkpoint(checkpoint) = self else { return Ok(()) };
        let Some(epoch) = checkpoint.progress.history.last() else { return Ok(()) };
        let (before, now) = (epoch.samples, data.train.len());
        ensure!(
            before == now,
            "--data-folder: {now} training samples where the run has had {before}; give the same data, or \
             --epochs to go on with others in a new run"
        );
        Ok(())
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

    pub(super) fn config_mut(&mut self) -> &mut Config {
        match self {
            Self::Checkpoint(checkpoint) => &mut checkpoint.config,
            Self::Beginning(config) => config,
        }
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

fn read(path: &Path) -> Result<Config> {
    let name = path.display().to_string();
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {name}"))?;
    Ok(Config::parse(&text, &name)?)
}

/// Refuses a run's configuration that was changed since: it would not be followed. None need be there.
fn check_unchanged(path: &Path, run: &Config) -> Result<()> {
    if !path.exists() {
        return Ok(());
    }
    let mut file = read(path)?;
    // These change no bit and may have come by flags.
    file.data.folder.clone_from(&run.data.folder);
    file.training.threads = run.training.threads;
    let Some((key, [now, before])) = difference(&file, run) else { return Ok(()) };
    let path = path.display();
    bail!(
        "{path}: {key} is {now}, the run was made with {before} and goes on only so; put it back, or \
         start a new run from it: eventprop train {path}"
    )
}
