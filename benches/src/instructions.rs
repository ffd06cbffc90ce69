//! The regression gate that no noise moves: instructions a training sample, counted by valgrind's
//! callgrind in a build for x86-64-v3 and compared with a committed bound.
//!
//! A run is counted twice, over one pass of the samples and over two; the difference is what a pass
//! costs, without start-up.

use crate::workload::Workload;
use anyhow::{Context, Result};
use eventprop::{Config, Data};
use lif_core::SpikeBatch;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::process::Command;

/// Samples of a pass: the first of MNIST.
const SAMPLES: usize = 640;
/// Samples a batch.
const BATCH: usize = 64;

/// The presets whose training step is counted.
pub const PRESETS: [&str; 2] = ["mnist-paper", "seed"];

/// What a new bound allows over what was measured: other versions of the compiler and of the C
/// library differ by less.
const MARGIN: f64 = 1.03;

/// A committed bound and where it comes from.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Bound {
    /// Instructions a training sample that are allowed.
    pub bound: u64,
    /// Instructions a training sample when the bound was set.
    pub measured: u64,
    /// When that was.
    pub date: String,
}

/// The bounds by preset.
pub type Bounds = BTreeMap<String, Bound>;

/// Reads the file of bounds.
///
/// # Errors
/// If it cannot be read or is not right.
pub fn read_bounds(path: &Path) -> Result<Bounds> {
    let text =
        fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    toml::from_str(&text).with_context(|| format!("{} is not right", path.display()))
}

/// Writes bounds a little above `counts`.
///
/// # Errors
/// If the file cannot be written.
pub fn write_bounds(path: &Path, counts: &[(&str, u64)], date: &str) -> Result<()> {
    let bounds: Bounds = counts
        .iter()
        .map(|&(preset, measured)| {
            let bound = (measured as f64 * MARGIN) as u64;
            (preset.to_owned(), Bound { bound, measured, date: date.to_owned() })
        })
        .collect();
    let text = format!(
        "# Instructions a training sample, at most, of each preset: 784-350-10 exact and 784-10 on a grid,\n\
         # batch 64, x86-64-v3, one thread. `cargo xtask bench --instructions` counts them and fails above\n\
         # the bound; with --accept it writes this file anew.\n\n{}",
        toml::to_string(&bounds)?
    );
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

/// Instructions a training sample of `preset`, counted in `program`, which calls [`train`] when given
/// the arguments `pass PRESET FILE PASSES`.
///
/// # Errors
/// If there is no valgrind, or the program fails under it.
pub fn count(program: &Path, preset: &str) -> Result<u64> {
    let folder = tempfile::tempdir().context("cannot make a temporary folder")?;
    let samples = folder.path().join("samples");
    fs::write(&samples, export(preset)?).context("cannot write the samples")?;
    let counted = |passes: u32| callgrind(program, preset, &samples, passes, folder.path());
    let difference =
        counted(2)?.checked_sub(counted(1)?).context("two passes cost less than one")?;
    Ok(difference / SAMPLES as u64)
}

fn callgrind(
    program: &Path,
    preset: &str,
    samples: &Path,
    passes: u32,
    folder: &Path,
) -> Result<u64> {
    let counts = folder.join("counts");
    let mut option = std::ffi::OsString::from("--callgrind-out-file=");
    option.push(&counts);
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--quiet"])
        .arg(option)
        .arg(program)
        .args(["pass", preset])
        .arg(samples)
        .arg(passes.to_string())
        .output();
    let output = match output {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            anyhow::bail!("valgrind is not installed (Debian: apt-get install valgrind)")
        }
        other => other.context("cannot run valgrind")?,
    };
    let said = String::from_utf8_lossy(&output.stderr);
    anyhow::ensure!(output.status.success(), "the run under valgrind failed: {}", said.trim());
    let text = fs::read_to_string(&counts).context("valgrind left no counts")?;
    total(&text).with_context(|| format!("no total in what valgrind counted: {}", said.trim()))
}

/// The instructions of a file of callgrind's.
fn total(text: &str) -> Option<u64> {
    let line = |name: &str| text.lines().rev().find_map(|line| line.strip_prefix(name));
    line("totals:").or_else(|| line("summary:"))?.trim().parse().ok()
}

/// The first samples of the preset's data, as they are passed to the counted program: decoding MNIST
/// there would take longer than all else. The number of samples, where each ends, times, indices,
/// labels; 32 bits each.
fn export(preset: &str) -> Result<Vec<u8>> {
    let samples = Data::load(&Config::preset(preset)?)?.train;
    let mut words = vec![SAMPLES as u32];
    let trains = || (0..SAMPLES).map(|sample| samples.spikes(sample));
    words.extend(trains().scan(0, |end, train| {
        *end += train.len() as u32;
        Some(*end)
    }));
    trains().for_each(|train| words.extend(train.times().iter().map(|time| time.to_bits())));
    trains().for_each(|train| words.extend(train.indices()));
    words.extend((0..SAMPLES).map(|sample| samples.label(sample)));
    Ok(words.into_iter().flat_map(u32::to_le_bytes).collect())
}

fn import(bytes: &[u8]) -> Result<Vec<(SpikeBatch<f32>, Vec<u32>)>> {
    let (words, _) = bytes.as_chunks();
    let words: Vec<u32> = words.iter().map(|&word| u32::from_le_bytes(word)).collect();
    let short = "the file of samples is too short";
    let (&count, rest) = words.split_first().context(short)?;
    let (ends, rest) = rest.split_at_checked(count as usize).context(short)?;
    let spikes = ends.last().map_or(0, |&end| end as usize);
    let (times, rest) = rest.split_at_checked(spikes).context(short)?;
    let (indices, labels) = rest.split_at_checked(spikes).context(short)?;
    let times = times.iter().map(|&bits| f32::from_bits(bits)).collect();
    let offsets = std::iter::once(0).chain(ends.iter().map(|&end| end as usize)).collect();
    let all = SpikeBatch::from_parts(offsets, times, indices.to_vec())?;
    let batches = (0..all.len()).step_by(BATCH).map(|first| {
        let samples = first..all.len().min(first + BATCH);
        let mut spikes = SpikeBatch::new();
        samples.clone().for_each(|sample| spikes.push_train(all.get(sample)));
        (spikes, labels[samples].to_vec())
    });
    Ok(batches.collect())
}

/// The run that is counted: `passes` times over the samples in `file`, one thread, at learning rate 0
/// so that every pass does the same.
///
/// # Errors
/// If the file is not right or the engine fails.
pub fn train(preset: &str, file: &Path, passes: u32) -> Result<()> {
    let mut config = Config::preset(preset)?;
    config.training.batch_size = BATCH;
    let workload = Workload::new(config, import(&fs::read(file)?)?)?;
    let mut engine = workload.engine(1)?;
    for _ in 0..passes {
        for batch in 0..workload.batches() {
            engine.train_step(workload.batch(batch), 0.0)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn totals_are_found() {
        assert_eq!(total("events: Ir\nfn=(1)\n1 2\ntotals: 1234\n"), Some(1234));
        assert_eq!(total("summary: 77\n"), Some(77));
        assert_eq!(total("events: Ir\n"), None);
    }

    #[test]
    fn samples_survive_the_file() {
        let batches = import(&export("mnist-paper").unwrap()).unwrap();
        let config = Config::preset("mnist-paper").unwrap();
        let samples = Data::load(&config).unwrap().train;
        assert_eq!(batches.len(), SAMPLES / BATCH);
        for (batch, (spikes, labels)) in batches.iter().enumerate() {
            for (position, train) in spikes.iter().enumerate() {
                assert_eq!(train, samples.spikes(batch * BATCH + position));
                assert_eq!(labels[position], samples.label(batch * BATCH + position));
            }
        }
    }
}
