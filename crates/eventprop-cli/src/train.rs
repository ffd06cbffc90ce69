//! `eventprop train`.

mod cadence;
mod difference;
mod flags;
mod follow;
mod ranks;
mod resume;
mod session;

use crate::out::Stdout;
use crate::progress::{Display, Style};
use crate::source;
use crate::{machine, numbers};
use anyhow::{Result, anyhow, bail};
use cadence::{Cadence, Countdown};
use eventprop::{Config, Data, RunFolder, Trainer};
use flags::Flags;
use ranks::Ranks;
use resume::{Left, Resumed};
use std::io::Write;
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
  eventprop train --resume runs/latest            go on where a run stopped
  eventprop train --resume runs/latest --epochs 20   a new run: 20 epochs with those that are done
  mpirun -n 4 eventprop train                     on four processes (needs --features mpi)")]
pub(crate) struct Args {
    /// A configuration file, in place of a preset.
    #[arg(value_name = "CONFIG.toml", conflicts_with_all = ["preset", "resume"])]
    config: Option<PathBuf>,
    /// The preset to start from, mnist-conv say; a name that is none prints all [default: mnist].
    #[arg(long, value_name = "NAME", conflicts_with = "resume")]
    preset: Option<String>,
    /// Go on in a run's folder exactly as if it had never stopped, or begin a new run with a
    /// checkpoint that lies elsewhere. With --epochs, begin a new run with it in any case, of so many
    /// epochs in all; a schedule that depends on their number goes on as if it had always been that.
    #[arg(long, value_name = "RUN")]
    resume: Option<PathBuf>,
    /// The folder in which each run makes a folder of its own [default: runs].
    #[arg(long, value_name = "DIR", alias = "run_dir")]
    run_dir: Option<PathBuf>,
    /// How often a checkpoint is written within an epoch: a number of batches, or a time as 30s, 10m
    /// or 1h. There is one at the end of each epoch in any case.
    #[arg(long, value_name = "N|TIME", default_value = "5m")]
    checkpoint_every: Cadence,
    /// With several ranks: the size in MiB of a set of spikes up to which every rank holds all of it; of a
    /// larger one each holds its part.
    #[arg(long, value_name = "MIB", default_value_t = eventprop::parallel::REPLICATED >> 20)]
    replicate_up_to: usize,
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
    #[arg(long, value_name = "N", visible_alias = "print_freq", value_parser = numbers::from_one)]
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
    let ranks = Ranks::join()?;
    let outcome = start(&args, &ranks);
    ranks.leave(outcome)
}

/// The first rank finds out what is to be done; all do it.
fn start(args: &Args, ranks: &Ranks) -> Result<ExitCode> {
    let prepared = match ranks.is_first() {
        true => prepare(args, ranks),
        false => Ok((None, None)),
    };
    let (left, folder) = ranks.agree(prepared)?;
    let Some(left) = ranks.share(left)? else { return Ok(ExitCode::SUCCESS) };
    let backend = &left.config().training.backend;
    let parallel = ranks.agree(ranks.parallel(args.replicate_up_to << 20, backend))?;
    let data = source::loaded(Data::load(left.config()), left.config());
    let trainer = data.and_then(|data| {
        if args.resume.is_some() && args.flags.moves_data() {
            left.check_data(&data)?;
        }
        if ranks.is_first() {
            announce(left.config(), &data, ranks.count(), args.style())?;
        }
        left.trainer(data, parallel)
    });
    let trainer = ranks.agree(trainer)?;
    let folder = match folder {
        None if ranks.is_first() => {
            RunFolder::create(&args.run_dir(), trainer.config()).map(Some).map_err(Into::into)
        }
        folder => Ok(folder),
    };
    let folder = ranks.agree(folder)?;
    let run = ranks.share_path(folder.as_ref().map_or(Path::new(""), RunFolder::path))?;
    match folder {
        Some(folder) => train(trainer, folder, args, ranks.count()),
        None => follow::follow(trainer, ranks.rank(), &run),
    }
}

/// What is to be trained from where on, and the folder of a run that goes on; nothing if all that was
/// asked for is to print the configuration.
fn prepare(args: &Args, ranks: &Ranks) -> Result<(Option<Left>, Option<RunFolder>)> {
    let (left, folder) = match &args.resume {
        Some(path) => resume(path, args)?,
        None => (Left::Beginning(Box::new(config(args, ranks)?)), None),
    };
    if args.print_config {
        write!(Stdout, "{}", left.config().to_toml())?;
        return Ok((None, None));
    }
    Ok((Some(left), folder))
}

/// Preset or file, changed by flags, checked.
fn config(args: &Args, ranks: &Ranks) -> Result<Config> {
    let config = match (&args.config, &args.preset) {
        (Some(path), _) => Config::load(path)?,
        (None, Some(preset)) => Config::preset(preset)?,
        (None, None) => Config::preset("mnist")?,
    };
    let mut config = args.flags.apply(config)?;
    if ranks.is_a_job() {
        config.cut_batches();
    }
    if args.print_config {
        return Ok(config);
    }
    source::find_data(&mut config);
    if let Some(folder) = &mut config.data.folder {
        // The run may be gone on with from elsewhere.
        *folder = std::path::absolute(&folder)?;
    }
    Ok(config)
}

fn resume(path: &Path, args: &Args) -> Result<(Left, Option<RunFolder>)> {
    let epochs = args.flags.resumable()?.epochs;
    let resumed = Resumed::at(path);
    if let Some(epochs) = epochs {
        let mut left = Left::for_longer(&resumed, epochs)?;
        args.flags.apply_to_resumed(left.config_mut())?;
        return Ok((left, None));
    }
    if let (Resumed::Run(run), Some(elsewhere)) = (&resumed, &args.run_dir) {
        bail!(
            "--run-dir {}: a resumed run goes on in its own folder, {}; leave --run-dir out, or copy \
             the checkpoint under another name to begin a new run with it",
            elsewhere.display(),
            run.display(),
        );
    }
    let (mut left, folder) = match resumed {
        Resumed::Run(path) => {
            let folder = RunFolder::open(path)?;
            (Left::in_folder(&folder)?, Some(folder))
        }
        Resumed::Branch(path) => (Left::Checkpoint(Box::new(source::checkpoint(&path)?)), None),
    };
    args.flags.apply_to_resumed(left.config_mut())?;
    Ok((left, folder))
}

fn announce(config: &Config, data: &Data, ranks: usize, style: Style) -> Result<()> {
    let (built, warning) = machine::instruction_sets();
    if let Some(warning) = warning.filter(|_| style != Style::Quiet) {
        eprintln!("warning: {warning}");
    }
    if style != Style::Lines {
        return Ok(());
    }
    let sizes: Vec<_> = config.network.layers.iter().map(|layer| layer.size.to_string()).collect();
    let together = if ranks > 1 { format!(", on {ranks} ranks") } else { String::new() };
    let printed = writeln!(
        Stdout,
        "eventprop {}, built for {built}: {} ({}), {} training and {} test samples{together}",
        env!("CARGO_PKG_VERSION"),
        config.name,
        sizes.join("-"),
        data.train.len(),
        data.test.len(),
    );
    // Also where nobody reads on: whoever asks for a training should know that there was none.
    printed.map_err(|error| anyhow!("{error}; nothing was trained"))
}

fn train(trainer: Trainer, folder: RunFolder, args: &Args, ranks: usize) -> Result<ExitCode> {
    if args.tensorboard {
        folder.write_tensorboard()?;
    }
    let display = Display::new(trainer.config().training.epochs, args.style(), args.print_freq);
    session::train(trainer, folder, display, Countdown::new(args.checkpoint_every), ranks)
}
