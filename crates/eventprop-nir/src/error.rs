use std::fmt;

/// Why a file cannot be taken for a network.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// The bytes are no NIR file.
    #[error("this is no usable NIR file: {0}")]
    File(String),
    /// A node has no equal here, or is wrong.
    #[error("node \"{node}\" ({kind}): {reason}")]
    Node {
        /// Its name in the graph.
        node: String,
        /// Its kind, in NIR's spelling.
        kind: String,
        /// What is wrong and what would be right.
        reason: String,
    },
    /// The graph as a whole has no equal here, or is wrong.
    #[error("{0}")]
    Graph(String),
}

/// Why a network cannot be written as NIR.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// A layer has no equal in NIR.
    #[error("layer \"{layer}\": {reason}")]
    Layer {
        /// Its name.
        layer: String,
        /// What NIR lacks.
        reason: String,
    },
    /// A connection has no equal in NIR.
    #[error("connection from \"{from}\" to \"{to}\": {reason}")]
    Connection {
        /// The sending layer.
        from: String,
        /// The receiving layer.
        to: String,
        /// What NIR lacks.
        reason: String,
    },
    /// HDF5 cannot hold the graph.
    #[error("HDF5 cannot hold this graph: {0}")]
    File(String),
}

impl ImportError {
    pub(crate) fn node(node: &str, kind: &str, reason: impl fmt::Display) -> Self {
        Self::Node { node: node.into(), kind: kind.into(), reason: reason.to_string() }
    }
}
