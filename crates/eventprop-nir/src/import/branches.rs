//! Parts of a connection, put together again.

use super::synapse::Synapse;
use super::weights::Weights;
use std::collections::HashMap;

/// Where an export has split a connection because its delays differ between synapses, makes one of its
/// parts. Parts that are no longer what the export left stay connections of their own.
pub(super) fn merge(synapses: Vec<Synapse>) -> Vec<Synapse> {
    let mut groups: HashMap<(usize, usize, usize), Vec<usize>> = HashMap::new();
    for (place, synapse) in synapses.iter().enumerate() {
        if let Some((connection, _)) = synapse.part {
            groups.entry((connection, synapse.from, synapse.to)).or_default().push(place);
        }
    }
    let mut synapses: Vec<_> = synapses.into_iter().map(Some).collect();
    for places in groups.into_values() {
        let parts: Vec<_> = places.iter().filter_map(|&place| synapses[place].as_ref()).collect();
        let Some((values, delays)) = whole(&parts) else { continue };
        let mut places = places.into_iter();
        if let Some(first) = places.next().and_then(|place| synapses[place].as_mut()) {
            first.delays = Some(delays);
            if let Weights::Dense { values: own, .. } | Weights::Conv2d { values: own, .. } =
                &mut first.weights
            {
                *own = values;
            }
        }
        places.for_each(|place| synapses[place] = None);
    }
    synapses.into_iter().flatten().collect()
}

/// Weights and delays of parts that each hold a column; none if they are anything else.
fn whole(parts: &[&Synapse]) -> Option<(Vec<f64>, Vec<f64>)> {
    let first = parts.first()?;
    let columns = first.weights.columns();
    let alike = |part: &&Synapse| match (&part.weights, &first.weights) {
        (Weights::Dense { sources, .. }, Weights::Dense { sources: own, .. }) => sources == own,
        (
            Weights::Conv2d { window, inputs, .. },
            Weights::Conv2d { window: own, inputs: own_inputs, .. },
        ) => window == own && inputs == own_inputs,
        _ => false,
    };
    if parts.len() != columns || !parts.iter().all(alike) {
        return None;
    }
    let mut values = vec![0.0; first.weights.len()];
    let mut delays = vec![0.0; values.len()];
    let mut seen = vec![false; columns];
    for part in parts {
        let (_, column) = part.part?;
        let own = part.weights.values();
        let delay = part.delays.as_ref()?;
        if std::mem::replace(seen.get_mut(column)?, true) || own.len() != values.len() {
            return None;
        }
        for place in 0..own.len() {
            if place % columns == column {
                (values[place], delays[place]) = (own[place], delay[place]);
            } else if own[place] != 0.0 {
                return None;
            }
        }
    }
    Some((values, delays))
}
