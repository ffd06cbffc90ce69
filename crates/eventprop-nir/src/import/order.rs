use super::neurons::Population;
use super::synapse::Synapse;

/// The populations in the order of the network's layers: that of the network that was exported, or else
/// that in which spikes reach them; the input first, the output last.
pub(super) fn of_layers(
    populations: &[Population],
    output: usize,
    synapses: &[Synapse],
) -> Vec<usize> {
    exported(populations, output).unwrap_or_else(|| reached(populations.len(), output, synapses))
}

fn exported(populations: &[Population], output: usize) -> Option<Vec<usize>> {
    let mut order = vec![None; populations.len()];
    for (population, Population { position, .. }) in populations.iter().enumerate() {
        let place = order.get_mut((*position)?)?;
        if place.replace(population).is_some() {
            return None;
        }
    }
    let order: Vec<usize> = order.into_iter().collect::<Option<_>>()?;
    (order.first() == Some(&0) && order.last() == Some(&output)).then_some(order)
}

/// Breadth first from the input; what is never reached comes behind that.
fn reached(count: usize, output: usize, synapses: &[Synapse]) -> Vec<usize> {
    let mut order = vec![0];
    let mut place = 0;
    loop {
        while let Some(&from) = order.get(place) {
            place += 1;
            for synapse in synapses.iter().filter(|synapse| synapse.from == from) {
                if synapse.to != output && !order.contains(&synapse.to) {
                    order.push(synapse.to);
                }
            }
        }
        match (0..count).find(|other| *other != output && !order.contains(other)) {
            Some(other) => order.push(other),
            None => break,
        }
    }
    order.push(output);
    order
}
