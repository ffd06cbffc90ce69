//! Metrics as TensorBoard reads them: an event file is a row of records (length, its checksum, data,
//! its checksum), each a message `Event` in the encoding of protocol buffers. Only the few fields that
//! scalars need are written; that takes less code than a library for it would.

use crate::metrics::EpochRecord;

/// An event file of the epochs in `history`; `start` is when the first began, in s since 1970.
///
/// A longer history gives a longer file with the same beginning, so that a file can grow while
/// TensorBoard reads it.
pub fn event_file(start: f64, history: &[EpochRecord]) -> Vec<u8> {
    let mut file = Vec::new();
    let mut time = start;
    let mut head = event(time, 0);
    bytes(&mut head, 3, b"brain.Event:2");
    push_record(&mut file, &head);
    for record in history {
        time += record.seconds;
        let mut summary = Vec::new();
        for (tag, value) in scalars(record) {
            let mut scalar = Vec::new();
            bytes(&mut scalar, 1, tag.as_bytes());
            scalar.push(2 << 3 | FIXED_32);
            scalar.extend((value as f32).to_le_bytes());
            bytes(&mut summary, 1, &scalar);
        }
        let mut event = event(time, u64::from(record.epoch));
        bytes(&mut event, 5, &summary);
        push_record(&mut file, &event);
    }
    file
}

fn scalars(record: &EpochRecord) -> Vec<(String, f64)> {
    let mut scalars = vec![
        ("loss/training".to_string(), record.train_loss),
        ("loss/test".into(), record.test.loss),
        ("accuracy/training".into(), record.train_accuracy),
        ("accuracy/test".into(), record.test.accuracy),
        ("learning_rate".into(), record.lr),
        ("grazing_spikes".into(), record.grazing as f64),
        ("clipped_gradients".into(), record.clipped as f64),
        ("samples_per_second".into(), record.samples as f64 / record.seconds.max(1e-9)),
    ];
    if let Some(validation) = &record.validation {
        scalars.push(("loss/validation".into(), validation.loss));
        scalars.push(("accuracy/validation".into(), validation.accuracy));
    }
    for layer in &record.layers {
        scalars.push((format!("spikes_per_sample/{}", layer.layer), layer.spikes_per_sample));
        scalars.push((format!("silent_neurons/{}", layer.layer), layer.silent as f64));
    }
    scalars
}

/// Kinds of fields.
const VARINT: u8 = 0;
const FIXED_64: u8 = 1;
const LENGTH_DELIMITED: u8 = 2;
const FIXED_32: u8 = 5;

/// The beginning of an `Event`: `wall_time` and `step`.
fn event(time: f64, step: u64) -> Vec<u8> {
    let mut event = vec![1 << 3 | FIXED_64];
    event.extend(time.to_le_bytes());
    event.push(2 << 3 | VARINT);
    varint(&mut event, step);
    event
}

fn bytes(message: &mut Vec<u8>, field: u8, content: &[u8]) {
    message.push(field << 3 | LENGTH_DELIMITED);
    varint(message, content.len() as u64);
    message.extend_from_slice(content);
}

fn varint(message: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        message.push(value as u8 | 0x80);
        value >>= 7;
    }
    message.push(value as u8);
}

fn push_record(file: &mut Vec<u8>, data: &[u8]) {
    let length = (data.len() as u64).to_le_bytes();
    file.extend(length);
    file.extend(masked(crc32c(&length)).to_le_bytes());
    file.extend_from_slice(data);
    file.extend(masked(crc32c(data)).to_le_bytes());
}

/// As the format has it, so that a checksum of checksums is none.
fn masked(crc: u32) -> u32 {
    crc.rotate_right(15).wrapping_add(0xa282_ead8)
}

/// CRC-32C (Castagnoli), bit by bit: a few hundred bytes an epoch.
fn crc32c(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = crc >> 1 ^ if crc & 1 == 1 { 0x82f6_3b78 } else { 0 };
        }
    }
    !crc
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_castagnolis() {
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
        assert_eq!(crc32c(&[0; 32]), 0x8a91_36aa);
    }

    #[test]
    fn a_file_without_epochs_is_its_head() {
        let file = event_file(0.0, &[]);
        assert_eq!(file[..8], 26_u64.to_le_bytes());
        assert!(file.windows(13).any(|window| window == b"brain.Event:2"));
        assert_eq!(file.len(), 8 + 4 + 26 + 4);
    }
}
