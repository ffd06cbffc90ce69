use super::layout::{Layout, split};
use super::{Collective, part};
use std::io;
use std::ops::Range;

/// Components that are exchanged at a time: bounds the memory, and counts stay below those of MPI.
const SEGMENT: usize = 1 << 22;

/// Adds gradients of shards along the tree over them.
#[derive(Default)]
pub(super) struct OrderedSum {
    /// The sums of this rank's own nodes.
    own: Vec<Vec<f32>>,
    spare: Vec<Vec<f32>>,
    sent: Vec<f32>,
    received: Vec<f32>,
}

/// Where the gradient of a shard goes.
pub(super) enum Into<'a> {
    /// In place of what was there.
    Set(&'a mut Vec<f32>),
    /// Added to it.
    Add(&'a mut [f32]),
}

impl Into<'_> {
    /// `gradient` times `share`.
    pub(super) fn put(self, gradient: &[f32], share: f32) {
        match self {
            Self::Set(sum) => {
                sum.clear();
                sum.extend(gradient.iter().map(|value| value * share));
            }
            Self::Add(sum) => {
                sum.iter_mut().zip(gradient).for_each(|(sum, value)| *sum += value * share);
            }
        }
    }
}

impl OrderedSum {
    /// Computes this rank's own nodes; `differentiate` is called with every shard of theirs in order.
    pub(super) fn compute<E>(
        &mut self,
        nodes: Vec<Range<usize>>,
        mut differentiate: impl FnMut(usize, Into<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        self.spare.append(&mut self.own);
        for node in nodes {
            let mut sum = self.spare.pop().unwrap_or_default();
            self.set(node, &mut sum, &mut differentiate)?;
            self.own.push(sum);
        }
        Ok(())
    }

    fn set<E>(
        &mut self,
        node: Range<usize>,
        sum: &mut Vec<f32>,
        differentiate: &mut impl FnMut(usize, Into<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let Some([left, right]) = split(&node) else {
            return differentiate(node.start, Into::Set(sum));
        };
        self.set(left, sum, differentiate)?;
        if right.len() == 1 {
            return differentiate(right.start, Into::Add(sum));
        }
        let mut other = self.spare.pop().unwrap_or_default();
        self.set(right, &mut other, differentiate)?;
        add(sum, &other);
        self.spare.push(other);
        Ok(())
    }

    /// Puts the sum over all shards of all ranks into `gradient`.
    ///
    /// Every rank adds up one slice of it and then gives it to all: the bytes of the best all-reduce,
    /// as long as a rank's shards are one node.
    ///
    /// # Errors
    /// If another rank cannot be reached.
    pub(super) fn reduce(
        &mut self,
        collective: &mut dyn Collective,
        layout: Layout,
        samples: usize,
        gradient: &mut [f32],
    ) -> io::Result<()> {
        if let (1, [sum]) = (layout.ranks, &self.own[..]) {
            gradient.copy_from_slice(sum);
            return Ok(());
        }
        let nodes: Vec<_> = (0..layout.ranks).map(|rank| layout.nodes_of(rank, samples)).collect();
        let flat: Vec<_> = nodes.iter().flatten().cloned().collect();
        let root = 0..layout.shards(samples);
        let mut start = 0;
        for segment in gradient.chunks_mut(SEGMENT) {
            let slices: Vec<_> =
                (0..layout.ranks).map(|rank| part(rank, layout.ranks, segment.len())).collect();
            let width = slices[layout.rank].len();
            self.sent.clear();
            for slice in &slices {
                for sum in &self.own {
                    self.sent.extend_from_slice(&sum[start + slice.start..start + slice.end]);
                }
            }
            let bytes = |count: usize| count * size_of::<f32>();
            let sent: Vec<_> =
                slices.iter().map(|slice| bytes(slice.len() * self.own.len())).collect();
            let given: Vec<_> = nodes.iter().map(|nodes| bytes(width * nodes.len())).collect();
            self.received.resize(width * flat.len(), 0.0);
            collective.all_to_all(
                bytemuck::cast_slice(&self.sent),
                &sent,
                bytemuck::cast_slice_mut(&mut self.received),
                &given,
            )?;
            combine(&root, &flat, width, &mut self.received);
            let counts: Vec<_> = slices.iter().map(|slice| bytes(slice.len())).collect();
            collective.all_gather(
                bytemuck::cast_slice(&self.received[..width]),
                &counts,
                bytemuck::cast_slice_mut(segment),
            )?;
            start += segment.len();
        }
        Ok(())
    }
}

/// Adds up a node from the sums of `nodes`, each `width` values of `sums`, into the place of the first
/// below it; returns which that is.
fn combine(node: &Range<usize>, nodes: &[Range<usize>], width: usize, sums: &mut [f32]) -> usize {
    let first = nodes.partition_point(|other| other.start < node.start);
    if nodes.get(first) == Some(node) {
        return first;
    }
    if let Some([left, right]) = split(node) {
        let left = combine(&left, nodes, width, sums);
        let right = combine(&right, nodes, width, sums);
        let (before, after) = sums.split_at_mut(right * width);
        add(&mut before[left * width..][..width], &after[..width]);
    }
    first
}

fn add(sum: &mut [f32], other: &[f32]) {
    sum.iter_mut().zip(other).for_each(|(sum, value)| *sum += value);
}
