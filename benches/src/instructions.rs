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

/// Training steps that are counted, on the first samples of a data set.
pub struct Counted {
    /// Its name in the file of bounds.
    pub name: &'static str,
    preset: &'static str,
    batch_size: usize,
    /// Samples of a pass.
    samples: usize,
    /// What differs from the preset.
    change: fn(&mut Config),
}

/// What is counted: each engine, and the dense one where other parts of it weigh most.
pub static COUNTED: [Counted; 5] = [
    Counted {
        name: "mnist-64",
        preset: "mnist-paper",
        batch_size: 64,
        samples: 128,
        change: |_| (),
    },
    Counted { name: "mnist-5", preset: "mnist-paper", batch_size: 5, samples: 40, change: |_| () },
    Counted {
        name: "yin-yang-32",
        preset: "yin-yang",
        batch_size: 32,
        samples: 640,
        change: |_| (),
    },
    Counted {
        name: "general-16",
        preset: "mnist-paper",
        batch_size: 16,
        samples: 16,
        // What the dense engine refuses.
        change: |config| config.network.layers[1].refractory = Some(1.0),
    },
    Counted { name: "seed-128", preset: "seed", batch_size: 128, samples: 1280, change: |_| () },
];

/// What a new bound allows over what was measured: other versions of the compiler and of the C
/// library differ by less.
const MARGIN: f64 = 1.03;

/// Keeps the C library from clearing and copying memory by the processor's repeated store, of which
/// every byte counts as an instruction: whether the compiler calls it or writes a loop would weigh more than all
/// that is to be seen.
const NO_REPEATED_STORES: &str =
    "glibc.cpu.x86_rep_stosb_threshold=1073741824:glibc.cpu.x86_rep_movsb_threshold=1073741824";

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

/// The bounds by workload.
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
        .map(|&(name, measured)| {
            let bound = (measured as f64 * MARGIN) as u64;
            (name.to_owned(), Bound { bound, measured, date: date.to_owned() })
        })
        .collect();
    let text = format!(
        "# Instructions a training sample, at most: x86-64-v3, one thread. The number in a name is the batch.\n\
         # `cargo xtask bench --instructions` counts them and fails above a bound; with --accept it writes\n\
         # this file anew.\n\n{}",
        toml::to_string(&bounds)?
    );
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

impl Counted {
    /// The workload called `name`.
    ///
    /// # Errors
    /// If there is none.
    pub fn named(name: &str) -> Result<&'static Self> {
        COUNTED.iter().find(|workload| workload.name == name).context("no such workload")
    }

    /// Instructions a training sample, counted in `program`, which calls [`train`](Self::train) when
    /// given the arguments `pass NAME FILE PASSES`.
    ///
    /// # Errors
    /// If there is no valgrind, or the program fails under it.
    pub fn count(&self, program: &Path) -> Result<u64> {
        let folder = tempfile::tempdir().context("cannot make a temporary folder")?;
        let samples = folder.path().join("samples");
        fs::write(&samples, self.export()?).context("cannot write the samples")?;
        let counted = |passes: u32| self.callgrind(program, &samples, passes, folder.path());
        let difference =
            counted(2)?.checked_sub(counted(1)?).context("two passes cost less than one")?;
        Ok(difference / self.samples as u64)
    }

    fn callgrind(&self, program: &Path, samples: &Path, passes: u32, folder: &Path) -> Result<u64> {
        let counts = folder.join("counts");
        let mut option = std::ffi::OsString::from("--callgrind-out-file=");
        option.push(&counts);
        let output = Command::new("valgrind")
            .env("GLIBC_TUNABLES", NO_REPEATED_STORES)
            .args(["--tool=callgrind", "--quiet"])
            .arg(option)
            .arg(program)
            .args(["pass", self.name])
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

    /// The run that is counted: `passes` times over the samples in `file`, one thread, at learning
    /// rate 0 so that every pass does the same.
    ///
    /// # Errors
    /// If the file is not right or the engine fails.
    pub fn train(&self, file: &Path, passes: u32) -> Result<()> {
        let batches = import(&fs::read(file)?, self.batch_size)?;
        let workload = Workload::new(self.config()?, batches)?;
        let mut engine = workload.engine(1)?;
        for _ in 0..passes {
            for batch in 0..workload.batches() {
                engine.train_step(workload.batch(batch), 0.0)?;
            }
        }
        Ok(())
    }

    fn config(&self) -> Result<Config> {
        let mut config = Config::preset(self.preset)?;
        (self.change)(&mut config);
        config.training.batch_size = self.batch_size;
        Ok(config)
    }

    /// The first samples of the preset's data, as they are passed to the counted program: decoding
    /// MNIST there would take longer than all else. The number of samples, where each ends, times,
    /// indices, labels; 32 bits each.
    fn export(&self) -> Result<Vec<u8>> {
        let samples = Data::load(&self.config()?)?.train;
        let mut words = vec![self.samples as u32];
        let trains = || (0..self.samples).map(|sample| samples.spikes(sample));
        words.extend(trains().scan(0, |end, train| {
            *end += train.len() as u32;
            Some(*end)
        }));
        trains().for_each(|train| words.extend(train.times().iter().map(|time| time.to_bits())));
        trains().for_each(|train| words.extend(train.indices()));
        words.extend((0..self.samples).map(|sample| samples.label(sample)));
        Ok(words.into_iter().flat_map(u32::to_le_bytes).collect())
    }
}

/// The instructions of a file of callgrind's.
fn total(text: &str) -> Option<u64> {
    let line = |name: &str| text.lines().rev().find_map(|line| line.strip_prefix(name));
    line("totals:").or_else(|| line("summary:"))?.trim().parse().ok()
}

/// What [`Counted::export`] wrote, in batches.
fn import(bytes: &[u8], batch_size: usize) -> Result<Vec<(SpikeBatch<f32>, Vec<u32>)>> {
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
    let batches = (0..all.len()).step_by(batch_size).map(|first| {
        let samples = first..all.len().min(first + batch_size);
        let mut spikes = SpikeBatch::new();
        samples.clone().for_each(|sample| spikes.push_train(all.get(sample)));
        (spikes, labels[samples].to_vec())
    });
    Ok(batches.collect())
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
        for workload in &COUNTED {
            let size = workload.batch_size;
            let batches = import(&workload.export().unwrap(), size).unwrap();
            let samples = Data::load(&workload.config().unwrap()).unwrap().train;
            assert_eq!(batches.len(), workload.samples / size);
            for (batch, (spikes, labels)) in batches.iter().enumerate() {
                for (position, train) in spikes.iter().enumerate() {
                    assert_eq!(train, samples.spikes(batch * size + position));
                    assert_eq!(labels[position], samples.label(batch * size + position));
                }
            }
        }
    }

    #[test]
    fn every_workload_has_a_bound() {
        let bounds = read_bounds(&crate::root().join("benches/instructions.toml")).unwrap();
        let mut names: Vec<&str> = COUNTED.iter().map(|workload| workload.name).collect();
        names.sort_unstable();
        assert_eq!(bounds.keys().collect::<Vec<_>>(), names);
        assert!(bounds.values().all(|bound| bound.measured > 0 && bound.measured <= bound.bound));
    }
}
