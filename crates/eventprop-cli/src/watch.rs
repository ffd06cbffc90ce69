//! `eventprop watch`.

mod plain;
mod view;

use crate::live::Live;
use crate::progress::clock;
use anyhow::{Context, Result, ensure};
use eventprop::EpochRecord;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Look on while a training runs: curves, spikes, silent neurons, speed, time left.
///
/// q ends it, and leaves the training alone. Where the output is no terminal, a line an epoch.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  eventprop watch                                 the latest run
  eventprop watch runs/2026-01-31-mnist-2
  eventprop watch --once                          one line on where it stands")]
pub(crate) struct Args {
    /// The run's folder.
    #[arg(default_value = "runs/latest")]
    run: PathBuf,
    /// Print where the run stands, and end.
    #[arg(long)]
    once: bool,
}

/// What is known of a run.
struct Run {
    name: String,
    history: Vec<EpochRecord>,
    live: Option<Live>,
}

/// How often the folder is read.
const EVERY: Duration = Duration::from_millis(500);

/// Seconds without a word from a training after which it is taken for dead.
const SILENCE: u64 = 30;

pub(crate) fn run(args: &Args) -> Result<()> {
    let run = &args.run;
    ensure!(run.is_dir(), "there is no run folder {}", run.display());
    ensure!(crate::plot::is_run(run), "{} is not the folder of a run", run.display());
    // A link to the latest run may come to lead elsewhere.
    let run =
        std::fs::canonicalize(run).with_context(|| format!("cannot read {}", run.display()))?;
    if args.once {
        return plain::once(&Run::read(&run)?);
    }
    if !io::stdout().is_terminal() {
        return plain::follow(&run);
    }
    let mut terminal = ratatui::try_init().context("cannot draw on this terminal")?;
    let outcome = look_on(&mut terminal, &run);
    ratatui::restore();
    outcome
}

fn look_on(terminal: &mut ratatui::DefaultTerminal, run: &Path) -> Result<()> {
    let colours = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    loop {
        let read = Run::read(run)?;
        terminal.draw(|frame| view::draw(frame, &read, colours))?;
        if event::poll(EVERY)?
            && let Event::Key(key) = event::read()?
            && key.kind == KeyEventKind::Press
            && (matches!(key.code, KeyCode::Char('q') | KeyCode::Esc)
                || (key.code == KeyCode::Char('c') && key.modifiers == KeyModifiers::CONTROL))
        {
            return Ok(());
        }
    }
}

impl Run {
    fn read(path: &Path) -> Result<Self> {
        // Before the first checkpoint there are no metrics.
        let history = match path.join("metrics.jsonl").exists() {
            true => crate::plot::history(path)?,
            false => Vec::new(),
        };
        let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
        Ok(Self { name, history, live: Live::read(path) })
    }

    /// What the training does, in words.
    fn state(&self) -> String {
        match &self.live {
            None => "has not begun".into(),
            Some(live) if self.is_dead() => format!("no word for {}", clock(live.age() as f64)),
            Some(live) => live.state.name().into(),
        }
    }

    fn is_dead(&self) -> bool {
        self.live.as_ref().is_some_and(|live| !live.state.is_over() && live.age() > SILENCE)
    }

    fn is_over(&self) -> bool {
        self.is_dead() || self.live.as_ref().is_some_and(|live| live.state.is_over())
    }

    /// The fraction of the training that is done.
    fn fraction(&self) -> f64 {
        let Some(live) = &self.live else { return 0.0 };
        let within = live.batch as f64 / live.batches.max(1) as f64;
        let done = (f64::from(live.epoch) + within) / f64::from(live.epochs.max(1));
        done.clamp(0.0, 1.0)
    }
}
