//! How a training looks in the terminal.

use crate::live::seconds_left;
use crate::out::Stdout;
use eventprop::{EpochRecord, EpochSums};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::{self, Write};
use std::path::Path;
use std::time::{Duration, Instant};

/// How often the text beside the bar changes.
const REFRESH: Duration = Duration::from_millis(100);

/// What a training prints.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    /// A line an epoch for people.
    Lines,
    /// A line of JSON an epoch, and nothing else.
    Json,
    /// The last line only.
    Quiet,
}

/// Draws one bar an epoch on standard error (nothing where that is no terminal) and prints one line
/// an epoch on standard output.
pub(crate) struct Display {
    bar: ProgressBar,
    style: Style,
    print_freq: Option<usize>,
    epochs: u32,
    refreshed: Instant,
}

impl Display {
    /// A display of a training of `epochs` epochs that prints a line every `print_freq` batches.
    pub(crate) fn new(epochs: u32, style: Style, print_freq: Option<usize>) -> Self {
        let target = match style {
            Style::Quiet => ProgressDrawTarget::hidden(),
            _ => ProgressDrawTarget::stderr(),
        };
        let bar = ProgressBar::with_draw_target(Some(0), target);
        let template = "{prefix} {bar:24.cyan/blue} {percent:>3} %  {msg}";
        bar.set_style(
            ProgressStyle::with_template(template).unwrap_or(ProgressStyle::default_bar()),
        );
        Self { bar, style, print_freq, epochs, refreshed: Instant::now() }
    }

    /// An epoch (from 0) begins.
    pub(crate) fn start_epoch(&mut self, epoch: u32, batches: usize) {
        self.bar.reset();
        self.bar.set_length(batches as u64);
        self.bar.set_prefix(format!("epoch {}/{}", epoch + 1, self.epochs));
        self.bar.set_message("");
    }

    /// A batch (from 0) of `batches` is done.
    pub(crate) fn batch(
        &mut self,
        epoch: u32,
        batch: usize,
        batches: usize,
        sums: &EpochSums,
    ) -> io::Result<()> {
        let last = batch + 1 == batches;
        if last || self.refreshed.elapsed() >= REFRESH {
            self.refreshed = Instant::now();
            self.bar.set_position(batch as u64 + 1);
            let left = seconds_left(self.epochs, epoch, batch + 1, batches, sums);
            self.bar.set_message(format!(
                "loss {:.4}  accuracy {:.2} %  {:.0} samples/s  {} left",
                sums.mean_loss(),
                100.0 * sums.accuracy(),
                sums.samples as f64 / sums.seconds.max(1e-9),
                clock(left),
            ));
        }
        match self.print_freq {
            Some(frequency) if (batch + 1).is_multiple_of(frequency) => self.line(|| {
                format!(
                    "epoch {:>3}  batch {:>5}/{batches}  loss {:.4}  accuracy {:.2} %",
                    epoch + 1,
                    batch + 1,
                    sums.mean_loss(),
                    100.0 * sums.accuracy(),
                )
            }),
            _ => Ok(()),
        }
    }

    /// The test set is being measured.
    pub(crate) fn evaluating(&self) {
        self.bar.set_message("measuring the test set");
    }

    /// An epoch is done.
    pub(crate) fn finish_epoch(&self, record: &EpochRecord) -> io::Result<()> {
        match self.style {
            Style::Json => self.bar.suspend(|| writeln!(Stdout, "{}", record.to_json())),
            _ => self.line(|| format!("{}  {:.1} s", record.summary(self.epochs), record.seconds)),
        }
    }

    /// Prints a line for people above the bar.
    fn line(&self, line: impl Fn() -> String) -> io::Result<()> {
        match self.style {
            Style::Lines => self.bar.suspend(|| writeln!(Stdout, "{}", line())),
            Style::Json | Style::Quiet => Ok(()),
        }
    }

    /// The training is done.
    pub(crate) fn finish(&self, record: &EpochRecord, run: &Path) -> io::Result<()> {
        self.close();
        let (accuracy, run) = (record.test.accuracy, run.display());
        match self.style {
            Style::Json => {
                let last = serde_json::json!({ "test_accuracy": accuracy, "run": run.to_string() });
                writeln!(Stdout, "{last}")
            }
            _ => {
                writeln!(Stdout, "test accuracy {:.2} %, written to {run}", 100.0 * accuracy)
            }
        }
    }

    /// Takes the bar away.
    pub(crate) fn close(&self) {
        self.bar.finish_and_clear();
    }
}

/// A time in s, as hours, minutes and seconds.
pub(crate) fn clock(seconds: f64) -> String {
    let seconds = seconds.round() as u64;
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 {
        format!("{hours}:{minutes:02}:{seconds:02}")
    } else {
        format!("{minutes}:{seconds:02}")
    }
}
