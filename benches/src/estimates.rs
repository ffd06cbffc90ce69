//! What criterion measured, as it wrote it down.

use anyhow::{Context, Result};
use serde::Deserialize;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The results of a run of the benchmarks.
pub struct Estimates {
    folder: PathBuf,
}

/// The file where the use of the machine is noted.
const USE: &str = "machine-in-use";

/// The part of criterion's file that is wanted.
#[derive(Deserialize)]
struct File {
    median: Estimate,
}

#[derive(Deserialize)]
struct Estimate {
    /// In nanoseconds.
    point_estimate: f64,
}

impl Estimates {
    /// Those in criterion's folder `folder`.
    pub fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    /// Notes beside the results how much of the machine others used before the benchmarks.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn note_use(&self, share: f64) -> Result<()> {
        fs::create_dir_all(&self.folder)?;
        Ok(fs::write(self.folder.join(USE), share.to_string())?)
    }

    /// What [`note_use`](Self::note_use) noted.
    pub fn noted_use(&self) -> Option<f64> {
        fs::read_to_string(self.folder.join(USE)).ok()?.parse().ok()
    }

    /// The median time of an iteration of the benchmark `group/function/value`.
    ///
    /// # Errors
    /// If it was not run.
    pub fn median(&self, group: &str, function: &str, value: &str) -> Result<Duration> {
        let path: PathBuf = [group, function, value, "new", "estimates.json"].iter().collect();
        let path = self.folder.join(path);
        let text = fs::read_to_string(&path)
            .with_context(|| format!("no result of {group}/{function}/{value}"))?;
        let file: File = serde_json::from_str(&text)
            .with_context(|| format!("{} is not what criterion writes", path.display()))?;
        Ok(Duration::from_secs_f64(file.median.point_estimate * 1e-9))
    }

    /// [`median`](Self::median) in seconds.
    ///
    /// # Errors
    /// If it was not run.
    pub fn seconds(&self, group: &str, function: &str, value: &str) -> Result<f64> {
        Ok(self.median(group, function, value)?.as_secs_f64())
    }
}
