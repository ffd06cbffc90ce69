use super::cadence::Countdown;
use super::ranks::KnownToAll;
use crate::interrupt::{self, OrElse, Role};
use crate::live::{Report, State};
use crate::progress::Display;
use anyhow::{Context, Error, Result, anyhow};
use eventprop::{Event, Progress, RunFolder, TrainError, Trainer};
use std::io;
use std::ops::ControlFlow;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

/// Trains to the end, or to the next batch after Ctrl-C, and writes to `folder` as `countdown` says,
/// at the end of each epoch and at the end.
pub(super) fn train(
    trainer: Trainer,
    folder: RunFolder,
    display: Display,
    countdown: Countdown,
    ranks: usize,
) -> Result<ExitCode> {
    interrupt::listen(Role::First)?;
    let report = Report::new(folder.path(), &trainer.config().training, trainer.progress());
    let last_good = None;
    let mut session = Session { trainer, folder, display, countdown, report, ranks, last_good };
    let outcome = session.run();
    session.report.state(match &outcome {
        Ok(()) if session.trainer.is_finished() => State::Finished,
        Ok(()) => State::Stopped,
        Err(_) => State::Failed,
    });
    interrupt::or_else(None);
    outcome?;
    if session.trainer.is_finished() { session.finished() } else { session.interrupted() }
}

/// Said when several ranks were asked to stop and could not: the starter kills those that are left when
/// one has died.
pub(super) const ENDED: &str = "a rank died, or the job was ended while a batch was computed";

/// How long ranks have to end their batch: Open MPI kills a second after it has asked.
const GRACE: Duration = Duration::from_millis(600);

struct Session {
    trainer: Trainer,
    folder: RunFolder,
    display: Display,
    countdown: Countdown,
    report: Report,
    ranks: usize,
    /// How far the checkpoint on the disk has come.
    last_good: Option<String>,
}

impl Session {
    /// To the end, or to where it was interrupted.
    fn run(&mut self) -> Result<()> {
        // What cannot be written in the end must not cost a training.
        self.save()?;
        while !self.trainer.is_finished() {
            self.train_on()?;
            self.save()?;
            if self.trainer.any(interrupt::happened())? {
                break;
            }
        }
        Ok(())
    }

    /// To the end of the epoch or to the next checkpoint within it.
    fn train_on(&mut self) -> Result<()> {
        let Self { trainer, display, countdown, report, .. } = self;
        let mut printed = Ok(());
        let outcome = trainer.run_epoch(|event| {
            let mut pause = interrupt::happened();
            match event {
                Event::EpochStarted { epoch, batches } => display.start_epoch(epoch, batches),
                Event::Batch { epoch, batch, batches, sums, .. } => {
                    // The first error: batches that are told of together come after it all the same.
                    if printed.is_ok() {
                        printed = display.batch(epoch, batch, batches, sums);
                    }
                    report.batch(epoch, batch, batches, sums);
                    pause |= countdown.batch();
                }
                Event::Evaluating => {
                    display.evaluating();
                    report.state(State::Testing);
                }
                Event::EpochFinished(record) => printed = display.finish_epoch(record),
                _ => {}
            }
            if pause || printed.is_err() {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        });
        match outcome {
            Err(error @ TrainError::Connection { .. }) => Err(self.with_way_back(error.into())),
            Err(error) => {
                let error = self.with_way_back(error.into());
                Err(KnownToAll(crate::one_line(&error)).into())
            }
            Ok(_) => match printed {
                Ok(()) => Ok(()),
                Err(error) => {
                    // Nobody reads on; what was trained is kept all the same.
                    self.save()?;
                    Err(self.unread(error))
                }
            },
        }
    }

    fn save(&mut self) -> Result<()> {
        let drawn =
            self.trainer.tested().map_or(Ok(()), |tested| self.folder.draw_confusion(tested));
        match drawn.and_then(|()| self.folder.save(&self.trainer.checkpoint())) {
            Ok(()) => {
                self.last_good = Some(self.place());
                if self.ranks > 1 {
                    let message = way_back(ENDED, &self.place(), &self.folder.checkpoint());
                    let message = Box::new(move || Some(message.clone()));
                    interrupt::or_else(Some(OrElse { grace: GRACE, message }));
                }
                self.countdown.restart();
                Ok(())
            }
            Err(error) => Err(self.with_way_back(error.into())),
        }
    }

    fn place(&self) -> String {
        place(self.trainer.progress())
    }

    /// The error, and what there is to go on from.
    fn with_way_back(&self, error: Error) -> Error {
        self.display.close();
        let path = self.folder.checkpoint();
        match &self.last_good {
            Some(place) if path.is_file() => {
                anyhow!(way_back(&crate::one_line(&error), place, &path))
            }
            _ => error,
        }
    }

    fn interrupted(&self) -> Result<ExitCode> {
        self.display.close();
        eprintln!("{}", self.stopped());
        Ok(ExitCode::from(interrupt::STATUS))
    }

    /// The error of an output that nobody could read; no success as long as there are epochs to come.
    fn unread(&self, error: io::Error) -> Error {
        self.display.close();
        match self.trainer.is_finished() {
            true => error.into(),
            false => anyhow!("{error}; {}", self.stopped()),
        }
    }

    /// Where the training stands, and how to go on.
    fn stopped(&self) -> String {
        let at = if self.trainer.progress().batch == 0 { "" } else { "at " };
        let (place, run) = (self.place(), self.folder.path().display());
        format!("stopped {at}{place}; to go on: eventprop train --resume {run}")
    }

    fn finished(&self) -> Result<ExitCode> {
        let last = self.trainer.progress().history.last().context("no epoch was trained")?;
        self.display.finish(last, self.folder.path())?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Where a training stands, for people.
pub(super) fn place(progress: &Progress) -> String {
    match progress.batch {
        0 => format!("after epoch {}", progress.epoch),
        batch => format!("epoch {}, batch {batch}", progress.epoch + 1),
    }
}

/// An error, and the checkpoint there is to go on from.
pub(super) fn way_back(error: &str, place: &str, checkpoint: &Path) -> String {
    format!("{error}; the last good checkpoint ({place}) is {}", checkpoint.display())
}
