//! The safetensors format, written piece by piece: the crate of that name puts a whole file together in
//! memory first, its description several times, or replaces files without syncing them.

use super::tensors::Tensor;
use serde::ser::{Serialize, SerializeMap, Serializer};
use std::fmt;
use std::io::{self, Write};

/// Writes a file of `tensors`, ascending by name, with one entry of metadata.
pub(super) fn write(
    file: &mut impl Write,
    metadata: (&str, &impl fmt::Display),
    tensors: &[Tensor<'_>],
) -> io::Result<()> {
    /// What the header's length is a multiple of.
    const ALIGNMENT: u64 = 8;
    let header = Header { metadata: Metadata(metadata.0, metadata.1), tensors };
    let length = length(&Json(&header));
    let aligned = length.next_multiple_of(ALIGNMENT);
    file.write_all(&aligned.to_le_bytes())?;
    serde_json::to_writer(&mut *file, &header)?;
    file.write_all(&[b' '; ALIGNMENT as usize][..(aligned - length) as usize])?;
    tensors.iter().try_for_each(|tensor| file.write_all(&tensor.bytes()))
}

/// A value as JSON.
pub(super) struct Json<'a, V>(pub(super) &'a V);

impl<V: Serialize> fmt::Display for Json<'_, V> {
    fn fmt(&self, text: &mut fmt::Formatter<'_>) -> fmt::Result {
        serde_json::to_writer(Text(text), self.0).map_err(|_| fmt::Error)
    }
}

/// The bytes of a text.
pub(super) fn length(text: &impl fmt::Display) -> u64 {
    let mut length = 0;
    into(&mut |bytes| length += bytes.len() as u64, text);
    length
}

/// Gives the bytes of a text away, piece by piece.
pub(super) fn into(take: &mut dyn FnMut(&[u8]), text: &impl fmt::Display) {
    fmt::write(&mut Pieces(take), format_args!("{text}"))
        .expect("a description is numbers, strings and lists");
}

struct Header<'a, D> {
    metadata: Metadata<'a, D>,
    tensors: &'a [Tensor<'a>],
}

impl<D: fmt::Display> Serialize for Header<'_, D> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut header = serializer.serialize_map(Some(1 + self.tensors.len()))?;
        header.serialize_entry("__metadata__", &self.metadata)?;
        let mut start = 0;
        for tensor in self.tensors {
            let end = start + tensor.len();
            header.serialize_entry(&tensor.name, &tensor.info((start, end)))?;
            start = end;
        }
        header.end()
    }
}

/// One entry: its name, and what is to be written as a string.
struct Metadata<'a, D>(&'a str, &'a D);

impl<D: fmt::Display> Serialize for Metadata<'_, D> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        struct Value<'a, D>(&'a D);
        impl<D: fmt::Display> Serialize for Value<'_, D> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self.0)
            }
        }
        let mut entries = serializer.serialize_map(Some(1))?;
        entries.serialize_entry(self.0, &Value(self.1))?;
        entries.end()
    }
}

/// Takes what serde_json writes, which is whole characters.
struct Text<'a, 'f>(&'a mut fmt::Formatter<'f>);

impl Write for Text<'_, '_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text = std::str::from_utf8(bytes).map_err(io::Error::other)?;
        self.0.write_str(text).map_err(io::Error::other)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Pieces<'a>(&'a mut dyn FnMut(&[u8]));

impl fmt::Write for Pieces<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        (self.0)(text.as_bytes());
        Ok(())
    }
}
