//! How a training looks in the terminal.

use eventprop::{EpochRecord, EpochSums};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::{self, Write};
use std::time::{Duration, Instant};

/// How often the text beside the bar changes.
const REFRESH: Duration = Duration::from_millis(100);

/// Draws one bar an epoch on standard error (nothing where that is no terminal) and prints one line
/// an epoch on standard output.
pub(crate) struct Display {
    bar: ProgressBar,
    quiet: bool,
    print_freq: Option<usize>,
    epochs: u32,
    refreshed: Instant,
}

impl Display {
    /// A display of a training of `epochs` epochs that prints a line every `print_freq` batches.
    pub(crate) fn new(epochs: u32, quiet: bool, print_freq: Option<usize>) -> Self {
        let target =
            if quiet { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
        let bar = ProgressBar::with_draw_target(Some(0), target);
        let style = "{prefix} {bar:24.cyan/blue} {percent:>3} %  {msg}";
        bar.set_style(ProgressStyle::with_template(style).unwrap_or(ProgressStyle::default_bar()));
        Self { bar, quiet, print_freq, epochs, refreshed: Instant::now() }
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
            let left = self.seconds_left(epoch, batch, batches, sums);
            self.bar.set_message(format!(
                "loss {:.4}  accuracy {:.2} %  {:.0} samples/s  {} left",
                sums.mean_loss(),
                100.0 * sums.accuracy(),
                sums.samples as f64 / sums.seconds.max(1e-9),
                clock(left),
            ));
        }
        match self.print_freq {
            Some(frequency) if (batch + 1).is_multiple_of(frequency) => self.line(&format!(
                "epoch {:>3}  batch {:>5}/{batches}  loss {:.4}  accuracy {:.2} %",
                epoch + 1,
                batch + 1,
                sums.mean_loss(),
                100.0 * sums.accuracy(),
            )),
            _ => Ok(()),
        }
    }

    /// The test set is being measured.
    pub(crate) fn evaluating(&self) {
        self.bar.set_message("measuring the test set");
    }

    /// An epoch is done.
    pub(crate) fn finish_epoch(&self, record: &EpochRecord) -> io::Result<()> {
        self.line(&summary(record, self.epochs))
    }

    /// Prints a line above the bar.
    pub(crate) fn line(&self, line: &str) -> io::Result<()> {
        if self.quiet {
            return Ok(());
        }
        self.bar.suspend(|| writeln!(io::stdout(), "{line}"))
    }

    /// Takes the bar away.
    pub(crate) fn close(&self) {
        self.bar.finish_and_clear();
    }

    /// To the end of the last epoch, at the pace of this one.
    fn seconds_left(&self, epoch: u32, batch: usize, batches: usize, sums: &EpochSums) -> f64 {
        let done = (batch + 1) as f64;
        let left = f64::from(self.epochs - epoch) * batches as f64 - done;
        // Resumed within an epoch, seconds and batches both count from its start.
        sums.seconds / done * left
    }
}

/// An epoch in one line.
fn summary(record: &EpochRecord, epochs: u32) -> String {
    let mut line = format!(
        "epoch {:>3}/{epochs}  train {:.4} {:.2} %  test {:.4} {:.2} %",
        record.epoch,
        record.train_loss,
        100.0 * record.train_accuracy,
        record.test.loss,
        100.0 * record.test.accuracy,
    );
    if let Some(validation) = &record.validation {
        line += &format!("  validation {:.2} %", 100.0 * validation.accuracy);
    }
    for layer in &record.layers {
        line += &format!(
            "  {} {:.1} spikes/sample {} silent",
            layer.layer, layer.spikes_per_sample, layer.silent
        );
    }
    line += &format!("  {} grazing {} clipped", record.grazing, record.clipped);
    for (count, what) in [
        (record.lifted, "lifted"),
        (record.bumps, "bumped"),
        (record.bump_gave_up, "left silent, bumped in vain"),
    ] {
        if count > 0 {
            line += &format!(" {count} {what}");
        }
    }
    line + &format!("  {:.1} s", record.seconds)
}

fn clock(seconds: f64) -> String {
    let seconds = seconds.round() as u64;
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 {
        format!("{hours}:{minutes:02}:{seconds:02}")
    } else {
        format!("{minutes}:{seconds:02}")
    }
}
