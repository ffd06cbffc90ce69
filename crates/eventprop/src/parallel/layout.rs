use std::ops::Range;

/// Part `index` of `count` things cut into `parts`; their sizes differ by one at most.
pub(crate) fn part(index: usize, parts: usize, count: usize) -> Range<usize> {
    index * count / parts..(index + 1) * count / parts
}

/// The part that thing `position` of `count` is in.
pub(crate) fn holder(position: usize, parts: usize, count: usize) -> usize {
    ((position + 1) * parts - 1) / count
}

/// Who does what of a batch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Layout {
    pub(crate) rank: usize,
    pub(crate) ranks: usize,
    /// The shards of a batch, if it has as many samples.
    pub(crate) shards: usize,
}

impl Layout {
    /// The shards of a batch of `samples`: none is empty.
    pub(crate) fn shards(&self, samples: usize) -> usize {
        self.shards.min(samples)
    }

    /// The shards of a rank.
    pub(crate) fn shards_of(&self, rank: usize, samples: usize) -> Range<usize> {
        part(rank, self.ranks, self.shards(samples))
    }

    /// The samples of a shard, as positions in the batch.
    pub(crate) fn shard(&self, shard: usize, samples: usize) -> Range<usize> {
        part(shard, self.shards(samples), samples)
    }

    /// The samples of a rank, as positions in the batch.
    pub(crate) fn samples_of(&self, rank: usize, samples: usize) -> Range<usize> {
        let shards = self.shards_of(rank, samples);
        let start = |shard| shard * samples / self.shards(samples).max(1);
        start(shards.start)..start(shards.end)
    }

    /// The sums that a rank can make by itself: the largest nodes of the tree over its shards.
    pub(crate) fn nodes_of(&self, rank: usize, samples: usize) -> Vec<Range<usize>> {
        let mut nodes = Vec::new();
        cover(0..self.shards(samples), &self.shards_of(rank, samples), &mut nodes);
        nodes
    }
}

/// The two nodes below a node of the tree, which is a range of shards; none below a single shard. The
/// left one holds a power of two of them.
pub(super) fn split(node: &Range<usize>) -> Option<[Range<usize>; 2]> {
    (node.len() > 1).then(|| {
        let middle = node.start + node.len().next_power_of_two() / 2;
        [node.start..middle, middle..node.end]
    })
}

fn cover(node: Range<usize>, part: &Range<usize>, nodes: &mut Vec<Range<usize>>) {
    if node.start >= part.end || node.end <= part.start {
        return;
    }
    if part.start <= node.start && node.end <= part.end {
        nodes.push(node);
    } else if let Some(below) = split(&node) {
        below.into_iter().for_each(|node| cover(node, part, nodes));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_sample_is_in_one_shard_and_every_shard_in_one_node(
            ranks in 1_usize..9, shards in 1_usize..40, samples in 1_usize..60,
        ) {
            let layout = Layout { rank: 0, ranks, shards };
            let count = layout.shards(samples);
            let all: Vec<_> = (0..count).flat_map(|shard| layout.shard(shard, samples)).collect();
            prop_assert!(all.iter().copied().eq(0..samples));
            prop_assert!((0..count).all(|shard| !layout.shard(shard, samples).is_empty()));
            let of_ranks = (0..ranks).flat_map(|rank| layout.samples_of(rank, samples));
            prop_assert!(of_ranks.eq(0..samples));
            let nodes: Vec<_> = (0..ranks).flat_map(|rank| layout.nodes_of(rank, samples)).collect();
            prop_assert!(nodes.iter().cloned().flatten().eq(0..count));
            for rank in 0..ranks {
                let nodes = layout.nodes_of(rank, samples);
                prop_assert!(nodes.iter().cloned().flatten().eq(layout.shards_of(rank, samples)));
            }
        }

        #[test]
        fn the_holder_of_a_thing_is_the_part_it_is_in(parts in 1_usize..9, count in 1_usize..60) {
            for position in 0..count {
                prop_assert!(part(holder(position, parts, count), parts, count).contains(&position));
            }
        }
    }
}
