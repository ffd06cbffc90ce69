use super::layout::Layout;
use super::{Collective, holder};
use crate::data::Samples;
use crate::gather::GatheredBatch;
use std::io;

/// A spike on its way: the bits of its time, its neuron.
type Word = [u32; 2];

/// Brings samples from the ranks that hold them to those that differentiate them: returns this
/// rank's part of `batch` (all of its samples, in order), where `held` are those that this rank
/// holds, in the same order. `own` is memory for it.
pub(super) fn exchange(
    collective: &mut dyn Collective,
    layout: Layout,
    set: &Samples,
    batch: &[u32],
    held: &GatheredBatch,
    mut own: GatheredBatch,
) -> io::Result<GatheredBatch> {
    let Layout { rank, ranks, .. } = layout;
    let holder = |position: usize| holder(batch[position] as usize, ranks, set.len());
    let wanted = |rank| layout.samples_of(rank, batch.len());

    // Of the samples held here, the first go to rank 0, the next to rank 1, and so on.
    let trains = held.batch().spikes;
    let lengths: Vec<u32> = trains.iter().map(|train| train.len() as u32).collect();
    let sent: Vec<_> = (0..ranks)
        .map(|to| wanted(to).filter(|&position| holder(position) == rank).count())
        .collect();
    let mut given = vec![0; ranks];
    wanted(rank).for_each(|position| given[holder(position)] += 1);
    let times_four = |counts: &[usize]| counts.iter().map(|n| n * 4).collect::<Vec<_>>();
    let mut given_lengths = vec![0_u32; wanted(rank).len()];
    collective.all_to_all(
        bytemuck::cast_slice(&lengths),
        &times_four(&sent),
        bytemuck::cast_slice_mut(&mut given_lengths),
        &times_four(&given),
    )?;

    let spikes: Vec<Word> = trains
        .iter()
        .flat_map(|train| {
            let spikes = train.times().iter().zip(train.indices());
            spikes.map(|(time, &index)| [time.to_bits(), index])
        })
        .collect();
    let mut given_spikes = vec![Word::default(); total(&given_lengths)];
    collective.all_to_all(
        bytemuck::cast_slice(&spikes),
        &bytes(&lengths, &sent),
        bytemuck::cast_slice_mut(&mut given_spikes),
        &bytes(&given_lengths, &given),
    )?;

    // They lie rank by rank; the batch has them in its own order.
    let mut next = vec![(0, 0); ranks];
    let (mut sample, mut spike) = (0, 0);
    for (next, &count) in next.iter_mut().zip(&given) {
        *next = (sample, spike);
        spike += total(&given_lengths[sample..sample + count]);
        sample += count;
    }
    own.clear(held.position);
    for position in wanted(rank) {
        let (sample, spike) = &mut next[holder(position)];
        let length = given_lengths[*sample] as usize;
        let train = given_spikes[*spike..*spike + length].iter();
        let label = set.label(batch[position] as usize);
        own.push(batch[position], label, train.map(|&[time, index]| (f32::from_bits(time), index)))
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        *sample += 1;
        *spike += length;
    }
    Ok(own)
}

fn total(lengths: &[u32]) -> usize {
    lengths.iter().map(|&length| length as usize).sum()
}

/// The bytes of each rank's spikes: `counts[r]` of the samples are rank r's.
fn bytes(lengths: &[u32], counts: &[usize]) -> Vec<usize> {
    let mut rest = lengths;
    let mut bytes = Vec::with_capacity(counts.len());
    for &count in counts {
        let (own, after) = rest.split_at(count);
        bytes.push(total(own) * size_of::<Word>());
        rest = after;
    }
    bytes
}
