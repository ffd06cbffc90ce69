use crate::error::ImportError;
use crate::graph::{Array, Fields, Graph, Node, Primitive, Storage, Value};
use hdf5_reader::error::Error;
use hdf5_reader::group::Group;
use hdf5_reader::{Dataset, Datatype, H5Type, Hdf5File, OpenOptions};

/// Deflate packs no more than this many bytes into one.
const PACKED: usize = 1032;

/// Graphs within graphs are followed so deep.
const MAX_DEPTH: usize = 8;

/// Reads the bytes of a file.
pub(crate) fn read(bytes: Vec<u8>) -> Result<Graph, ImportError> {
    // What is read must not take more memory than the bytes warrant, whatever they claim.
    let limit = bytes.len().saturating_mul(PACKED).max(1 << 20);
    let options = OpenOptions::default().with_max_chunk_bytes(limit).with_max_read_bytes(limit);
    let mut reader = Reader { bytes: limit, groups: bytes.len() / 32 };
    let file = Hdf5File::from_vec_with_options(bytes, options).map_err(hdf5)?;
    let root = file.root_group().and_then(|root| root.group("node")).map_err(hdf5)?;
    match reader.node(&root, 0)? {
        Node::Graph(graph) => Ok(graph),
        Node::Primitive(Primitive { kind, .. }) => {
            Err(broken(format!("it holds a single {kind}, no graph")))
        }
    }
}

struct Reader {
    /// The bytes that may still be read.
    bytes: usize,
    /// The groups that may still be opened: links can make many of one.
    groups: usize,
}

impl Reader {
    fn node(&mut self, group: &Group, depth: usize) -> Result<Node, ImportError> {
        self.groups = self.groups.checked_sub(1).ok_or_else(|| broken("its groups repeat"))?;
        let (groups, datasets) = group.members().map_err(hdf5)?;
        let mut fields = self.fields(&datasets)?;
        let mut metadata = Fields::new();
        if let Some(group) = groups.iter().find(|group| group.name() == "metadata") {
            metadata = self.fields(&group.members().map_err(hdf5)?.1)?;
        }
        let Some(Value::Text(kind)) = fields.remove("type") else {
            return Err(broken(format!("\"{}\" has no type", group.name())));
        };
        if kind != "NIRGraph" {
            return Ok(Node::Primitive(Primitive { kind, fields, metadata }));
        }
        if depth == MAX_DEPTH {
            return Err(broken(format!("graphs are nested more than {MAX_DEPTH} deep")));
        }
        let edges = match datasets.iter().find(|dataset| dataset.name() == "edges") {
            Some(dataset) => edges(dataset)?,
            None => return Err(broken(format!("\"{}\" has no edges", group.name()))),
        };
        let mut graph = Graph { edges, metadata, ..Graph::default() };
        if let Some(nodes) = groups.iter().find(|group| group.name() == "nodes") {
            for node in nodes.groups().map_err(hdf5)? {
                graph.nodes.insert(node.name().into(), self.node(&node, depth + 1)?);
            }
        }
        Ok(Node::Graph(graph))
    }

    fn fields(&mut self, datasets: &[Dataset]) -> Result<Fields, ImportError> {
        let mut fields = Fields::new();
        for dataset in datasets.iter().filter(|dataset| dataset.name() != "edges") {
            let size = dataset.raw_byte_len().map_err(hdf5)?;
            let left = self.bytes.checked_sub(size);
            self.bytes = left.ok_or_else(|| broken("it holds more than its size warrants"))?;
            fields.insert(dataset.name().into(), value(dataset).map_err(hdf5)?);
        }
        Ok(fields)
    }
}

fn value(dataset: &Dataset) -> Result<Value, Error> {
    match dataset.dtype() {
        Datatype::String { .. } | Datatype::VarLen { .. } => match dataset.read_string() {
            Ok(text) => Ok(Value::Text(text)),
            Err(error) => Ok(Value::Unknown(error.to_string())),
        },
        Datatype::FloatingPoint { size: 4, .. } => numbers::<f32>(dataset, Storage::Single),
        Datatype::FloatingPoint { size: 8, .. } => numbers::<f64>(dataset, Storage::Double),
        Datatype::FixedPoint { size, signed, .. } => {
            let integer = Storage::Integer;
            match (size, signed) {
                (1, true) => numbers::<i8>(dataset, integer),
                (1, false) => numbers::<u8>(dataset, integer),
                (2, true) => numbers::<i16>(dataset, integer),
                (2, false) => numbers::<u16>(dataset, integer),
                (4, true) => numbers::<i32>(dataset, integer),
                (4, false) => numbers::<u32>(dataset, integer),
                (8, true) => numbers::<i64>(dataset, integer),
                (8, false) => numbers::<u64>(dataset, integer),
                _ => Ok(Value::Unknown(format!("integers of {size} bytes"))),
            }
        }
        other => Ok(Value::Unknown(format!("{other:?}"))),
    }
}

fn numbers<T: H5Type + Copy + AsF64>(dataset: &Dataset, storage: Storage) -> Result<Value, Error> {
    let array = dataset.read_array::<T>()?;
    let values = array.iter().map(|&value| value.to_f64()).collect();
    Ok(Value::Array(Array { shape: array.shape().to_vec(), values, storage }))
}

/// A list of pairs of names; an empty one has any type.
fn edges(dataset: &Dataset) -> Result<Vec<(String, String)>, ImportError> {
    if dataset.num_elements().map_err(hdf5)? == 0 {
        return Ok(Vec::new());
    }
    if dataset.shape().last() != Some(&2) {
        return Err(broken("its edges are no pairs"));
    }
    let names = dataset.read_strings().map_err(hdf5)?;
    let (pairs, _) = names.as_chunks::<2>();
    Ok(pairs.iter().map(|[from, to]| (from.clone(), to.clone())).collect())
}

trait AsF64 {
    fn to_f64(self) -> f64;
}

macro_rules! to_f64 {
    ($($type:ty),*) => {
        $(impl AsF64 for $type {
            fn to_f64(self) -> f64 {
                self as f64
            }
        })*
    };
}

to_f64!(i8, u8, i16, u16, i32, u32, i64, u64, f32, f64);

fn hdf5(error: Error) -> ImportError {
    broken(format!("HDF5: {error}"))
}

fn broken(reason: impl Into<String>) -> ImportError {
    ImportError::File(reason.into())
}
