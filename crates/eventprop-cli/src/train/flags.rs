use anyhow::{Context, Result, bail};
use clap::Args;
use eventprop::Config;
use eventprop::backend;
use eventprop::config::Overrides;
use std::path::PathBuf;

/// Flags that replace single values of the configuration. Those of the PyTorch script
/// pytorch-eventprop have its names.
#[derive(Args)]
#[command(next_help_heading = "Values that replace those of the configuration")]
pub(super) struct Flags {
    /// Any value of the configuration: --set training.slope_floor=0.1. KEY as in the file, with
    /// layers.1 for the second layer; VALUE as in TOML. Can be given several times.
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Passes over the training set.
    #[arg(long, value_name = "N")]
    epochs: Option<u32>,
    /// Learning rate.
    #[arg(long)]
    lr: Option<f64>,
    /// Samples a batch.
    #[arg(long, value_name = "N", visible_alias = "batch_size")]
    batch_size: Option<usize>,
    /// Parts of a batch whose gradients are computed apart and added in a fixed order; set when mpirun
    /// starts the program, and then as many as there may be ranks.
    #[arg(long, value_name = "N")]
    shards: Option<usize>,
    /// Seed of weights, order and dropout.
    #[arg(long)]
    seed: Option<u64>,
    /// What computes.
    #[arg(long, value_parser = backend::NAMES)]
    backend: Option<String>,
    /// The same under the script's name.
    #[arg(long, value_parser = backend::NAMES, conflicts_with = "backend")]
    device: Option<String>,
    /// Threads; 0 for as many as are quickest, up to one a core. Changes no bit of the result.
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
    /// A folder of IDX files (plain or .gz) to train and test on in place of the bundled MNIST.
    #[arg(long, value_name = "DIR", visible_alias = "data_folder")]
    data_folder: Option<PathBuf>,
    /// First-spike loss: temperature of its softmax, in units of tau_s.
    #[arg(long)]
    xi: Option<f64>,
    /// First-spike loss: weight of the term for early label spikes.
    #[arg(long)]
    alpha: Option<f64>,
    /// First-spike loss: time constant of that term, in units of tau_s.
    #[arg(long)]
    beta: Option<f64>,
    /// Simulated time in ms.
    #[arg(long = "T", value_name = "MS", visible_alias = "duration")]
    duration: Option<f64>,
    /// Time step of the clock-driven model in ms.
    #[arg(long, value_name = "MS")]
    dt: Option<f64>,
    /// Membrane time constant in ms.
    #[arg(long, value_name = "MS", visible_alias = "tau_m")]
    tau_m: Option<f64>,
    /// Synaptic time constant in ms.
    #[arg(long, value_name = "MS", visible_alias = "tau_s")]
    tau_s: Option<f64>,
    /// Input time of white pixels in ms.
    #[arg(long, value_name = "MS", visible_alias = "t_min")]
    t_min: Option<f64>,
    /// Input time of black pixels in ms.
    #[arg(long, value_name = "MS", visible_alias = "t_max")]
    t_max: Option<f64>,
}

impl Flags {
    /// `config` with the values of the flags, checked.
    pub(super) fn apply(&self, mut config: Config) -> Result<Config> {
        for assignment in &self.set {
            config = config.with(assignment).context("--set")?;
        }
        self.overrides().apply(&mut config)?;
        config.check()?;
        Ok(config)
    }

    fn overrides(&self) -> Overrides {
        Overrides {
            epochs: self.epochs,
            lr: self.lr,
            batch_size: self.batch_size,
            shards: self.shards,
            seed: self.seed,
            backend: self.backend.as_ref().or(self.device.as_ref()).cloned(),
            threads: self.threads,
            data_folder: self.data_folder.clone(),
            xi: self.xi,
            alpha: self.alpha,
            beta: self.beta,
            duration: self.duration,
            dt: self.dt,
            tau_mem: self.tau_m,
            tau_syn: self.tau_s,
            t_min: self.t_min,
            t_max: self.t_max,
        }
    }

    /// Changes that of a run that goes on, of which it keeps all that determines its bits.
    pub(super) fn apply_to_resumed(&self, config: &mut Config) -> Result<()> {
        let overrides = self.resumable()?;
        overrides.apply(config)?;
        if let Some(folder) = &overrides.data_folder {
            config.data.folder = Some(std::path::absolute(folder)?);
        }
        Ok(config.check()?)
    }

    /// Whether other data take the place of a run's; those of a new run may be others.
    pub(super) fn moves_data(&self) -> bool {
        self.data_folder.is_some() && self.epochs.is_none()
    }

    /// The flags that a resumed run may have, if there are no others.
    pub(super) fn resumable(&self) -> Result<Overrides> {
        let (epochs, threads) = (self.epochs, self.threads);
        let data_folder = self.data_folder.clone();
        let kept = Overrides { epochs, threads, data_folder, ..Overrides::default() };
        if self.set.is_empty() && self.overrides() == kept {
            return Ok(kept);
        }
        bail!(
            "a resumed run keeps its configuration but for --threads, --data-folder and, in a new run, \
             --epochs: leave the other flags out"
        )
    }
}
