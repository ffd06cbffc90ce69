use super::cadence::Countdown;
use crate::interrupt;
use crate::live::{Report, State};
use crate::progress::Display;
use anyhow::{Context, Error, Result, anyhow};
use eventprop::{Event, RunFolder, Trainer};
use std::ops::ControlFlow;
use std::process::ExitCode;

/// Trains to the end, or to the next batch after Ctrl-C, and writes to `folder` as `countdown` says,
/// at the end of each epoch and at the end.
pub(super) fn train(
    trainer: Trainer,
    folder: RunFolder,
    display: Display,
    countdown: Countdown,
) -> Result<ExitCode> {
    interrupt::listen()?;
    let report = Report::new(folder.path(), trainer.config().training.epochs);
    let mut session = Session { trainer, folder, display, countdown, report, last_good: None };
    let outcome = session.run();
    session.report.state(match &outcome {
        Ok(()) if session.trainer.is_finished() => State::Finished,
        Ok(()) => State::Stopped,
        Err(_) => State::Failed,
    });
    outcome?;
    if session.trainer.is_finished() { session.finished() } else { session.interrupted() }
}

struct Session {
    trainer: Trainer,
    folder: RunFolder,
    display: Display,
    countdown: Countdown,
    report: Report,
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
            if interrupt::happened() {
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
                    printed = display.batch(epoch, batch, batches, sums);
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
            Err(error) => Err(self.with_way_back(error.into())),
            Ok(_) => match printed {
                Ok(()) => Ok(()),
                Err(error) => {
                    // Nobody reads on; what was trained is kept all the same.
                    self.save()?;
                    Err(error.into())
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
                self.countdown.restart();
                Ok(())
            }
            Err(error) => Err(self.with_way_back(error.into())),
        }
    }

    /// Where the training stands, for people.
    fn place(&self) -> String {
        let progress = self.trainer.progress();
        match progress.batch {
            0 => format!("after epoch {}", progress.epoch),
            batch => format!("epoch {}, batch {batch}", progress.epoch + 1),
        }
    }

    /// The error, and what there is to go on from.
    fn with_way_back(&self, error: Error) -> Error {
        self.display.close();
        let path = self.folder.checkpoint();
        match &self.last_good {
            Some(place) if path.is_file() => anyhow!(
                "{}; the last good checkpoint ({place}) is {}",
                crate::one_line(&error),
                path.display()
            ),
            _ => error,
        }
    }

    fn interrupted(&self) -> Result<ExitCode> {
        self.display.close();
        let (place, run) = (self.place(), self.folder.path().display());
        eprintln!("stopped at {place}; to go on: eventprop train --resume {run}");
        Ok(ExitCode::from(interrupt::STATUS))
    }

    fn finished(&self) -> Result<ExitCode> {
        let last = self.trainer.progress().history.last().context("no epoch was trained")?;
        self.display.finish(last, self.folder.path())?;
        Ok(ExitCode::SUCCESS)
    }
}
