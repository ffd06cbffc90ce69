//! Networks as files of the Neuromorphic Intermediate Representation (NIR; Pedersen et al., *Nat.
//! Commun.* 15:8122, 2024), and back.
//!
//! A NIR file is an HDF5 file of a graph: nodes with equations, edges between them. [`to_bytes`] writes
//! the graph of a network, [`from_bytes`] reads the network of a graph. What has no equal on the other
//! side is refused with the name of its node, layer or connection; what has one is kept to the bit: a
//! network that is written and read is the one it was. docs/nir.md has the table of equals.
//!
//! NIR has seconds, a network ms; NIR's current jumps by w_in / tau_syn times a weight, a network's by
//! the weight. What a spike is to simulators with a time grid, [`Spikes`] says.
//!
//! ```
//! use eventprop_nir::{ImportOptions, Spikes, from_bytes, to_bytes};
//! use lif_core::network::{ConnectionSpec, LayerSpec};
//! use lif_core::{Network, Parameters};
//!
//! let layers = vec![LayerSpec::input("in", 2), LayerSpec::lif("out", 1, 20.0, 5.0)];
//! let network = Network::new(50.0, layers, vec![ConnectionSpec::dense("in", "out")])?;
//! let mut parameters = Parameters::<f64>::initial(&network);
//! parameters.connections[0].weights = vec![1.5, 2.5];
//!
//! let bytes = to_bytes(&network, &parameters, Spikes::Delta)?;
//! let again = from_bytes(bytes, ImportOptions::default())?;
//! assert_eq!(again.network.layers(), network.layers());
//! assert_eq!(again.parameters, parameters);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod error;
mod export;
mod graph;
mod hdf5;
mod import;
mod spikes;
mod time;

pub use error::{ExportError, ImportError};
pub use export::export;
pub use graph::{Array, Fields, Graph, Node, Primitive, Storage, Value};
pub use import::{ImportOptions, Imported, import};
pub use spikes::Spikes;

use lif_core::{Network, Parameters, Real};

/// The bytes of a NIR file of a network, in the precision of its parameters.
///
/// # Errors
/// Names the layer or the connection that has no equal in NIR.
///
/// # Panics
/// If the parameters are not of the network's shape.
pub fn to_bytes<T: Real>(
    network: &Network,
    parameters: &Parameters<T>,
    spikes: Spikes,
) -> Result<Vec<u8>, ExportError> {
    hdf5::write(&export(network, parameters, spikes)?)
}

/// Reads the bytes of a NIR file.
///
/// # Errors
/// If they are no NIR file, or with the name of the node that has no equal here.
pub fn from_bytes(bytes: Vec<u8>, options: ImportOptions) -> Result<Imported, ImportError> {
    import(&hdf5::read(bytes)?, options)
}

impl Graph {
    /// Reads the bytes of a NIR file, whatever its nodes are.
    ///
    /// # Errors
    /// If they are no NIR file.
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self, ImportError> {
        hdf5::read(bytes)
    }

    /// The bytes of a NIR file.
    ///
    /// # Errors
    /// If a name is none that HDF5 allows.
    pub fn to_bytes(&self) -> Result<Vec<u8>, ExportError> {
        hdf5::write(self)
    }
}
