//! Ways of nodes as connections.

use super::course::Course;
use super::neurons::Population;
use super::paths::Path;
use super::pieces::Pieces;
use super::synapse::Synapse;
use crate::error::ImportError;
use std::collections::HashSet;

/// All connections. Biases on the ways become constant inputs of the populations they lead to.
///
/// `values` is the number of values in the graph: nodes on several ways are copied, but not without
/// bound.
pub(super) fn fold(
    pieces: &Pieces,
    populations: &mut [Population],
    paths: &[Path],
    values: usize,
    notes: &mut Vec<String>,
) -> Result<Vec<Synapse>, ImportError> {
    let bound = 4 * values + (1 << 16);
    let mut held = 0;
    let mut biases = HashSet::new();
    let mut synapses = Vec::new();
    for path in paths {
        let mut course = Course::begin(pieces, populations, path);
        for (place, name) in path.maps.iter().enumerate() {
            let has_bias = course.pass(name)?;
            // Nodes on several ways add their bias once.
            if has_bias && !biases.insert((&path.maps[place..], path.to)) {
                course.forget_bias();
            }
        }
        let (synapse, bias) = course.end(populations)?;
        held += synapse.weights.len();
        if held > bound {
            return Err(synapse.refuse("its weights lie on too many ways"));
        }
        if let Some(bias) = bias {
            populations[path.to].drive(&bias);
            notes.push(format!(
                "node \"{}\": its bias acts from the start, as a current that has long been there",
                synapse.node.0
            ));
        }
        synapses.push(synapse);
    }
    Ok(synapses)
}
