use super::error::{EventError, EventProblem, Published};
use crate::spike_data::SpikeData;
use hdf5_reader::{ByteOrder, Dataset, Datatype, Hdf5File, OpenOptions};
use lif_core::SpikeBatch;
use std::path::Path;

/// The spoken words of Cramer et al. (2022), as spikes of 700 channels of a model of the inner ear.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spoken {
    /// Spiking Heidelberg Digits: 20 classes, files `shd_train.h5` and `shd_test.h5`.
    Digits,
    /// Spiking Speech Commands: 35 classes, files `ssc_train.h5`, `ssc_valid.h5`, `ssc_test.h5`.
    Commands,
}

const CHANNELS: usize = 700;

impl Spoken {
    /// The number of classes.
    pub fn classes(self) -> usize {
        match self {
            Self::Digits => 20,
            Self::Commands => 35,
        }
    }

    fn published(self) -> Published {
        let name = match self {
            Self::Digits => "the Spiking Heidelberg Digits",
            Self::Commands => "the Spiking Speech Commands",
        };
        Published { name, url: "https://zenkelab.org/datasets" }
    }
}

/// Reads a file of the Spiking Heidelberg Digits or Speech Commands (unpacked, HDF5).
///
/// # Errors
/// If the file is not there or not right.
pub fn read_spoken(path: &Path, set: Spoken) -> Result<SpikeData, EventError> {
    let bytes = set.published().read(path)?;
    parse_spoken(bytes, set).map_err(|problem| problem.of(path))
}

/// Reads the bytes of such a file.
///
/// # Errors
/// If they are not right.
pub fn parse_spoken(bytes: Vec<u8>, set: Spoken) -> Result<SpikeData, EventProblem> {
    let classes = set.classes();
    // Compressed chunks may hold more than their file, but not without bounds.
    let limit = bytes.len().saturating_mul(64).max(1 << 20);
    let options = OpenOptions::default().with_max_chunk_bytes(limit).with_max_read_bytes(limit);
    let file = Hdf5File::from_vec_with_options(bytes, options).map_err(hdf5)?;
    let dataset = |name| file.dataset(name).map_err(hdf5);
    let (times, units) =
        (Rows::new(dataset("spikes/times")?)?, Rows::new(dataset("spikes/units")?)?);
    let labels = numbers(&dataset("labels")?)?;
    let (n_times, n_units, n_labels) = (times.len(), units.len(), labels.len());
    if n_times != n_units || n_times != n_labels {
        return Err(EventProblem::Format(format!(
            "holds {n_times} rows of times, {n_units} of units and {n_labels} labels"
        )));
    }
    let mut data = SpikeData {
        spikes: SpikeBatch::with_capacity(n_times, 0),
        labels: Vec::with_capacity(n_times),
        classes,
        inputs: CHANNELS,
        shape: [1, 1, CHANNELS],
    };
    for (sample, label) in labels.into_iter().enumerate() {
        if !(0.0..classes as f64).contains(&label) {
            let reason =
                format!("sample {sample} has label {label}, but there are {classes} classes");
            return Err(EventProblem::Format(reason));
        }
        let (times, units) = (times.row(sample)?, units.row(sample)?);
        if times.len() != units.len() {
            let reason =
                format!("sample {sample} has {} times and {} units", times.len(), units.len());
            return Err(EventProblem::Format(reason));
        }
        if let Some(unit) = units.iter().find(|unit| !(0.0..CHANNELS as f64).contains(*unit)) {
            let reason = format!("sample {sample} has a spike of unit {unit} of {CHANNELS}");
            return Err(EventProblem::Format(reason));
        }
        let mut train: Vec<(f32, u32)> =
            times.iter().zip(&units).map(|(t, &unit)| ((t * 1e3) as f32, unit as u32)).collect();
        train.sort_by(|a, b| a.0.total_cmp(&b.0));
        data.spikes.push_sorted(train).map_err(|error| EventProblem::Format(error.to_string()))?;
        data.labels.push(label as u32);
    }
    Ok(data)
}

fn hdf5(error: hdf5_reader::error::Error) -> EventProblem {
    EventProblem::Format(format!("HDF5: {error}"))
}

/// A dataset of rows of different lengths.
struct Rows {
    dataset: Dataset,
    /// One reference a row to where its values are.
    references: Vec<u8>,
    value: Number,
}

impl Rows {
    fn new(dataset: Dataset) -> Result<Self, EventProblem> {
        let Datatype::VarLen { base, .. } = dataset.dtype() else {
            let reason = format!("{} does not hold rows of varying length", dataset.name());
            return Err(EventProblem::Format(reason));
        };
        let value = Number::new(base, dataset.name())?;
        let references = dataset.read_raw_bytes().map_err(hdf5)?;
        Ok(Self { dataset, references, value })
    }

    fn len(&self) -> usize {
        self.references.len() / self.dataset.vlen_reference_size()
    }

    fn row(&self, row: usize) -> Result<Vec<f64>, EventProblem> {
        let size = self.dataset.vlen_reference_size();
        let reference = &self.references[row * size..(row + 1) * size];
        let bytes = self.dataset.resolve_vlen_reference_bytes(reference, self.value.size);
        Ok(bytes.map_err(hdf5)?.chunks_exact(self.value.size).map(|b| self.value.read(b)).collect())
    }
}

/// The values of a dataset of plain numbers.
fn numbers(dataset: &Dataset) -> Result<Vec<f64>, EventProblem> {
    let number = Number::new(dataset.dtype(), dataset.name())?;
    let bytes = dataset.read_raw_bytes().map_err(hdf5)?;
    Ok(bytes.chunks_exact(number.size).map(|bytes| number.read(bytes)).collect())
}

/// How a file stores a number.
struct Number {
    size: usize,
    kind: Kind,
    order: ByteOrder,
}

enum Kind {
    Signed,
    Unsigned,
    Float,
}

impl Number {
    fn new(datatype: &Datatype, dataset: &str) -> Result<Self, EventProblem> {
        let (size, kind, order) = match *datatype {
            Datatype::FixedPoint { size, signed: true, byte_order } => {
                (size, Kind::Signed, byte_order)
            }
            Datatype::FixedPoint { size, byte_order, .. } => (size, Kind::Unsigned, byte_order),
            Datatype::FloatingPoint { size, byte_order } => (size, Kind::Float, byte_order),
            _ => (0, Kind::Float, ByteOrder::LittleEndian),
        };
        if !matches!((size, &kind), (2 | 4 | 8, _) | (1, Kind::Signed | Kind::Unsigned)) {
            let reason = format!("{dataset} does not hold numbers of 1, 2, 4 or 8 bytes");
            return Err(EventProblem::Format(reason));
        }
        Ok(Self { size: size.into(), kind, order })
    }

    /// The number in `bytes`, of which there are as many as it has.
    fn read(&self, bytes: &[u8]) -> f64 {
        let append = |bits: u64, &byte: &u8| bits << 8 | u64::from(byte);
        let bits = match self.order {
            ByteOrder::LittleEndian => bytes.iter().rev().fold(0, append),
            ByteOrder::BigEndian => bytes.iter().fold(0, append),
        };
        match (&self.kind, self.size) {
            (Kind::Float, 2) => half(bits as u16),
            (Kind::Float, 4) => f32::from_bits(bits as u32).into(),
            (Kind::Float, _) => f64::from_bits(bits),
            (Kind::Unsigned, _) => bits as f64,
            (Kind::Signed, size) => {
                let unused = 64 - 8 * size as u32;
                (bits.wrapping_shl(unused) as i64 >> unused) as f64
            }
        }
    }
}

/// The value of an IEEE 754 half-precision number.
fn half(bits: u16) -> f64 {
    let (exponent, fraction) = (i32::from(bits >> 10 & 0x1f), f64::from(bits & 0x3ff) / 1024.0);
    let magnitude = match exponent {
        0 => fraction * 2f64.powi(-14),
        31 if fraction == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        _ => (1.0 + fraction) * 2f64.powi(exponent - 15),
    };
    if bits >> 15 == 1 { -magnitude } else { magnitude }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_precision() {
        for (bits, value) in [
            (0x3c00, 1.0),
            (0xc000, -2.0),
            (0x7bff, 65504.0),
            (0x0001, 5.960464477539063e-8),
            (0x3555, 0.333251953125),
            (0x7c00, f64::INFINITY),
            (0x0400, 6.103515625e-5),
        ] {
            assert_eq!(half(bits), value);
        }
        assert!(half(0x7e00).is_nan());
    }
}
