//! Image sets in a folder, under the names MNIST's files have, plain or gzipped.
//!
//! A set is four files: `train-images-idx3-ubyte`, `train-labels-idx1-ubyte` and the same with `t10k`
//! (or `test`); `.` may stand before `idx`, `.gz` at the end, and a name in front of it all
//! (`emnist-letters-train-images-idx3-ubyte.gz`). MNIST, Fashion-MNIST, KMNIST and EMNIST come so.

use crate::idx::{self, IdxError, Images};
use crate::images::{ImageError, ImageSet, TrainTest};
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

/// The files of an image set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Files {
    /// Images to train on.
    pub train_images: PathBuf,
    /// Their labels.
    pub train_labels: PathBuf,
    /// Images to test on.
    pub test_images: PathBuf,
    /// Their labels.
    pub test_labels: PathBuf,
}

/// Finds and reads the set in `folder` (see [`find`]).
///
/// EMNIST's images lie on their side: see [`TrainTest::transposed`] and
/// [`Published`](crate::Published).
///
/// # Errors
/// If it is not there, not whole, or its files are not right.
pub fn load(folder: &Path, name: Option<&str>) -> Result<TrainTest, FolderError> {
    read(&find(folder, name)?)
}

/// Reads the four files of a set. There are as many classes as the largest label of the training set
/// says.
///
/// # Errors
/// If a file is not right, images and labels differ in number, images of the two halves in size, or
/// a test label is larger than all training labels.
pub fn read(files: &Files) -> Result<TrainTest, FolderError> {
    let train = read_half(&files.train_images, &files.train_labels, None)?;
    let test = read_half(&files.test_images, &files.test_labels, Some(train.classes()))?;
    let size = |set: &ImageSet| (set.height(), set.width());
    if size(&train) != size(&test) {
        let (train, test) = (size(&train), size(&test));
        return Err(FolderError::Sizes { path: files.test_images.clone(), train, test });
    }
    Ok(TrainTest { train, test })
}

/// Reads a file of images and the file of their labels. Without `classes` there are as many as the
/// largest label says.
///
/// # Errors
/// If a file is not right, they differ in number, or a label is not below `classes`.
pub fn read_half(
    images: &Path,
    labels: &Path,
    classes: Option<usize>,
) -> Result<ImageSet, FolderError> {
    let Images { pixels, count, height, width } = idx::images(images)?;
    let label_bytes = idx::labels(labels)?;
    if label_bytes.len() != count {
        return Err(FolderError::Counts {
            images_path: images.to_owned(),
            labels_path: labels.to_owned(),
            images: count,
            labels: label_bytes.len(),
        });
    }
    let largest = label_bytes.iter().copied().max().map_or(0, usize::from);
    let label_values = label_bytes.into_iter().map(u32::from).collect();
    ImageSet::new(pixels, height, width, label_values, classes.unwrap_or(largest + 1))
        .map_err(|problem| FolderError::Set { path: labels.to_owned(), problem })
}

/// Finds the set called `name` in `folder`: `emnist-letters`, say. Without a name: the one whose
/// files bear none, or else the only one.
///
/// # Errors
/// If the folder cannot be read, a file of the set is missing, or there are several sets to choose
/// from.
pub fn find(folder: &Path, name: Option<&str>) -> Result<Files, FolderError> {
    let mut sets = sets(folder)?;
    let chosen = match name {
        Some(name) => name.to_owned(),
        None if sets.contains_key("") || sets.is_empty() => String::new(),
        None if sets.len() == 1 => sets.keys().next().cloned().unwrap_or_default(),
        None => {
            let names = sets.into_keys().collect::<Vec<_>>().join(", ");
            return Err(FolderError::Several { folder: folder.to_owned(), names });
        }
    };
    let mut found = sets.remove(&chosen).unwrap_or_default();
    let prefix = if chosen.is_empty() { chosen } else { format!("{chosen}-") };
    let mut take = |half: &str, kind: &str, dimensions: u8| {
        found.remove(&(half.to_owned(), kind.to_owned())).ok_or_else(|| FolderError::Missing {
            folder: folder.to_owned(),
            name: format!("{prefix}{half}-{kind}-idx{dimensions}-ubyte"),
        })
    };
    Ok(Files {
        train_images: take("train", "images", 3)?,
        train_labels: take("train", "labels", 1)?,
        test_images: take("t10k", "images", 3)?,
        test_labels: take("t10k", "labels", 1)?,
    })
}

/// The files of one set by (half, kind).
type Found = BTreeMap<(String, String), PathBuf>;

/// What of image sets is in a folder, by name.
fn sets(folder: &Path) -> Result<BTreeMap<String, Found>, FolderError> {
    let unreadable = |error| FolderError::Folder { folder: folder.to_owned(), error };
    let mut sets: BTreeMap<String, Found> = BTreeMap::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let Some((set, half, kind)) = entry.file_name().to_str().and_then(parse) else { continue };
        let path = entry.path();
        let files = sets.entry(set).or_default();
        // Where a file is there plain and gzipped, the plain one (the shorter name) is taken.
        let file = files.entry((half, kind)).or_insert_with(|| path.clone());
        if path.as_os_str().len() < file.as_os_str().len() {
            *file = path;
        }
    }
    Ok(sets)
}

/// Name of the set, half and kind of a file.
fn parse(file: &str) -> Option<(String, String, String)> {
    let stem = file.strip_suffix(".gz").unwrap_or(file).strip_suffix("-ubyte")?;
    let (stem, kind) =
        [("images", "idx3"), ("labels", "idx1")].iter().find_map(|(kind, idx)| {
            let stem = stem.strip_suffix(idx)?.strip_suffix(['-', '.'])?;
            Some((stem.strip_suffix(kind)?.strip_suffix('-')?, kind))
        })?;
    let (set, half) = stem.rsplit_once('-').unwrap_or(("", stem));
    let half = match half {
        "train" => "train",
        "t10k" | "test" => "t10k",
        _ => return None,
    };
    Some((set.to_owned(), half.to_owned(), (*kind).to_owned()))
}

/// Why no set could be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FolderError {
    /// The folder cannot be listed.
    #[error("{}: cannot be read: {error}; give the folder that holds the IDX files", folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// A file is not there.
    #[error(
        "{}: looked for {name} or {name}.gz and found neither; MNIST's four files are train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte and t10k-labels-idx1-ubyte",
        folder.display()
    )]
    Missing {
        /// The folder.
        folder: PathBuf,
        /// The file's name.
        name: String,
    },
    /// A published set is not there.
    #[error("{name} {place}: {package}fetch it from {url} and give its folder")]
    NotThere {
        /// The set.
        name: &'static str,
        /// Where it is published.
        url: &'static str,
        /// Where it was looked for.
        place: String,
        /// What else would bring it.
        package: String,
    },
    /// It is not clear which set is meant.
    #[error("{}: holds several sets ({names}); name one of them", folder.display())]
    Several {
        /// The folder.
        folder: PathBuf,
        /// Their names.
        names: String,
    },
    /// A file is not right.
    #[error(transparent)]
    File(#[from] IdxError),
    /// Not as many labels as images.
    #[error(
        "{} holds {images} images, {} {labels} labels: they do not belong together",
        images_path.display(), labels_path.display()
    )]
    Counts {
        /// The file of images.
        images_path: PathBuf,
        /// The file of labels.
        labels_path: PathBuf,
        /// The number of images.
        images: usize,
        /// The number of labels.
        labels: usize,
    },
    /// Labels or sizes do not make a set.
    #[error("{}: {problem}", path.display())]
    Set {
        /// The file of labels.
        path: PathBuf,
        /// What is wrong.
        problem: ImageError,
    },
    /// The two halves differ in the size of their images.
    #[error(
        "{}: its images are {} x {}, those to train on {} x {}: they do not belong together",
        path.display(), test.0, test.1, train.0, train.1
    )]
    Sizes {
        /// The file of test images.
        path: PathBuf,
        /// Height and width of the training images.
        train: (usize, usize),
        /// Height and width of the test images.
        test: (usize, usize),
    },
}
