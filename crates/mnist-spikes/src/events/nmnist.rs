use super::error::{EventError, EventProblem, Published};
use super::{Event, push_events};
use crate::spike_data::SpikeData;
use lif_core::SpikeBatch;
use rayon::prelude::*;
use std::path::Path;

const NMNIST: Published =
    Published { name: "N-MNIST", url: "https://www.garrickorchard.com/datasets/n-mnist" };

/// Rows and columns of the sensor.
const SIDE: u32 = 34;
const CLASSES: usize = 10;

/// Reads one half of N-MNIST (Orchard et al. 2015), `folder` being its `Train` or `Test`: one folder
/// a digit, in it one file a sample. Samples are in the order of digits, then of file names.
///
/// # Errors
/// If the folder or a digit's folder is not there, or a file is not right.
pub fn nmnist(folder: &Path) -> Result<SpikeData, EventError> {
    let mut files = Vec::new();
    for digit in 0..CLASSES {
        let paths = NMNIST.list(&folder.join(digit.to_string()))?;
        let paths = paths.into_iter().filter(|path| path.extension().is_some_and(|e| e == "bin"));
        files.extend(paths.map(|path| (path, digit as u32)));
    }
    if files.is_empty() {
        return Err(NMNIST.missing().of(folder));
    }
    let samples: Result<Vec<_>, _> = files
        .par_iter()
        .map(|(path, _)| read_nmnist(&NMNIST.read(path)?).map_err(|problem| problem.of(path)))
        .collect();
    let mut spikes = SpikeBatch::new();
    for mut events in samples? {
        push_events(&mut events, 0, (SIDE, SIDE), &mut spikes);
    }
    let labels = files.into_iter().map(|(_, digit)| digit).collect();
    let side = SIDE as usize;
    Ok(SpikeData {
        spikes,
        labels,
        classes: CLASSES,
        inputs: 2 * side * side,
        shape: [2, side, side],
    })
}

/// The events of a file of N-MNIST: five bytes each, column, row, polarity (the highest bit) and
/// time in us (the 23 bits after it). Row 240 marks that the clock has gone on by 2^13 us.
///
/// # Errors
/// If the file breaks off within an event, or an event lies outside 34 x 34 pixels.
pub fn read_nmnist(bytes: &[u8]) -> Result<Vec<Event>, EventProblem> {
    const OVERFLOW: u8 = 240;
    let (records, rest) = bytes.as_chunks::<5>();
    if !rest.is_empty() {
        let reason = format!("{} bytes are no whole number of 5-byte events", bytes.len());
        return Err(EventProblem::Format(reason));
    }
    let mut events = Vec::with_capacity(records.len());
    let mut overflow = 0;
    for (position, &[x, y, high, middle, low]) in records.iter().enumerate() {
        if y == OVERFLOW {
            overflow += 1 << 13;
            continue;
        }
        if u32::from(x.max(y)) >= SIDE {
            let reason = format!("event {position} is at ({x}, {y}), outside 34 x 34 pixels");
            return Err(EventProblem::Format(reason));
        }
        let time = u64::from(u32::from_be_bytes([0, high & 0x7f, middle, low])) + overflow;
        events.push(Event { time, x: x.into(), y: y.into(), on: high & 0x80 != 0 });
    }
    Ok(events)
}
