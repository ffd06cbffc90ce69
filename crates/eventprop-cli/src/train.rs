//! `eventprop train`.

mod flags;

use crate::machine;
use crate::progress::Display;
use anyhow::{Context, Result, bail};
use eventprop::{Checkpoint, Config, Data, Event, RunFolder, Trainer};
use flags::Flags;
use std::io::{self, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

/// Train a network.
///
/// Without arguments: 784-350-10 on MNIST, which the program carries with it. A preset or a
/// configuration file says what is trained; flags replace single values of it.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  eventprop train                                 the preset mnist
  eventprop train --preset seed --epochs 10       the clock-driven model
  eventprop train --print-config > my.toml        a configuration to change ...
  eventprop train my.toml                         ... and to train
  eventprop train --data-folder fashion           IDX files of one's own
  eventprop train --resume runs/latest            go on where a run stopped")]
pub(crate) struct Args {
    /// A configuration file, in place of a preset.
    #[arg(value_name = "CONFIG.toml", conflicts_with_all = ["preset", "resume"])]
    config: Option<PathBuf>,
    /// The preset to start from: mnist, mnist-paper, seed or seed-readme [default: mnist].
    #[arg(long, value_name = "NAME", conflicts_with = "resume")]
    preset: Option<String>,
    /// Go on from a run's folder or from a checkpoint, exactly as if it had never stopped.
    #[arg(long, value_name = "RUN")]
    resume: Option<PathBuf>,
    /// The folder in which each run makes a folder of its own.
    #[arg(long, value_name = "DIR", default_value = "runs", alias = "run_dir")]
    run_dir: PathBuf,
    /// Print the configuration that preset and flags make, and do nothing.
    #[arg(long, alias = "print_config")]
    print_config: bool,
    /// Print nothing but the last line.
    #[arg(long, short)]
    quiet: bool,
    /// Print a line every N batches.
    #[arg(long, value_name = "N", visible_alias = "print_freq", value_parser = flags::at_least_one)]
    print_freq: Option<usize>,
    /// Accepted for old scripts: every run gives the same bits for the same seed.
    #[arg(long)]
    deterministic: bool,
    #[command(flatten)]
    flags: Flags,
}

pub(crate) fn run(args: Args) -> Result<()> {
    if let Some(path) = &args.resume {
        return resume(path, &args);
    }
    let config = config(&args)?;
    if args.print_config {
        write!(io::stdout(), "{}", config.to_toml())?;
        return Ok(());
    }
    let data = Data::load(&config)?;
    announce(&config, &data, args.quiet)?;
    let trainer = Trainer::new(config, data)?;
    let folder = RunFolder::create(&args.run_dir, trainer.config())?;
    train(trainer, &folder, &args)
}

/// Preset or file, changed by flags, checked.
fn config(args: &Args) -> Result<Config> {
    let mut config = match (&args.config, &args.preset) {
        (Some(path), _) => {
            let name = path.display().to_string();
            let text = std::fs::read_to_string(path)
                .map_err(|error| anyhow::anyhow!("cannot read configuration {name}: {error}"))?;
            Config::parse(&text, &name)?
        }
        (None, Some(preset)) => Config::preset(preset)?,
        (None, None) => Config::preset("mnist")?,
    };
    args.flags.overrides().apply(&mut config)?;
    config.check()?;
    Ok(config)
}

fn resume(path: &Path, args: &Args) -> Result<()> {
    if !args.flags.is_empty() {
        bail!("a resumed run keeps its configuration: leave the other flags out");
    }
    let folder = if path.is_dir() { path } else { path.parent().unwrap_or(Path::new(".")) };
    let folder = RunFolder::existing(folder);
    let file = if path.is_dir() { folder.checkpoint() } else { path.to_path_buf() };
    let checkpoint = Checkpoint::load(&file)?;
    if args.print_config {
        write!(io::stdout(), "{}", checkpoint.config.to_toml())?;
        return Ok(());
    }
    let data = Data::load(&checkpoint.config)?;
    announce(&checkpoint.config, &data, args.quiet)?;
    train(Trainer::resume(checkpoint, data)?, &folder, args)
}

fn announce(config: &Config, data: &Data, quiet: bool) -> Result<()> {
    let (built, warning) = machine::instruction_sets();
    if let Some(warning) = warning.filter(|_| !quiet) {
        eprintln!("warning: {warning}");
    }
    if quiet {
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

fn train(mut trainer: Trainer, folder: &RunFolder, args: &Args) -> Result<()> {
    let mut display = Display::new(trainer.config().training.epochs, args.quiet, args.print_freq);
    // What cannot be written in the end must not cost a training.
    folder.save(&trainer.checkpoint())?;
    while !trainer.is_finished() {
        let mut printed = Ok(());
        trainer.run_epoch(|event| {
            match event {
                Event::EpochStarted { epoch, batches } => display.start_epoch(epoch, batches),
                Event::Batch { epoch, batch, batches, sums, .. } => {
                    printed = display.batch(epoch, batch, batches, sums);
                }
                Event::Evaluating => display.evaluating(),
                Event::EpochFinished(record) => printed = display.finish_epoch(record),
                _ => {}
            }
            if printed.is_err() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
        folder.save(&trainer.checkpoint())?;
        printed?;
    }
    display.close();
    let last = trainer.progress().history.last().context("no epoch was trained")?;
    let accuracy = 100.0 * last.test.accuracy;
    writeln!(
        io::stdout(),
        "test accuracy {accuracy:.2} %, written to {}",
        folder.path().display()
    )?;
    Ok(())
}
