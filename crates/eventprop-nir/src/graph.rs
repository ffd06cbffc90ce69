//! A NIR graph as a file holds it: names, kinds, arrays. What they mean is nobody's business here.

use std::collections::BTreeMap;

/// The fields of a node, by name.
pub type Fields = BTreeMap<String, Value>;

/// Named nodes and the edges between them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Graph {
    /// The nodes.
    pub nodes: BTreeMap<String, Node>,
    /// From which node to which, in the order of the file.
    pub edges: Vec<(String, String)>,
    /// What tools leave for themselves.
    pub metadata: Fields,
}

impl Graph {
    /// The number of values in all arrays.
    pub fn values(&self) -> usize {
        let of = |fields: &Fields| fields.values().map(Value::len).sum::<usize>();
        let node = |node: &Node| match node {
            Node::Primitive(primitive) => of(&primitive.fields) + of(&primitive.metadata),
            Node::Graph(graph) => graph.values(),
        };
        of(&self.metadata) + self.nodes.values().map(node).sum::<usize>()
    }
}

/// A node of a [`Graph`].
#[derive(Clone, Debug, PartialEq)]
pub enum Node {
    /// One that computes something.
    Primitive(Primitive),
    /// A graph within the graph.
    Graph(Graph),
}

/// A node that is no graph.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Primitive {
    /// What it computes, in NIR's spelling: `CubaLIF`, `Linear`.
    pub kind: String,
    /// Its parameters.
    pub fields: Fields,
    /// What tools leave for themselves.
    pub metadata: Fields,
}

impl Primitive {
    pub(crate) fn new<const N: usize>(kind: &str, fields: [(&str, Value); N]) -> Self {
        let fields = fields.into_iter().map(|(name, value)| (name.into(), value)).collect();
        Self { kind: kind.into(), fields, metadata: Fields::new() }
    }

    pub(crate) fn with_metadata(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.metadata.insert(name.into(), value.into());
        self
    }
}

/// The value of a field.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Numbers.
    Array(Array),
    /// A word, such as the padding "same".
    Text(String),
    /// Something else that HDF5 can hold: a description of it.
    Unknown(String),
}

impl Value {
    fn len(&self) -> usize {
        match self {
            Self::Array(array) => array.values.len(),
            Self::Text(_) | Self::Unknown(_) => 1,
        }
    }
}

impl From<Array> for Value {
    fn from(array: Array) -> Self {
        Self::Array(array)
    }
}

/// Numbers in a box of any number of sides; none for a single number.
#[derive(Clone, Debug, PartialEq)]
pub struct Array {
    /// The lengths of the sides.
    pub shape: Vec<usize>,
    /// The numbers, row-major. Every number of the file is one of `f64`, but for integers above 2^53.
    pub values: Vec<f64>,
    /// How the file stores them.
    pub storage: Storage,
}

impl Array {
    /// Whole numbers in a row.
    pub(crate) fn integers(values: &[usize]) -> Self {
        Self {
            shape: vec![values.len()],
            values: values.iter().map(|&value| value as f64).collect(),
            storage: Storage::Integer,
        }
    }

    /// A whole number.
    pub(crate) fn integer(value: i64) -> Self {
        Self { shape: Vec::new(), values: vec![value as f64], storage: Storage::Integer }
    }

    /// A number in double precision.
    pub(crate) fn number(value: f64) -> Self {
        Self { shape: Vec::new(), values: vec![value], storage: Storage::Double }
    }
}

/// How a file stores numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Storage {
    /// In single precision.
    Single,
    /// In double precision.
    Double,
    /// As integers.
    Integer,
}
