use crate::checkpoint::{Checkpoint, CheckpointError, write_atomically};
use crate::config::Config;
use crate::metrics::EpochRecord;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use time::OffsetDateTime;

/// Where a run is written: `config.toml`, `metrics.jsonl`, `metrics.csv`, `checkpoint.safetensors`.
///
/// Each file is replaced in one piece, so that a run killed at any moment leaves whole files.
#[derive(Clone, Debug)]
pub struct RunFolder {
    path: PathBuf,
}

/// A run folder that cannot be made or written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write run folder {path}: {source}; choose another place", path = path.display())]
pub struct RunFolderError {
    /// The folder or the file in it.
    pub path: PathBuf,
    /// Why.
    pub source: io::Error,
}

impl RunFolder {
    /// Makes `<parent>/<date>-<name>-<n>`, n the first number that is free, writes `config.toml` there
    /// and points `<parent>/latest` to it.
    ///
    /// # Errors
    /// If a folder or a file cannot be made.
    pub fn create(parent: &Path, config: &Config) -> Result<Self, RunFolderError> {
        let at = |path: &Path| {
            let path = path.to_path_buf();
            move |source| RunFolderError { path, source }
        };
        fs::create_dir_all(parent).map_err(at(parent))?;
        let prefix = format!("{}-{}", OffsetDateTime::now_utc().date(), config.name);
        let name = first_free(parent, &prefix).map_err(at(parent))?;
        let path = parent.join(&name);
        write_atomically(&path.join("config.toml"), config.to_toml().as_bytes())
            .map_err(at(&path))?;
        point_latest(parent, &name).map_err(at(&parent.join("latest")))?;
        Ok(Self { path })
    }

    /// The folder of a run that was started before.
    pub fn existing(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where its checkpoint is.
    pub fn checkpoint(&self) -> PathBuf {
        self.path.join("checkpoint.safetensors")
    }

    /// Writes a checkpoint, and the metrics of the epochs it has behind it.
    ///
    /// # Errors
    /// If a file cannot be written; the former one is then still there.
    pub fn save(&self, checkpoint: &Checkpoint) -> Result<(), CheckpointError> {
        let history = &checkpoint.progress.history;
        let json = history.iter().map(|record| record.to_json() + "\n").collect::<String>();
        self.write("metrics.jsonl", json)?;
        if let Some(first) = history.first() {
            let rows = history.iter().map(EpochRecord::to_csv);
            let lines = std::iter::once(first.csv_header()).chain(rows);
            self.write("metrics.csv", lines.map(|line| line + "\n").collect())?;
        }
        checkpoint.save(&self.checkpoint())
    }

    fn write(&self, name: &str, text: String) -> Result<(), CheckpointError> {
        let path = self.path.join(name);
        write_atomically(&path, text.as_bytes())
            .map_err(|source| CheckpointError::Write { path, source })
    }
}

/// Makes the first folder `<prefix>-<n>` that does not exist: making it is what claims the number.
fn first_free(parent: &Path, prefix: &str) -> io::Result<String> {
    let mut number = 1_u32;
    loop {
        let name = format!("{prefix}-{number}");
        match fs::create_dir(parent.join(&name)) {
            Ok(()) => return Ok(name),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => number += 1,
            Err(error) => return Err(error),
        }
    }
}

#[cfg(unix)]
fn point_latest(parent: &Path, name: &str) -> io::Result<()> {
    // A link cannot be replaced in place: made under the run's own name, it is renamed over the old.
    let link = parent.join(format!(".latest-{name}"));
    std::os::unix::fs::symlink(name, &link)?;
    fs::rename(&link, parent.join("latest")).inspect_err(|_| {
        let _ = fs::remove_file(&link);
    })
}

#[cfg(not(unix))]
fn point_latest(_parent: &Path, _name: &str) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_numbered_and_latest_follows() {
        let parent = tempfile::tempdir().unwrap();
        let config = Config::preset("mnist").unwrap();
        let first = RunFolder::create(parent.path(), &config).unwrap();
        let second = RunFolder::create(parent.path(), &config).unwrap();
        assert!(first.path().to_string_lossy().ends_with("-mnist-1"));
        assert!(second.path().to_string_lossy().ends_with("-mnist-2"));
        let latest = fs::canonicalize(parent.path().join("latest")).unwrap();
        assert_eq!(latest, fs::canonicalize(second.path()).unwrap());
        let text = fs::read_to_string(latest.join("config.toml")).unwrap();
        assert_eq!(Config::parse(&text, "config.toml").unwrap(), config);
    }

    #[test]
    fn a_file_in_the_way_is_an_error() {
        let parent = tempfile::tempdir().unwrap();
        let file = parent.path().join("file");
        fs::write(&file, "here").unwrap();
        let error = RunFolder::create(&file, &Config::preset("mnist").unwrap()).unwrap_err();
        assert!(error.to_string().contains("file"), "{error}");
    }
}
