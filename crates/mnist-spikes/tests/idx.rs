//! The IDX reader on right, wrong and arbitrary files, and sets in folders.

use flate2::{Compression, write::GzEncoder};
use mnist_spikes::folder::{self, FolderError};
use mnist_spikes::idx::{IdxProblem, read_images, read_labels};
use proptest::prelude::*;
use std::io::Write;
use std::path::Path;

fn idx(dimensions: &[u32], elements: &[u8]) -> Vec<u8> {
    let mut file = vec![0, 0, 8, dimensions.len() as u8];
    file.extend(dimensions.iter().flat_map(|dimension| dimension.to_be_bytes()));
    file.extend_from_slice(elements);
    file
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

proptest! {
    #[test]
    fn what_is_written_is_read(
        count in 1_u32..5, height in 1_u32..6, width in 1_u32..6, seed: u8, zip: bool
    ) {
        let pixels: Vec<u8> =
            (0..count * height * width).map(|i| seed.wrapping_mul(i as u8 | 1)).collect();
        let (file, labels) = (idx(&[count, height, width], &pixels), idx(&[count * 9], &[seed; 36][..count as usize * 9]));
        let pack = |file: Vec<u8>| if zip { gzip(&file) } else { file };
        let images = read_images(&pack(file)[..]).unwrap();
        prop_assert_eq!((images.count, images.height, images.width), (count as usize, height as usize, width as usize));
        prop_assert_eq!(images.pixels, pixels);
        prop_assert_eq!(read_labels(&pack(labels)[..]).unwrap(), vec![seed; count as usize * 9]);
    }

    #[test]
    fn arbitrary_bytes_are_an_error(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        // A valid file by chance would need a magic number by chance.
        prop_assert!(read_images(&bytes[..]).is_err());
        prop_assert!(read_labels(&gzip(&bytes)[..]).is_err());
    }

    #[test]
    fn arbitrary_headers_are_an_error_and_cost_nothing(
        dimensions in prop::array::uniform3(any::<u32>()), rest in prop::collection::vec(any::<u8>(), 0..50), zip: bool
    ) {
        let file = idx(&dimensions, &rest);
        let file = if zip { gzip(&file) } else { file };
        let expected = dimensions.iter().map(|&d| u128::from(d)).product::<u128>();
        prop_assert_eq!(read_images(&file[..]).is_ok(), expected > 0 && expected == rest.len() as u128);
    }

    #[test]
    fn damaged_gzip_is_an_error(cut in 1_usize..60, flip in 0_usize..60) {
        let whole = gzip(&idx(&[2, 3, 4], &(0..24).collect::<Vec<u8>>()));
        let cut = cut.min(whole.len() - 1);
        prop_assert!(read_images(&whole[..cut]).is_err());
        let mut flipped = whole;
        let position = flip % flipped.len();
        flipped[position] ^= 0x55;
        // Bytes of gzip's own header (time, flags, system) may change without harm.
        if let Ok(images) = read_images(&flipped[..]) {
            prop_assert_eq!(images.pixels, (0..24).collect::<Vec<u8>>());
        }
    }
}

#[test]
fn each_defect_is_named() {
    let problem = |bytes: &[u8]| read_images(bytes).unwrap_err();
    assert!(matches!(problem(&[]), IdxProblem::Header));
    assert!(matches!(problem(&idx(&[1, 2, 3], &[])[..9]), IdxProblem::Header));
    assert!(matches!(problem(&idx(&[4], &[0; 4])), IdxProblem::Magic { found: 0x801, .. }));
    assert!(matches!(problem(&idx(&[1, 0, 3], &[])), IdxProblem::Empty(_)));
    assert!(matches!(problem(&idx(&[u32::MAX; 3], &[])), IdxProblem::TooLarge(_)));
    assert!(matches!(
        problem(&idx(&[1, 2, 3], &[0; 5])),
        IdxProblem::Truncated { expected: 6, found: 5, .. }
    ));
    assert!(matches!(problem(&idx(&[1, 2, 3], &[0; 7])), IdxProblem::Trailing { expected: 6, .. }));
}

#[test]
fn a_gzip_bomb_is_read_no_further_than_its_header_says() {
    let mut bomb = GzEncoder::new(Vec::new(), Compression::fast());
    bomb.write_all(&idx(&[1, 2, 3], &[])).unwrap();
    for _ in 0..64 {
        bomb.write_all(&vec![0; 1 << 20]).unwrap();
    }
    let bomb = bomb.finish().unwrap();
    let mut left = &bomb[..];
    assert!(matches!(read_images(&mut left), Err(IdxProblem::Trailing { .. })));
    assert!(left.len() > bomb.len() / 2, "most of the stream was never read");
}

/// A set of `train` + `test` images of 2 x 2 under `prefix`, with endings as given.
fn write_set(folder: &Path, prefix: &str, test: &str, idx_mark: &str, ending: &str) {
    for (half, count) in [("train", 3_u32), (test, 2)] {
        let images = idx(&[count, 2, 2], &vec![7; count as usize * 4]);
        let labels = idx(&[count], &[0, 1, 1][..count as usize]);
        for (kind, dimensions, bytes) in [("images", 3, images), ("labels", 1, labels)] {
            let bytes = if ending.is_empty() { bytes } else { gzip(&bytes) };
            let name = format!("{prefix}{half}-{kind}{idx_mark}idx{dimensions}-ubyte{ending}");
            std::fs::write(folder.join(name), bytes).unwrap();
        }
    }
}

#[test]
fn sets_are_found_by_their_usual_names() {
    for (prefix, test, mark, ending) in [
        ("", "t10k", "-", ""),
        ("", "t10k", "-", ".gz"),
        ("", "t10k", ".", ""),
        ("emnist-letters-", "test", "-", ".gz"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        write_set(folder.path(), prefix, test, mark, ending);
        let set = folder::load(folder.path(), None).unwrap();
        assert_eq!((set.train.len(), set.test.len(), set.train.classes()), (3, 2, 2));
    }
}

#[test]
fn of_several_sets_one_must_be_named() {
    let folder = tempfile::tempdir().unwrap();
    write_set(folder.path(), "emnist-letters-", "test", "-", "");
    write_set(folder.path(), "emnist-digits-", "test", "-", ".gz");
    let error = folder::load(folder.path(), None).unwrap_err().to_string();
    assert!(error.contains("emnist-digits, emnist-letters"), "{error}");
    assert!(folder::load(folder.path(), Some("emnist-digits")).is_ok());
    write_set(folder.path(), "", "t10k", "-", "");
    assert!(folder::load(folder.path(), None).is_ok());
}

#[test]
fn what_is_missing_or_does_not_fit_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let error = folder::load(&folder.path().join("none"), None).unwrap_err();
    assert!(matches!(error, FolderError::Folder { .. }));
    write_set(folder.path(), "", "t10k", "-", "");
    let labels = folder.path().join("t10k-labels-idx1-ubyte");

    let load = || folder::load(folder.path(), None).unwrap_err();
    std::fs::write(&labels, idx(&[3], &[0, 1, 1])).unwrap();
    assert!(matches!(load(), FolderError::Counts { images: 2, labels: 3, .. }));
    std::fs::write(&labels, idx(&[2], &[0, 2])).unwrap();
    let error = load().to_string();
    assert!(error.contains("image 1 has label 2, but there are 2 classes"), "{error}");
    std::fs::write(&labels, idx(&[2], &[0])).unwrap();
    let error = load().to_string();
    assert!(
        error.starts_with(labels.to_str().unwrap()) && error.contains("[2], 2 bytes, but 1 follow"),
        "{error}"
    );
    std::fs::write(folder.path().join("t10k-images-idx3-ubyte"), idx(&[1, 2, 3], &[0; 6])).unwrap();
    std::fs::write(&labels, idx(&[1], &[0])).unwrap();
    assert!(matches!(load(), FolderError::Sizes { .. }));
    std::fs::remove_file(&labels).unwrap();
    let error = load().to_string();
    assert!(error.contains("t10k-labels-idx1-ubyte"), "{error}");
}
