use crate::error::ExportError;
use crate::graph::{Array, Fields, Graph, Node, Storage, Value};
use hdf5_writer::{
    DatasetBuilder, Error, FILTER_DEFLATE, FilterDescription, Hdf5Builder, WriteOptions,
};

/// The version of the Python package whose layout this is.
const VERSION: &str = "1.0.8";

/// Arrays of fewer values are not packed.
const SMALL: usize = 64;

/// Arrays are packed in chunks of about so many values.
const CHUNK: usize = 1 << 18;

/// The bytes of a file.
pub(crate) fn write(graph: &Graph) -> Result<Vec<u8>, ExportError> {
    let mut writer = Writer { file: Hdf5Builder::new() };
    writer
        .text("version", VERSION)
        .and_then(|()| writer.graph("node", graph))
        .and_then(|()| writer.file.into_plan()?.encode(WriteOptions::default()))
        .map_err(|error| ExportError::File(error.to_string()))
}

struct Writer {
    file: Hdf5Builder,
}

impl Writer {
    fn graph(&mut self, path: &str, graph: &Graph) -> Result<(), Error> {
        self.text(&format!("{path}/type"), "NIRGraph")?;
        let edges: Vec<_> = graph.edges.iter().flat_map(|(from, to)| [from, to]).collect();
        let shape = vec![graph.edges.len() as u64, 2];
        self.add(DatasetBuilder::vlen_string_data(format!("{path}/edges"), shape, &edges)?);
        self.fields(&format!("{path}/metadata"), &graph.metadata)?;
        for (name, node) in &graph.nodes {
            let path = format!("{path}/nodes/{name}");
            match node {
                Node::Graph(graph) => self.graph(&path, graph)?,
                Node::Primitive(primitive) => {
                    self.text(&format!("{path}/type"), &primitive.kind)?;
                    self.fields(&path, &primitive.fields)?;
                    self.fields(&format!("{path}/metadata"), &primitive.metadata)?;
                }
            }
        }
        Ok(())
    }

    fn fields(&mut self, path: &str, fields: &Fields) -> Result<(), Error> {
        for (name, value) in fields {
            let path = format!("{path}/{name}");
            match value {
                Value::Array(array) => self.add(dataset(path, array)?),
                Value::Text(text) => self.text(&path, text)?,
                // Nobody writes what nobody could read.
                Value::Unknown(_) => {}
            }
        }
        Ok(())
    }

    fn text(&mut self, path: &str, text: &str) -> Result<(), Error> {
        self.add(DatasetBuilder::vlen_string_data(path, Vec::new(), &[text])?);
        Ok(())
    }

    fn add(&mut self, dataset: DatasetBuilder) {
        self.file = std::mem::take(&mut self.file).dataset(dataset);
    }
}

fn dataset(path: String, array: &Array) -> Result<DatasetBuilder, Error> {
    let Array { shape, values, storage } = array;
    let sides: Vec<_> = shape.iter().map(|&side| side as u64).collect();
    let dataset = match storage {
        Storage::Single => {
            let values: Vec<_> = values.iter().map(|&value| value as f32).collect();
            DatasetBuilder::typed_data(path, sides, &values)?
        }
        Storage::Double => DatasetBuilder::typed_data(path, sides, values)?,
        Storage::Integer => {
            let values: Vec<_> = values.iter().map(|&value| value as i64).collect();
            DatasetBuilder::typed_data(path, sides, &values)?
        }
    };
    if values.len() < SMALL {
        return Ok(dataset);
    }
    let deflate = FilterDescription { id: FILTER_DEFLATE, name: None, client_data: vec![4] };
    Ok(dataset.chunked(chunk(shape)).filter(deflate))
}

/// Whole rows, as many as make up a chunk.
fn chunk(shape: &[usize]) -> Vec<u64> {
    let mut left = CHUNK;
    let mut chunk: Vec<_> = shape
        .iter()
        .rev()
        .map(|&side| {
            let part = side.clamp(1, left.max(1));
            left /= part;
            part as u64
        })
        .collect();
    chunk.reverse();
    chunk
}
