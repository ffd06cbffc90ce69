use std::io;
use std::path::{Path, PathBuf};

/// What is wrong with which file of events.
#[derive(Debug, thiserror::Error)]
#[error("{}: {problem}", path.display())]
pub struct EventError {
    /// The file or folder.
    pub path: PathBuf,
    /// What is wrong with it.
    #[source]
    pub problem: EventProblem,
}

/// What is wrong with a file of events, and what to do about it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EventProblem {
    /// A data set that is not part of this crate is not there.
    #[error("not found; it belongs to {name}: fetch it from {url} and unpack it there")]
    Missing {
        /// The data set.
        name: &'static str,
        /// Where it is published.
        url: &'static str,
    },
    /// The operating system says so.
    #[error("cannot be read: {0}")]
    Io(#[from] io::Error),
    /// The contents are not what they should be.
    #[error("{0}; is it another kind of file? Otherwise fetch it again")]
    Format(String),
}

impl EventProblem {
    pub(super) fn of(self, path: &Path) -> EventError {
        EventError { path: path.to_owned(), problem: self }
    }
}

/// A published data set.
pub(super) struct Published {
    pub(super) name: &'static str,
    pub(super) url: &'static str,
}

impl Published {
    /// The contents of a file of the data set.
    pub(super) fn read(&self, path: &Path) -> Result<Vec<u8>, EventError> {
        std::fs::read(path).map_err(|error| self.explain(error).of(path))
    }

    /// The files in a folder of the data set, by name.
    pub(super) fn list(&self, folder: &Path) -> Result<Vec<PathBuf>, EventError> {
        let entries = std::fs::read_dir(folder).map_err(|error| self.explain(error).of(folder))?;
        let paths: Result<Vec<_>, _> = entries.map(|entry| entry.map(|e| e.path())).collect();
        let mut paths = paths.map_err(|error| EventProblem::Io(error).of(folder))?;
        paths.sort();
        Ok(paths)
    }

    pub(super) fn missing(&self) -> EventProblem {
        EventProblem::Missing { name: self.name, url: self.url }
    }

    fn explain(&self, error: io::Error) -> EventProblem {
        match error.kind() {
            io::ErrorKind::NotFound => self.missing(),
            _ => EventProblem::Io(error),
        }
    }
}
