//! Files like those of the Spiking Heidelberg Digits, written here.
#![cfg(feature = "hdf5")]

use hdf5_writer::{ByteOrder, DatasetBuilder, Datatype, Hdf5Builder, WriteOptions};
use mnist_spikes::events::{EventProblem, Spoken, read_spoken};
use proptest::prelude::*;
use std::path::Path;

const SECONDS: Datatype = Datatype::FloatingPoint { size: 4, byte_order: ByteOrder::LittleEndian };
const UNIT: Datatype =
    Datatype::FixedPoint { size: 2, signed: false, byte_order: ByteOrder::LittleEndian };

/// A file with these rows of times (s) and units.
fn file(times: &[&[f32]], units: &[&[u16]], labels: &[u16]) -> Vec<u8> {
    let times: Vec<Vec<u8>> =
        times.iter().map(|row| row.iter().flat_map(|t| t.to_le_bytes()).collect()).collect();
    let units: Vec<Vec<u8>> =
        units.iter().map(|row| row.iter().flat_map(|u| u.to_le_bytes()).collect()).collect();
    let vlen = |name, datatype, rows: Vec<Vec<u8>>| {
        DatasetBuilder::vlen_sequence_data(name, datatype, vec![rows.len() as u64], rows).unwrap()
    };
    let labels = DatasetBuilder::typed_data("labels", vec![labels.len() as u64], labels).unwrap();
    let file = Hdf5Builder::new()
        .dataset(vlen("spikes/times", SECONDS, times))
        .dataset(vlen("spikes/units", UNIT, units))
        .dataset(labels);
    file.into_plan().unwrap().encode(WriteOptions::default()).unwrap()
}

fn read(bytes: &[u8]) -> Result<mnist_spikes::SpikeData, mnist_spikes::events::EventError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shd_test.h5");
    std::fs::write(&path, bytes).unwrap();
    read_spoken(&path, Spoken::Digits)
}

const TIMES: &[f32] = &[0.25, 0.5, 1.0];

fn check(bytes: &[u8]) {
    let data = read(bytes).unwrap();
    assert_eq!((data.classes, data.inputs, data.labels), (20, 700, vec![5, 0, 19]));
    let trains: Vec<Vec<_>> = data.spikes.iter().map(|train| train.iter().collect()).collect();
    let first = vec![(250.0, 3), (500.0, 699), (1000.0, 0)];
    assert_eq!(trains, [first, vec![], vec![(250.0, 2), (500.0, 1)]]);
}

#[test]
fn what_is_written_is_read() {
    check(&file(&[TIMES, &[], &[0.5, 0.25]], &[&[3, 699, 0], &[], &[1, 2]], &[5, 0, 19]));
}

/// The published files hold times in half precision, in chunks, which only the C library writes:
/// this one was made with it (h5py, dtype `vlen_dtype(float16)`, chunks of 2 rows).
#[test]
fn a_file_of_the_c_library_is_read() {
    check(include_bytes!("data/shd_like.h5"));
}

#[test]
fn what_does_not_fit_is_named() {
    let missing = read_spoken(Path::new("no/such/shd_train.h5"), Spoken::Digits).unwrap_err();
    assert!(matches!(
        missing.problem,
        EventProblem::Missing { url: "https://zenkelab.org/datasets", .. }
    ));
    for (bytes, reason) in [
        (file(&[TIMES], &[&[1, 2, 700]], &[1]), "unit 700"),
        (file(&[TIMES], &[&[1, 2]], &[1]), "3 times and 2 units"),
        (file(&[TIMES], &[&[1, 2, 3]], &[20]), "label 20"),
        (file(&[TIMES], &[&[1, 2, 3]], &[1, 2]), "2 labels"),
        (file(&[&[f32::NAN]], &[&[1]], &[1]), "not a finite"),
        (file(&[&[-1.0]], &[&[1]], &[1]), "not a finite"),
        (b"not HDF5".to_vec(), "HDF5"),
    ] {
        let error = read(&bytes).unwrap_err().to_string();
        assert!(error.contains(reason), "{error}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn damaged_files_never_panic(
        flips in prop::collection::vec((any::<prop::sample::Index>(), 1_u8..), 1..6),
        cut in any::<prop::sample::Index>()
    ) {
        let mut bytes = include_bytes!("data/shd_like.h5").to_vec();
        let _ = read(&bytes[..cut.index(bytes.len())]);
        for (at, flip) in flips {
            let at = at.index(bytes.len());
            bytes[at] ^= flip;
        }
        let _ = read(&bytes);
    }
}
