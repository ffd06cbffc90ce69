use super::error::{EventError, EventProblem, Published};
use super::{Event, push_events};
use crate::spike_data::SpikeData;
use lif_core::SpikeBatch;
use std::path::Path;

const GESTURE: Published = Published {
    name: "the DVS128 Gesture data set",
    url: "https://research.ibm.com/interactive/dvsgesture",
};

/// Rows and columns of the sensor.
const SIDE: u32 = 128;
const CLASSES: u32 = 11;

/// Reads part of the DVS128 Gesture data set (Amir et al. 2017): the recordings that `list`
/// (`trials_to_train.txt` or `trials_to_test.txt`) names in `folder`. Each row of a recording's
/// `*_labels.csv` is a sample: the events between its start and its end.
///
/// # Errors
/// If a file is not there or not right.
pub fn dvs_gesture(folder: &Path, list: &str) -> Result<SpikeData, EventError> {
    let (mut spikes, mut labels) = (SpikeBatch::new(), Vec::new());
    let list = folder.join(list);
    for recording in text(&list)?.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let path = folder.join(recording);
        let mut events = read_aedat(&GESTURE.read(&path)?).map_err(|problem| problem.of(&path))?;
        if let Some(event) = events.iter().find(|event| event.x.max(event.y) >= SIDE) {
            let reason =
                format!("an event is at ({}, {}), outside 128 x 128 pixels", event.x, event.y);
            return Err(EventProblem::Format(reason).of(&path));
        }
        events.sort_by_key(|event| event.time);

        let stem = recording.strip_suffix(".aedat").unwrap_or(recording);
        let path = folder.join(format!("{stem}_labels.csv"));
        for (class, start, end) in
            read_labels(&text(&path)?).map_err(|problem| problem.of(&path))?
        {
            let first = events.partition_point(|event| event.time < start);
            let last = events.partition_point(|event| event.time < end);
            push_events(&mut events[first..last], start, (SIDE, SIDE), &mut spikes);
            labels.push(class - 1);
        }
    }
    let (side, classes) = (SIDE as usize, CLASSES as usize);
    Ok(SpikeData { spikes, labels, classes, inputs: 2 * side * side, shape: [2, side, side] })
}

fn text(path: &Path) -> Result<String, EventError> {
    let bytes = GESTURE.read(path)?;
    String::from_utf8(bytes).map_err(|_| EventProblem::Format("is not text".into()).of(path))
}

/// The rows of `*_labels.csv`: class (from 1), start and end in us.
fn read_labels(csv: &str) -> Result<Vec<(u32, u64, u64)>, EventProblem> {
    let rows = csv.lines().enumerate().skip(1).filter(|(_, line)| !line.trim().is_empty());
    rows.map(|(number, line)| {
        let mut fields = line.split(',').map(|field| field.trim().parse::<u64>().ok());
        match (fields.next(), fields.next(), fields.next(), fields.next()) {
            (Some(Some(class)), Some(Some(start)), Some(Some(end)), None)
                if (1..=u64::from(CLASSES)).contains(&class) && start <= end =>
            {
                Ok((class as u32, start, end))
            }
            _ => Err(EventProblem::Format(format!(
                "line {} is {line:?}, not a class from 1 to {CLASSES}, a start and an end in us",
                number + 1
            ))),
        }
    })
    .collect()
}

/// The valid polarity events of an AEDAT 3.1 file: after a header of text come packets, each of a
/// header of 28 bytes and its events. Packets of other kinds are passed over.
///
/// # Errors
/// If there is no header of AEDAT 3.1, or a packet breaks off or contradicts itself.
pub fn read_aedat(bytes: &[u8]) -> Result<Vec<Event>, EventProblem> {
    const HEADER_END: &[u8] = b"#!END-HEADER\r\n";
    const POLARITY: u16 = 1;
    let format = |reason: String| EventProblem::Format(reason);
    if !bytes.starts_with(b"#!AER-DAT3.1") {
        return Err(format("does not begin with #!AER-DAT3.1".into()));
    }
    let header = bytes.windows(HEADER_END.len()).position(|window| window == HEADER_END);
    let header = header.ok_or_else(|| format("its header has no end".into()))?;
    let mut rest = &bytes[header + HEADER_END.len()..];
    let mut events = Vec::new();
    while !rest.is_empty() {
        let broken = |what| format(format!("{what} at byte {}", bytes.len() - rest.len()));
        let (packet, contents) =
            rest.split_at_checked(28).ok_or_else(|| broken("a packet breaks off"))?;
        let field =
            |at| u32::from_le_bytes([packet[at], packet[at + 1], packet[at + 2], packet[at + 3]]);
        let kind = u16::from_le_bytes([packet[0], packet[1]]);
        let (size, overflow, count) = (field(4) as usize, u64::from(field(12)), field(20) as usize);
        let length = size.checked_mul(count).filter(|&length| length <= contents.len());
        let length = length.ok_or_else(|| broken("a packet breaks off"))?;
        let (records, following) = contents.split_at(length);
        if kind == POLARITY {
            let (records, odd) = records.as_chunks::<8>();
            if size != 8 || !odd.is_empty() {
                return Err(broken("a packet of polarity events with events of another size"));
            }
            for &[a, b, c, d, t @ ..] in records {
                let (data, time) = (u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes(t));
                if data & 1 == 1 {
                    events.push(Event {
                        time: (overflow << 31) + u64::from(time & 0x7fff_ffff),
                        x: data >> 17,
                        y: data >> 2 & 0x7fff,
                        on: data & 2 != 0,
                    });
                }
            }
        }
        rest = following;
    }
    Ok(events)
}
