use std::path::{Path, PathBuf};

/// Why a checkpoint cannot be written or used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// The file cannot be read.
    #[error("cannot read checkpoint {path}: {source}", path = path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file cannot be written.
    #[error("cannot write checkpoint {path}: {source}", path = path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// What would be written could not be read: a tensor holds something that is no number.
    #[error(
        "nothing was written to {path}: {tensor} holds a value that is not finite; a lower learning rate or training.clip may help",
        path = path.display()
    )]
    NotFinite {
        /// The file.
        path: PathBuf,
        /// The tensor.
        tensor: String,
    },
    /// The bytes are no checkpoint.
    #[error("this is no usable checkpoint: {0}")]
    Broken(String),
    /// A program newer than this one wrote it.
    #[error(
        "the checkpoint has format version {found}, this program reads 1 to {known}; use the program that wrote it"
    )]
    Version {
        /// The file's version.
        found: u32,
        /// The newest version known.
        known: u32,
    },
    /// It holds another network than the one it should serve.
    #[error("the checkpoint is of another network: {0}")]
    OtherNetwork(String),
    /// One of the others, with the file it is about.
    #[error("{path}: {source}", path = path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: Box<CheckpointError>,
    },
}

impl CheckpointError {
    pub(super) fn at(self, path: &Path) -> Self {
        Self::File { path: path.into(), source: Box::new(self) }
    }
}
