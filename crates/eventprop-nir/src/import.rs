//! From a graph to a network.

mod branches;
mod course;
mod fields;
mod fold;
mod neurons;
mod order;
mod paths;
mod pieces;
mod shapes;
mod synapse;
mod weights;

use crate::error::ImportError;
use crate::graph::{Graph, Value};
use crate::spikes::Spikes;
use lif_core::network::{ConnectionSpec, LayerSpec};
use lif_core::{DescriptionError, Network, Parameters};
use neurons::Population;
use pieces::Pieces;
use synapse::Synapse;

/// Beside one for each value of a file so many neurons may be made: shapes alone cost nothing to write.
const FREE_NEURONS: usize = 1 << 16;

/// What a graph leaves open.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ImportOptions {
    /// The simulated time in ms; without it the one that an exported file has in its metadata.
    pub duration: Option<f64>,
    /// What a spike was to the program that wrote the graph.
    pub spikes: Spikes,
}

/// A graph as a network.
#[derive(Clone, Debug, PartialEq)]
pub struct Imported {
    /// The network.
    pub network: Network,
    /// Its weights, delays and constants.
    pub parameters: Parameters<f64>,
    /// Where the graph leaves a choice: what was chosen, a line each.
    pub notes: Vec<String>,
}

/// The network of a graph.
///
/// # Errors
/// Names the node that has no equal here.
pub fn import(graph: &Graph, options: ImportOptions) -> Result<Imported, ImportError> {
    let duration = options.duration.or_else(|| duration(graph));
    let duration = duration.ok_or_else(|| {
        let reason = "the graph does not say for how long it is simulated: give a duration";
        ImportError::Graph(reason.into())
    })?;
    let mut notes = Vec::new();
    let pieces = Pieces::of(graph)?;
    let mut populations = neurons::populations(&pieces, options.spikes, &mut notes)?;
    let routes = paths::routes(&pieces, &populations)?;
    shapes::settle(&pieces, &mut populations, &routes.paths)?;
    check_size(graph, &populations)?;
    let values = graph.values();
    let synapses = fold::fold(&pieces, &mut populations, &routes.paths, values, &mut notes)?;
    let synapses = branches::merge(synapses);
    let order = order::of_layers(&populations, routes.output, &synapses);
    build(duration, &populations, &order, synapses, notes)
}

/// What an export leaves in the metadata.
fn duration(graph: &Graph) -> Option<f64> {
    match graph.metadata.get("duration_ms")? {
        Value::Array(array) => array.values.first().copied(),
        _ => None,
    }
}

fn check_size(graph: &Graph, populations: &[Population]) -> Result<(), ImportError> {
    let bound = graph.values() + FREE_NEURONS;
    let mut sum = 0_usize;
    for population in populations.iter().skip(1) {
        sum = sum.saturating_add(population.size());
        if sum > bound {
            let reason = format!("makes {sum} neurons; a file of so few values may have {bound}");
            return Err(population.refuse(reason));
        }
    }
    Ok(())
}

fn build(
    duration: f64,
    populations: &[Population],
    order: &[usize],
    synapses: Vec<Synapse>,
    notes: Vec<String>,
) -> Result<Imported, ImportError> {
    let layers: Vec<LayerSpec> =
        order.iter().map(|&position| populations[position].layer()).collect();
    let name = |position: usize| populations[position].name.as_str();
    let specs: Vec<ConnectionSpec> =
        synapses.iter().map(|synapse| synapse.spec(name(synapse.from), name(synapse.to))).collect();
    let network = Network::new(duration, layers, specs)
        .map_err(|error| locate(&error, populations, order, &synapses))?;
    let mut parameters = Parameters::initial(&network);
    for (own, synapse) in parameters.connections.iter_mut().zip(synapses) {
        (own.weights, own.delays) = synapse.values();
    }
    Ok(Imported { network, parameters, notes })
}

/// An error in the network as one in the node that it came from.
fn locate(
    error: &DescriptionError,
    populations: &[Population],
    order: &[usize],
    synapses: &[Synapse],
) -> ImportError {
    let DescriptionError { path, reason } = error;
    let within = |list: &str| {
        let (index, field) = path.strip_prefix(list)?.strip_prefix('[')?.split_once(']')?;
        Some((index.parse::<usize>().ok()?, field.trim_start_matches('.')))
    };
    if let Some((index, field)) = within("layers")
        && let Some(&position) = order.get(index)
    {
        return populations[position].refuse(format!("{field}: {reason}"));
    }
    if let Some((index, field)) = within("connections")
        && let Some(synapse) = synapses.get(index)
    {
        return synapse.refuse(format!("{field}: {reason}"));
    }
    ImportError::Graph(error.to_string())
}
