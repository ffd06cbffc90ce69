//! From a network to a graph.

mod delays;
mod names;
mod neurons;
mod synapses;

use crate::error::ExportError;
use crate::graph::{Array, Graph, Node, Primitive, Storage};
use crate::spikes::Spikes;
use lif_core::network::{Connection, ConnectionKind, Layer};
use lif_core::{Network, Parameters, Real};
use names::Names;

/// The graph of a network, in the precision of its parameters.
///
/// # Errors
/// Names the layer or the connection that has no equal in NIR.
pub fn export<T: Real>(
    network: &Network,
    parameters: &Parameters<T>,
    spikes: Spikes,
) -> Result<Graph, ExportError> {
    let storage = if T::of(0.1).as_f64() == 0.1 { Storage::Double } else { Storage::Single };
    let export = Export { network, parameters: &parameters.cast(), storage, spikes };
    export.graph()
}

struct Export<'a> {
    network: &'a Network,
    parameters: &'a Parameters<f64>,
    storage: Storage,
    spikes: Spikes,
}

impl Export<'_> {
    fn graph(&self) -> Result<Graph, ExportError> {
        let mut graph = Graph::default();
        graph.metadata.insert("duration_ms".into(), Array::number(self.network.duration()).into());
        for (position, layer) in self.network.layers().iter().enumerate() {
            self.check_layer(position, layer)?;
            let node = self.neurons(position, layer)?;
            graph.nodes.insert(layer.name.clone(), Node::Primitive(node));
        }
        let layers = self.network.layers().iter();
        let mut names = Names::new(layers.map(|layer| layer.name.as_str()));
        for (position, connection) in self.network.connections().iter().enumerate() {
            for way in self.ways(position, connection)? {
                self.add(&mut graph, &mut names, connection, way);
            }
        }
        let output = self.network.output();
        let name = names.fresh(if output.name == "output" { "network_output" } else { "output" });
        let shape = Array::integers(&self.shape(self.network.output_index()));
        let node = Primitive::new("Output", [("shape", shape.into())]);
        graph.nodes.insert(name.clone(), Node::Primitive(node));
        graph.edges.push((output.name.clone(), name));
        Ok(graph)
    }

    /// Adds the nodes of one way from layer to layer, and the edges between them.
    fn add(&self, graph: &mut Graph, names: &mut Names, connection: &Connection, way: Way) {
        let layers = self.network.layers();
        let (from, to) = (&layers[connection.from].name, &layers[connection.to].name);
        let mut last = from.clone();
        for node in way {
            let what = match node.kind.as_str() {
                "Delay" => "_delay",
                "Flatten" => "_flat",
                "Scale" => "_scale",
                _ => "",
            };
            let name = names.fresh(&format!("{from}_to_{to}{what}"));
            graph.nodes.insert(name.clone(), Node::Primitive(node));
            graph.edges.push((last, name.clone()));
            last = name;
        }
        graph.edges.push((last, to.clone()));
    }

    fn check_layer(&self, position: usize, layer: &Layer) -> Result<(), ExportError> {
        let name = &layer.name;
        if name.contains(['/', '\0']) || name == "." || name == ".." {
            return self.refuse_layer(position, "HDF5 allows no such name: give it another");
        }
        let connections = self.network.connections();
        if position > 0 && connections.iter().all(|connection| connection.to != position) {
            let reason = "nothing leads to it; readers of NIR would give it an input of its own";
            return self.refuse_layer(position, reason);
        }
        let is_last = position == self.network.output_index();
        if !is_last && connections.iter().all(|connection| connection.from != position) {
            let reason = "it leads nowhere; readers of NIR would take it for an output";
            return self.refuse_layer(position, reason);
        }
        Ok(())
    }

    /// Whether the layer's neurons stand in an image in the graph: where a window needs it. Elsewhere
    /// they stand in a row, from which and to which NIR has dense maps.
    fn is_image(&self, position: usize) -> bool {
        self.network.connections().iter().any(|connection| {
            !matches!(connection.kind, ConnectionKind::Dense)
                && (connection.from == position || connection.to == position)
        })
    }

    /// The sides of a layer's arrays.
    fn shape(&self, position: usize) -> Vec<usize> {
        let layer = &self.network.layers()[position];
        match layer.shape {
            Some(shape) if self.is_image(position) => shape.into(),
            _ => vec![layer.size],
        }
    }

    fn array(&self, shape: Vec<usize>, values: Vec<f64>) -> Array {
        Array { shape, values, storage: self.storage }
    }

    fn refuse_layer<R>(&self, position: usize, reason: &str) -> Result<R, ExportError> {
        let layer = self.network.layers()[position].name.clone();
        Err(ExportError::Layer { layer, reason: reason.into() })
    }

    fn refuse<R>(&self, connection: &Connection, reason: String) -> Result<R, ExportError> {
        let name = |position: usize| self.network.layers()[position].name.clone();
        let (from, to) = (name(connection.from), name(connection.to));
        Err(ExportError::Connection { from, to, reason })
    }
}

/// The nodes one after another from a layer to a layer.
type Way = Vec<Primitive>;
