use crate::checkpoint::{
    Checkpoint, CheckpointError, TEMPORARY, write_atomically, write_atomically_with,
};
use crate::config::Config;
use crate::metrics::EpochRecord;
use crate::tensorboard::event_file;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::UNIX_EPOCH;
use time::OffsetDateTime;

/// The event file. TensorBoard looks for the second and third part of its name.
const EVENTS: &str = "events.out.tfevents.eventprop";

/// Where a run is written: `config.toml`, `metrics.jsonl`, `metrics.csv`, `log.txt`,
/// `checkpoint.safetensors`, and with the feature `plot` `curves.svg` and `confusion.svg`; if asked,
/// an event file for TensorBoard.
///
/// Each file is replaced in one piece, so that a run killed at any moment leaves whole files, and
/// each is a function of the checkpoint, so that a resumed run puts right what the killed one left.
/// The folder stays locked as long as this value lives.
#[derive(Debug)]
pub struct RunFolder {
    path: PathBuf,
    /// The [`fingerprint`] of the epochs that the metrics on the disk are known to hold.
    written: AtomicU64,
    /// Holds the lock; none where the file system has no locks.
    _lock: Option<File>,
}

/// A run folder that cannot be made, opened or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunFolderError {
    /// The folder or a file in it cannot be made.
    #[error("cannot write run folder {path}: {source}; choose another place", path = path.display())]
    Write {
        /// The folder or the file in it.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The folder cannot be read.
    #[error("cannot open run folder {path}: {source}", path = path.display())]
    Open {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Where the link to the latest run is put lies something else.
    #[error("{path} is in the way: the link to the latest run goes there; move it away", path = path.display())]
    InTheWay {
        /// What lies there.
        path: PathBuf,
    },
    /// Another training writes to it.
    #[error("run folder {path} is in use: another training writes to it", path = path.display())]
    InUse {
        /// The folder.
        path: PathBuf,
    },
}

impl RunFolder {
    /// Makes `<parent>/<date>-<name>-<n>`, n the first number that is free, writes `config.toml` there
    /// and points `<parent>/latest` to it.
    ///
    /// # Errors
    /// If a folder or a file cannot be made; if `<parent>/latest` is no link.
    pub fn create(parent: &Path, config: &Config) -> Result<Self, RunFolderError> {
        let latest = parent.join("latest");
        if cfg!(unix) && fs::symlink_metadata(&latest).is_ok_and(|there| !there.is_symlink()) {
            return Err(RunFolderError::InTheWay { path: latest });
        }
        let at = |path: &Path| {
            let path = path.to_path_buf();
            move |source| RunFolderError::Write { path, source }
        };
        fs::create_dir_all(parent).map_err(at(parent))?;
        let prefix = format!("{}-{}", OffsetDateTime::now_utc().date(), config.name);
        let name = first_free(parent, &prefix).map_err(at(parent))?;
        let path = parent.join(&name);
        let _lock = lock(&path)?;
        write_atomically(&path.join("config.toml"), config.to_toml().as_bytes())
            .map_err(at(&path))?;
        point_latest(parent, &name).map_err(at(&latest))?;
        Ok(Self { path, written: AtomicU64::new(UNKNOWN), _lock })
    }

    /// Opens the folder of a run that was started before, and clears away what a killed training left
    /// half written.
    ///
    /// # Errors
    /// If it cannot be read, or a training that still runs writes to it.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, RunFolderError> {
        let path = path.into();
        let _lock = lock(&path)?;
        sweep(&path).map_err(|source| RunFolderError::Open { path: path.clone(), source })?;
        Ok(Self { path, written: AtomicU64::new(UNKNOWN), _lock })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where its checkpoint is.
    pub fn checkpoint(&self) -> PathBuf {
        self.path.join("checkpoint.safetensors")
    }

    /// Where its configuration is.
    pub fn config(&self) -> PathBuf {
        self.path.join("config.toml")
    }

    /// From the next [`save`](Self::save) on there is an event file for TensorBoard. Where there is
    /// one it is kept up without this call.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn write_tensorboard(&self) -> Result<(), CheckpointError> {
        let path = self.path.join(EVENTS);
        match OpenOptions::new().create(true).append(true).open(&path) {
            Ok(_) => {
                self.written.store(UNKNOWN, Ordering::Relaxed);
                Ok(())
            }
            Err(source) => Err(CheckpointError::Write { path, source }),
        }
    }

    /// Writes a checkpoint, and the metrics and the log of the epochs it has behind it.
    ///
    /// # Errors
    /// If a file cannot be written; the former one is then still there.
    pub fn save(&self, checkpoint: &Checkpoint) -> Result<(), CheckpointError> {
        let history = &checkpoint.progress.history;
        // Most checkpoints lie within an epoch, and nothing has changed here.
        let epochs = fingerprint(history);
        if self.written.load(Ordering::Relaxed) != epochs {
            self.write_metrics(history, checkpoint.config.training.epochs)?;
            self.written.store(epochs, Ordering::Relaxed);
        }
        // Last: whatever it counts as done, the others have.
        checkpoint.save(&self.checkpoint())
    }

    /// The epochs line by line: a long history is never in memory as text.
    fn write_metrics(&self, history: &[EpochRecord], epochs: u32) -> Result<(), CheckpointError> {
        type Line<'a> = &'a dyn Fn(&EpochRecord) -> String;
        let header = history.first().map(EpochRecord::csv_header);
        let files: [(&str, Option<String>, Line<'_>); 3] = [
            ("metrics.jsonl", None, &EpochRecord::to_json),
            ("metrics.csv", header, &EpochRecord::to_csv),
            ("log.txt", None, &|record| record.summary(epochs)),
        ];
        for (name, header, line) in files {
            let path = self.path.join(name);
            let lines = header.into_iter().chain(history.iter().map(line));
            write_atomically_with(&path, |file| {
                lines.into_iter().try_for_each(|line| writeln!(file, "{line}"))
            })
            .map_err(|source| CheckpointError::Write { path, source })?;
        }
        self.grow_events(history)?;
        #[cfg(feature = "plot")]
        self.draw_curves(history)?;
        Ok(())
    }

    /// Draws what the network takes for what. Call it before [`save`](Self::save): what a checkpoint
    /// counts as done is then there.
    ///
    /// # Errors
    /// If the file cannot be written.
    #[cfg(feature = "plot")]
    pub fn draw_confusion(&self, evaluation: &crate::Evaluation) -> Result<(), CheckpointError> {
        match crate::plot::confusion(&evaluation.confusion) {
            Ok(svg) => self.write("confusion.svg", svg),
            Err(_) => Ok(()),
        }
    }

    #[cfg(feature = "plot")]
    fn draw_curves(&self, history: &[EpochRecord]) -> Result<(), CheckpointError> {
        // Without an epoch there is nothing to draw.
        match crate::plot::curves(&[crate::plot::Curve { name: "", history }]) {
            Ok(svg) => self.write("curves.svg", svg),
            Err(_) => Ok(()),
        }
    }

    /// TensorBoard keeps the file open: it is appended to as long as what it holds is right.
    fn grow_events(&self, history: &[EpochRecord]) -> Result<(), CheckpointError> {
        let path = self.path.join(EVENTS);
        let Ok(old) = fs::read(&path) else { return Ok(()) };
        let start = fs::metadata(self.config()).and_then(|config| config.modified());
        let start = start.ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        let new = event_file(start.unwrap_or_default().as_secs_f64(), history);
        let written = match new.strip_prefix(old.as_slice()) {
            Some([]) => Ok(()),
            Some(more) => OpenOptions::new()
                .append(true)
                .open(&path)
                .and_then(|mut file| file.write_all(more).and_then(|()| file.sync_all())),
            None => write_atomically(&path, &new),
        };
        written.map_err(|source| CheckpointError::Write { path, source })
    }

    #[cfg(feature = "plot")]
    fn write(&self, name: &str, text: String) -> Result<(), CheckpointError> {
        let path = self.path.join(name);
        if fs::read(&path).is_ok_and(|old| old == text.as_bytes()) {
            return Ok(());
        }
        write_atomically(&path, text.as_bytes())
            .map_err(|source| CheckpointError::Write { path, source })
    }
}

/// No [`fingerprint`].
const UNKNOWN: u64 = 0;

/// Tells one history of epochs from another.
fn fingerprint(history: &[EpochRecord]) -> u64 {
    let mut hash = DefaultHasher::new();
    history.iter().for_each(|record| record.to_json().hash(&mut hash));
    hash.finish().max(UNKNOWN + 1)
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

/// Locks the folder against a second training. The system lets go of it with the process, however
/// that ends.
fn lock(folder: &Path) -> Result<Option<File>, RunFolderError> {
    let path = folder.to_path_buf();
    if !cfg!(unix) {
        // A folder cannot be opened as a file there.
        return Ok(None);
    }
    let file =
        File::open(folder).map_err(|source| RunFolderError::Open { path: path.clone(), source })?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Err(RunFolderError::InUse { path }),
        Err(TryLockError::Error(_)) => Ok(None),
    }
}

/// Removes the temporary files of a training that was killed while it wrote.
fn sweep(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(TEMPORARY) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
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

    #[cfg(unix)]
    #[test]
    fn what_is_no_link_is_not_replaced_by_one() {
        let parent = tempfile::tempdir().unwrap();
        let latest = parent.path().join("latest");
        let create = || RunFolder::create(parent.path(), &Config::preset("mnist").unwrap());
        fs::write(&latest, "mine").unwrap();
        let error = create().unwrap_err().to_string();
        assert!(error.ends_with("move it away"), "{error}");
        fs::remove_file(&latest).unwrap();
        fs::create_dir(&latest).unwrap();
        create().unwrap_err();
        assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 1, "a folder was left behind");
        fs::remove_dir(&latest).unwrap();
        create().unwrap();
    }

    #[cfg(unix)]
    #[test]
    fn one_training_at_a_time_and_leftovers_are_cleared_away() {
        let parent = tempfile::tempdir().unwrap();
        let run = RunFolder::create(parent.path(), &Config::preset("mnist").unwrap()).unwrap();
        let path = run.path().to_path_buf();
        let error = RunFolder::open(&path).unwrap_err();
        assert!(matches!(error, RunFolderError::InUse { .. }), "{error}");
        drop(run);
        fs::write(path.join(format!("{TEMPORARY}abc")), "half a check").unwrap();
        let run = RunFolder::open(&path).unwrap();
        let names: Vec<_> =
            fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, ["config.toml"]);
        assert!(run.config().exists() && !run.checkpoint().exists());
    }
}
