//! `eventprop train`.

mod cadence;
mod flags;
mod resume;
mod session;

use crate::machine;
use crate::progress::{Display, Style};
use crate::source;
use anyhow::{Result, bail};
use cadence::{Cadence, Countdown};
use eventprop::{Checkpoint, Config, Data, RunFolder, Trainer};
use flags::Flags;
use resume::{Left, Resumed};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Train a network.
///
/// Without arguments: 784-350-10 on MNIST, which the program carries with it. A preset or a
/// configuration file says what is trained; flags replace single values of it.
#[derive(clap::Args)]
#[command(allow_negative_numbers = true)]
#[command(after_help = "\
Examples:
  eventprop train                                 the preset mnist
  eventprop train --preset seed --epochs 10       the clock-driven model
  eventprop train --print-config > my.toml        a configuration to change ...
  eventprop train my.toml                         ... and to train
  eventprop train --data-folder fashion           IDX files of one's own
  eventprop train --set data.dropout=0.1          any other value of the configuration
  eventprop train --resume runs/latest            go on where a run stopped")]
pub(crate) struct Args {
    /// A configuration file, in place of a preset.
    #[arg(value_name = "CONFIG.toml", conflicts_with_all = ["preset", "resume"])]
    config: Option<PathBuf>,
    /// The preset to start from, mnist-conv say; a name that is none prints all [default: mnist].
    #[arg(long, value_name = "NAME", conflicts_with = "resume")]
    preset: Option<String>,
    /// Go on in a run's folder exactly as if it had never stopped, or begin a new run with a
    /// checkpoint that lies elsewhere.
    #[arg(long, value_name = "RUN")]
    resume: Option<PathBuf>,
    /// The folder in which each run makes a folder of its own [default: runs].
    #[arg(long, value_name = "DIR", alias = "run_dir")]
    run_dir: Option<PathBuf>,
    /// How often a checkpoint is written within an epoch: a number of batches, or a time as 30s, 10m
    /// or 1h. There is one at the end of each epoch in any case.
    #[arg(long, value_name = "N|TIME", default_value = "5m")]
    checkpoint_every: Cadence,
    /// Write an event file for TensorBoard into the run's folder: tensorboard --logdir runs
    #[arg(long)]
    tensorboard: bool,
    /// Print the configuration that preset and flags make, and do nothing.
    #[arg(long, alias = "print_config")]
    print_config: bool,
    /// Print nothing but the last line.
    #[arg(long, short)]
    quiet: bool,
    /// Print a line of JSON an epoch, and nothing else.
    #[arg(long, conflicts_with = "quiet")]
    json: bool,
    /// Print a line every N batches.
    #[arg(long, value_name = "N", visible_alias = "print_freq", value_parser = flags::at_least_one)]
    print_freq: Option<usize>,
    /// Accepted for old scripts: every run gives the same bits for the same seed.
    #[arg(long)]
    deterministic: bool,
    #[command(flatten)]
    flags: Flags,
}

impl Args {
    fn style(&self) -> Style {
        match (self.json, self.quiet) {
            (true, _) => Style::Json,
            (_, true) => Style::Quiet,
            _ => Style::Lines,
        }
    }

    fn run_dir(&self) -> PathBuf {
        self.run_dir.clone().unwrap_or_else(|| "runs".into())
    }
}

pub(crate) fn run(args: Args) -> Result<ExitCode> {
    if let Some(path) = &args.resume {
        return resume(path, &args);
    }
    let mut config = config(&args)?;
    if args.print_config {
        write!(io::stdout(), "{}", config.to_toml())?;
        return Ok(ExitCode::SUCCESS);
    }
    source::find_data(&mut config);
    if let Some(folder) = &mut config.data.folder {
        // The run may be gone on with from elsewhere.
        *folder = std::path::absolute(&folder)?;
    }
    let data = Data::load(&config)?;
    announce(&config, &data, args.style())?;
    let trainer = Trainer::new(config, data)?;
    let folder = RunFolder::create(&args.run_dir(), trainer.config())?;
    train(trainer, folder, &args)
}

/// Preset or file, changed by flags, checked.
fn config(args: &Args) -> Result<Config> {
    let config = match (&args.config, &args.preset) {
        (Some(path), _) => Config::load(path)?,
        (None, Some(preset)) => Config::preset(preset)?,
        (None, None) => Config::preset("mnist")?,
    };
    args.flags.apply(config)
}

fn resume(path: &Path, args: &Args) -> Result<ExitCode> {
    if !args.flags.is_empty() {
        bail!("a resumed run keeps its configuration: leave the other flags out");
    }
    let resumed = Resumed::at(path);
    if let (Resumed::Run(run), Some(elsewhere)) = (&resumed, &args.run_dir) {
        bail!(
            "--run-dir {}: a resumed run goes on in its own folder, {}; leave --run-dir out, or copy \
             the checkpoint under another name to begin a new run with it",
            elsewhere.display(),
            run.display(),
        );
    }
    let (left, folder) = match resumed {
        Resumed::Run(path) => {
            let folder = RunFolder::open(path)?;
            (Left::in_folder(&folder)?, Some(folder))
        }
        Resumed::Branch(path) => (Left::Checkpoint(Box::new(Checkpoint::load(&path)?)), None),
    };
    if args.print_config {
        write!(io::stdout(), "{}", left.config().to_toml())?;
        return Ok(ExitCode::SUCCESS);
    }
    let data = Data::load(left.config())?;
    announce(left.config(), &data, args.style())?;
    let trainer = left.trainer(data)?;
    let folder = match folder {
        Some(folder) => folder,
        None => RunFolder::create(&args.run_dir(), trainer.config())?,
    };
    train(trainer, folder, args)
}

fn announce(config: &Config, data: &Data, style: Style) -> Result<()> {
    let (built, warning) = machine::instruction_sets();
    if let Some(warning) = warning.filter(|_| style != Style::Quiet) {
        eprintln!("warning: {warning}");
    }
    if style != Style::Lines {
        return Ok(());
    }
    let sizes: Vec<_> = config.network.layers.iter().map(|layer| layer.size.to_string()).collect();
    writeln!(
        io::stdout(),
        "eventprop {}, built for {built}: {} ({}), {} training and {} test samples",
        env!("CARGO_PKG_VERSION"),
        config.name,
        sizes.join("-"),
        data.train.len(),
        data.test.len(),
    )?;
    Ok(())
}

fn train(trainer: Trainer, folder: RunFolder, args: &Args) -> Result<ExitCode> {
    if args.tensorboard {
        folder.write_tensorboard()?;
    }
    let display = Display::new(trainer.config().training.epochs, args.style(), args.print_freq);
    session::train(trainer, folder, display, Countdown::new(args.checkpoint_every))
}
