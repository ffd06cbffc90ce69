use lif_core::DescriptionError;
use mnist_spikes::EncodingError;
use mnist_spikes::augment::AugmentationError;
use mnist_spikes::events::{CameraError, EventError};
use mnist_spikes::folder::FolderError;

/// Why data cannot be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// Files of images cannot be read or are no data set.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// Files of events cannot be read or are no data set.
    #[error(transparent)]
    Events(#[from] EventError),
    /// The encoding is invalid.
    #[error(transparent)]
    Encoding(#[from] EncodingError),
    /// The simulated event camera cannot see the images.
    #[error(transparent)]
    Camera(#[from] CameraError),
    /// The augmentation is invalid.
    #[error(transparent)]
    Augmentation(#[from] AugmentationError),
    /// The data do not fit the rest of the configuration.
    #[error(transparent)]
    Description(#[from] DescriptionError),
}
