use super::Config;
use lif_core::loss::Loss;
use lif_core::network::{LayerKind, OneOrMany};
use std::path::PathBuf;

/// Single values that replace those of a configuration: the flags of the command line.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Overrides {
    /// `training.epochs`.
    pub epochs: Option<u32>,
    /// `training.lr`.
    pub lr: Option<f64>,
    /// `training.batch_size`.
    pub batch_size: Option<usize>,
    /// `training.shards`.
    pub shards: Option<usize>,
    /// `training.seed`.
    pub seed: Option<u64>,
    /// `training.backend`.
    pub backend: Option<String>,
    /// `training.threads`.
    pub threads: Option<usize>,
    /// `data.folder`.
    pub data_folder: Option<PathBuf>,
    /// `loss.tau`, in units of the output's tau_syn.
    pub xi: Option<f64>,
    /// `loss.alpha`.
    pub alpha: Option<f64>,
    /// `loss.tau_early`, in units of the output's tau_syn.
    pub beta: Option<f64>,
    /// `network.duration` in ms.
    pub duration: Option<f64>,
    /// `grid.dt` in ms.
    pub dt: Option<f64>,
    /// `tau_mem` of every layer in ms.
    pub tau_mem: Option<f64>,
    /// `tau_syn` of every layer in ms. In the clock-driven model the loss's time constants, which
    /// it counts in units of tau_syn, change with it.
    pub tau_syn: Option<f64>,
    /// The encoding's `t_min` in ms.
    pub t_min: Option<f64>,
    /// The encoding's `t_max` in ms.
    pub t_max: Option<f64>,
}

/// A value that means nothing in the configuration it should change.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{flag} means nothing for \"{config}\": {reason}")]
pub struct OverrideError {
    /// The flag.
    pub flag: &'static str,
    /// The configuration's name.
    pub config: String,
    /// Why it means nothing.
    pub reason: String,
}

impl Overrides {
    /// Changes `config`. Call [`Config::check`] afterwards: values are not checked here.
    ///
    /// # Errors
    /// Names the first value that means nothing in this configuration; `config` is then partly
    /// changed.
    pub fn apply(&self, config: &mut Config) -> Result<(), OverrideError> {
        let training = &mut config.training;
        set(&mut training.epochs, self.epochs);
        set(&mut training.lr, self.lr);
        set(&mut training.batch_size, self.batch_size);
        training.shards = self.shards.or(training.shards);
        set(&mut training.seed, self.seed);
        if let Some(backend) = &self.backend {
            training.backend.clone_from(backend);
        }
        set(&mut training.threads, self.threads);
        if let Some(folder) = &self.data_folder {
            config.data.folder = Some(folder.clone());
        }
        self.apply_times(config)?;
        set(&mut config.network.duration, self.duration);
        self.apply_grid(config)?;
        self.apply_time_constants(config);
        self.apply_loss(config)
    }

    fn apply_times(&self, config: &mut Config) -> Result<(), OverrideError> {
        let flags = [("--t_min", self.t_min), ("--t_max", self.t_max)];
        match (config.data.encoding.times_mut(), flags.iter().find(|(_, time)| time.is_some())) {
            (Some((t_min, t_max)), _) => {
                set(t_min, self.t_min);
                set(t_max, self.t_max);
                Ok(())
            }
            (None, Some(&(flag, _))) => Err(OverrideError {
                flag,
                config: config.name.clone(),
                reason: "its spikes come when they were recorded".into(),
            }),
            (None, None) => Ok(()),
        }
    }

    fn apply_grid(&self, config: &mut Config) -> Result<(), OverrideError> {
        match (&mut config.grid, self.dt) {
            (_, None) => Ok(()),
            (Some(grid), Some(dt)) => {
                grid.dt = dt;
                Ok(())
            }
            (None, Some(_)) => Err(OverrideError {
                flag: "--dt",
                config: config.name.clone(),
                reason: "its spike times are exact, without time steps (it has no [grid])".into(),
            }),
        }
    }

    fn apply_time_constants(&self, config: &mut Config) {
        let old_tau_syn = output_tau_syn(config);
        for layer in config.network.layers.iter_mut().filter(|layer| layer.kind != LayerKind::Input)
        {
            if let Some(tau) = self.tau_mem {
                layer.tau_mem = Some(OneOrMany::One(tau));
            }
            if let Some(tau) = self.tau_syn {
                layer.tau_syn = Some(OneOrMany::One(tau));
            }
        }
        if let (Some(new), Some(old), true) = (self.tau_syn, old_tau_syn, config.grid.is_some())
            && let Loss::TtfsCrossEntropy { tau, tau_early, .. } = &mut config.loss
        {
            *tau *= new / old;
            *tau_early *= new / old;
        }
    }

    fn apply_loss(&self, config: &mut Config) -> Result<(), OverrideError> {
        let flags = [("--xi", self.xi), ("--alpha", self.alpha), ("--beta", self.beta)];
        let Some((flag, _)) = flags.iter().find(|(_, value)| value.is_some()) else {
            return Ok(());
        };
        let tau_syn = output_tau_syn(config);
        let (Loss::TtfsCrossEntropy { tau, alpha, tau_early }, Some(tau_syn)) =
            (&mut config.loss, tau_syn)
        else {
            let reason = format!("its loss {} has no such constant", config.loss.name());
            return Err(OverrideError { flag, config: config.name.clone(), reason });
        };
        set(tau, self.xi.map(|xi| xi * tau_syn));
        set(alpha, self.alpha);
        set(tau_early, self.beta.map(|beta| beta * tau_syn));
        Ok(())
    }
}

fn set<T: Copy>(place: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *place = value;
    }
}

fn output_tau_syn(config: &Config) -> Option<f64> {
    match config.network.layers.last()?.tau_syn.as_ref()? {
        OneOrMany::One(tau) => Some(*tau),
        OneOrMany::Many(taus) => taus.first().copied(),
    }
}
