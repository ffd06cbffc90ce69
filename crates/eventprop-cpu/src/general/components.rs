use lif_core::network::Network;

/// Layers that have to be run together because spikes go round among them, or a single layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Component {
    /// The positions of its layers, ascending.
    pub(super) layers: Vec<usize>,
    /// Whether spikes go round in it.
    pub(super) recurrent: bool,
}

/// The strongly connected components of the layers above the input, each after all that send to it.
pub(super) fn components(network: &Network) -> Vec<Component> {
    let (count, reaches) = (network.layers().len(), network.reaches());
    let mut components: Vec<Component> = Vec::new();
    for layer in 1..count {
        let together =
            |other: &usize| *other == layer || (reaches[layer][*other] && reaches[*other][layer]);
        let layers: Vec<usize> = (1..count).filter(together).collect();
        if layers[0] == layer {
            components.push(Component { layers, recurrent: reaches[layer][layer] });
        }
    }
    // A sender reaches all that its target reaches, the target's layers and its own.
    let reached = |component: &Component| {
        let others = (0..count).filter(|layer| !component.layers.contains(layer));
        component.layers.len() + others.filter(|&layer| reaches[component.layers[0]][layer]).count()
    };
    let depends = |a: &Component, b: &Component| reaches[a.layers[0]][b.layers[0]];
    components.sort_by_key(|component| std::cmp::Reverse(reached(component)));
    debug_assert!(components.iter().enumerate().all(|(place, component)| {
        components[place + 1..].iter().all(|later| !depends(later, component))
    }));
    components
}

#[cfg(test)]
mod tests {
    use super::*;
    use lif_core::network::{ConnectionSpec, LayerSpec};

    #[test]
    fn loops_stay_together_and_order_follows_spikes() {
        let layers = vec![
            LayerSpec::input("in", 1),
            LayerSpec::lif("late", 1, 20.0, 5.0),
            LayerSpec::lif("a", 1, 20.0, 5.0),
            LayerSpec::lif("b", 1, 20.0, 5.0),
            LayerSpec::lif("own", 1, 20.0, 5.0),
            LayerSpec::li("out", 1, 20.0, 5.0),
        ];
        let connect = |(from, to): (&str, &str)| ConnectionSpec::dense(from, to);
        let connections = [("in", "b"), ("b", "a"), ("a", "b"), ("a", "late"), ("late", "own")];
        let mut connections: Vec<_> = connections.into_iter().map(connect).collect();
        connections.extend([("own", "own"), ("own", "out"), ("b", "out")].map(connect));
        let network = Network::new(10.0, layers, connections).unwrap();
        let expected = [(vec![2, 3], true), (vec![1], false), (vec![4], true), (vec![5], false)];
        let expected = expected.map(|(layers, recurrent)| Component { layers, recurrent });
        assert_eq!(components(&network), expected);
    }
}
