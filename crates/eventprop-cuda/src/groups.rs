//! Which layers are walked together, and in which order.

use lif_core::network::Network;

/// The positions of the layers above the input, those together that hear one another on some way round, each group
/// after all it hears; in the order of positions where that leaves a choice.
pub(crate) fn groups(network: &Network) -> Vec<Vec<usize>> {
    let (count, reaches) = (network.layers().len(), network.reaches());
    let mut groups: Vec<Vec<usize>> = Vec::new();
    let mut done = vec![false; count];
    while let Some(next) = (1..count).find(|&layer| {
        let waits = |other: usize| !done[other] && reaches[other][layer] && !reaches[layer][other];
        !done[layer] && !(1..count).any(waits)
    }) {
        let is_together =
            |&layer: &usize| layer == next || (reaches[next][layer] && reaches[layer][next]);
        let group: Vec<usize> = (1..count).filter(is_together).collect();
        group.iter().for_each(|&layer| done[layer] = true);
        groups.push(group);
    }
    groups
}

/// The layers that are walked together with the one at `position`.
pub(crate) fn walked_with(groups: &[Vec<usize>], position: usize) -> &[usize] {
    groups.iter().find(|group| group.contains(&position)).map_or(&[], |group| group)
}

#[cfg(test)]
mod tests {
    use super::*;
    use lif_core::network::{ConnectionSpec, LayerSpec};

    #[track_caller]
    fn check(pairs: &[(usize, usize)], expected: &[&[usize]]) {
        let names = ["0", "1", "2", "3", "4", "5"];
        let mut layers = vec![LayerSpec::input("0", 1)];
        layers.extend(names[1..].iter().map(|&name| LayerSpec::lif(name, 1, 20.0, 5.0)));
        let connections =
            pairs.iter().map(|&(from, to)| ConnectionSpec::dense(names[from], names[to]));
        let network = Network::new(30.0, layers, connections.collect()).unwrap();
        assert_eq!(groups(&network), expected);
    }

    #[test]
    fn layers_that_hear_one_another_are_together() {
        check(&[(0, 1), (1, 2), (2, 3), (3, 4), (4, 5)], &[&[1], &[2], &[3], &[4], &[5]]);
        check(&[(0, 1), (1, 1), (1, 3), (3, 2), (2, 4), (0, 5)], &[&[1], &[3], &[2], &[4], &[5]]);
        check(&[(0, 1), (1, 2), (2, 4), (4, 1), (4, 3), (3, 5)], &[&[1, 2, 4], &[3], &[5]]);
        check(&[(0, 4), (4, 5), (5, 4), (5, 1), (1, 2), (2, 3), (3, 1)], &[&[4, 5], &[1, 2, 3]]);
    }
}
