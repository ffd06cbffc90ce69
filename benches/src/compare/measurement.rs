use super::{BATCH, IMAGES};
use crate::real::mnist_workload;
use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use std::fs;
use std::process::Command;
use std::time::Instant;

/// What a program says of its training, as JSON on its last line.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub struct Measurement {
    /// Training samples a second of wall time.
    pub samples_per_second: f64,
    /// The most memory it held.
    pub peak_bytes: f64,
    /// Mean loss of the first batch.
    pub first_loss: f64,
    /// Mean loss of the last.
    pub last_loss: f64,
}

impl Measurement {
    /// Runs a program and takes its word, if its loss fell.
    ///
    /// # Errors
    /// If it fails, says something else, or did not learn.
    pub(super) fn of(command: &mut Command) -> Result<Self> {
        let output = command.output().with_context(|| format!("cannot run {command:?}"))?;
        let errors = String::from_utf8_lossy(&output.stderr);
        // What went wrong stands at the end of Python's account of it.
        let error = errors.trim().lines().last().unwrap_or("no word of why");
        anyhow::ensure!(output.status.success(), "{error}");
        let said = String::from_utf8_lossy(&output.stdout);
        let line = said.lines().last().unwrap_or_default();
        let measurement: Self = serde_json::from_str(line)
            .with_context(|| format!("its last line \"{line}\" is no measurement"))?;
        let Self { first_loss, last_loss, .. } = measurement;
        anyhow::ensure!(
            last_loss < first_loss,
            "its loss did not fall: {first_loss} to {last_loss}"
        );
        Ok(measurement)
    }
}

/// Trains `preset` on `threads` threads for `seconds`, as its recipe says but for the size of batches.
///
/// # Errors
/// If the engine fails.
pub fn measure_ours(preset: &str, threads: usize, seconds: f64) -> Result<Measurement> {
    let workload = mnist_workload(preset, BATCH, |_| ())?;
    debug_assert_eq!(workload.batches(), IMAGES / BATCH);
    let lr = workload.config().training.lr;
    let mut engine = workload.engine(threads)?;
    let (mut steps, mut losses, start) = (0, Vec::new(), Instant::now());
    while start.elapsed().as_secs_f64() < seconds {
        let batch = workload.batch(steps);
        let (statistics, _) = engine.train_step(batch, lr)?;
        losses.push(statistics.loss / batch.len() as f64);
        steps += 1;
    }
    let elapsed = start.elapsed().as_secs_f64();
    Ok(Measurement {
        samples_per_second: (steps * BATCH) as f64 / elapsed,
        peak_bytes: peak_bytes().unwrap_or(f64::NAN),
        first_loss: losses[0],
        last_loss: losses[steps - 1],
    })
}

/// The most memory this process held so far, where the system says it.
fn peak_bytes() -> Option<f64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(1024.0 * line.split_whitespace().next()?.parse::<f64>().ok()?)
}
