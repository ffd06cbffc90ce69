//! The IDX format of MNIST's files, plain or gzipped.
//!
//! A file is two zero bytes, a byte for the element type (8: unsigned byte), a byte for the number of
//! dimensions (3 for images, 1 for labels), each dimension as a big-endian `u32`, and the elements.
//!
//! What a header claims is never trusted: memory grows with the bytes that really come, reading stops
//! where the header's own count is reached, and nothing above [`MAX_BYTES`] is read at all.

use flate2::read::MultiGzDecoder;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

/// The most bytes of elements that are read from one file: 4 GiB, seven times the largest set in use
/// (EMNIST by class).
pub const MAX_BYTES: u64 = 1 << 32;

/// Images as a file holds them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Images {
    /// `[image][row][column]`.
    pub pixels: Vec<u8>,
    /// The number of images.
    pub count: usize,
    /// The rows of each.
    pub height: usize,
    /// The columns of each.
    pub width: usize,
}

/// Reads a file of images.
///
/// # Errors
/// If the file cannot be read or is not one of images.
pub fn images(path: &Path) -> Result<Images, IdxError> {
    read_images(open(path)?).map_err(|problem| problem.of(path))
}

/// Reads a file of labels.
///
/// # Errors
/// If the file cannot be read or is not one of labels.
pub fn labels(path: &Path) -> Result<Vec<u8>, IdxError> {
    read_labels(open(path)?).map_err(|problem| problem.of(path))
}

/// Reads images, gzipped or not, to the end of `input`.
///
/// # Errors
/// If `input` cannot be read or does not hold images and nothing else.
pub fn read_images(input: impl Read) -> Result<Images, IdxProblem> {
    let ([count, height, width], pixels) = read(input)?;
    Ok(Images { pixels, count, height, width })
}

/// Reads labels, gzipped or not, to the end of `input`.
///
/// # Errors
/// If `input` cannot be read or does not hold labels and nothing else.
pub fn read_labels(input: impl Read) -> Result<Vec<u8>, IdxProblem> {
    Ok(read::<1>(input)?.1)
}

/// What is wrong with which file.
#[derive(Debug, thiserror::Error)]
#[error("{}: {problem}", path.display())]
pub struct IdxError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it.
    #[source]
    pub problem: IdxProblem,
}

/// What is wrong with a file, and what to do about it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IdxProblem {
    /// The operating system, or the gzip stream, says so.
    #[error("cannot be read: {0}")]
    Io(#[from] io::Error),
    /// The file ends inside its header.
    #[error("ends within its header; fetch it again")]
    Header,
    /// The file holds something else.
    #[error(
        "begins with {found:#010x}, {what} begin with {expected:#010x}; is it another kind of file?"
    )]
    Magic {
        /// Its first four bytes.
        found: u32,
        /// What they should be.
        expected: u32,
        /// What was looked for: images or labels.
        what: &'static str,
    },
    /// A dimension is zero.
    #[error("its header says {0:?}: there is nothing in it; fetch it again")]
    Empty(Vec<u32>),
    /// The header claims more than is ever read.
    #[error("its header says {0:?}, more than {MAX_BYTES} bytes; it is damaged, fetch it again")]
    TooLarge(Vec<u32>),
    /// The file ends too early.
    #[error("its header says {dimensions:?}, {expected} bytes, but {found} follow; fetch it again")]
    Truncated {
        /// The dimensions its header gives.
        dimensions: Vec<u32>,
        /// The bytes they make.
        expected: u64,
        /// The bytes that are there.
        found: u64,
    },
    /// The file goes on.
    #[error(
        "its header says {dimensions:?}, {expected} bytes, but more follow; header and contents do not belong together, fetch it again"
    )]
    Trailing {
        /// The dimensions its header gives.
        dimensions: Vec<u32>,
        /// The bytes they make.
        expected: u64,
    },
}

impl IdxProblem {
    fn of(self, path: &Path) -> IdxError {
        IdxError { path: path.to_owned(), problem: self }
    }
}

fn open(path: &Path) -> Result<File, IdxError> {
    File::open(path).map_err(|error| IdxProblem::from(error).of(path))
}

/// Dimensions and elements of a file of `D` dimensions.
fn read<const D: usize>(input: impl Read) -> Result<([usize; D], Vec<u8>), IdxProblem> {
    let mut input = BufReader::new(input);
    if input.fill_buf()?.starts_with(&[0x1f, 0x8b]) {
        read_plain(MultiGzDecoder::new(input))
    } else {
        read_plain(input)
    }
}

fn read_plain<const D: usize>(mut input: impl Read) -> Result<([usize; D], Vec<u8>), IdxProblem> {
    let expected = 0x0800 | D as u32;
    let found = number(&mut input)?;
    if found != expected {
        let what = if D == 1 { "labels" } else { "images" };
        return Err(IdxProblem::Magic { found, expected, what });
    }
    let mut dimensions = [0; D];
    for dimension in &mut dimensions {
        *dimension = number(&mut input)?;
    }
    if dimensions.contains(&0) {
        return Err(IdxProblem::Empty(dimensions.to_vec()));
    }
    let expected = dimensions
        .iter()
        .try_fold(1_u64, |bytes, &dimension| bytes.checked_mul(u64::from(dimension)))
        .filter(|&bytes| bytes <= MAX_BYTES)
        .ok_or_else(|| IdxProblem::TooLarge(dimensions.to_vec()))?;
    // Grows as bytes come, so a false header costs nothing; one more byte shows what follows.
    let mut elements = Vec::new();
    input.take(expected + 1).read_to_end(&mut elements)?;
    let (found, dimensions_read) = (elements.len() as u64, dimensions.to_vec());
    if found < expected {
        return Err(IdxProblem::Truncated { dimensions: dimensions_read, expected, found });
    }
    if found > expected {
        return Err(IdxProblem::Trailing { dimensions: dimensions_read, expected });
    }
    Ok((dimensions.map(|dimension| dimension as usize), elements))
}

fn number(input: &mut impl Read) -> Result<u32, IdxProblem> {
    let mut bytes = [0; 4];
    input.read_exact(&mut bytes).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => IdxProblem::Header,
        _ => IdxProblem::Io(error),
    })?;
    Ok(u32::from_be_bytes(bytes))
}
