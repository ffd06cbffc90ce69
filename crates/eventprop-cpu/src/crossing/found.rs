use super::Spike;
use crate::lanes::{LANES, LaneReal, Lanes};
use std::cmp::Ordering;

/// The spikes of a sample as they are found: interval by interval, in each of them by round and lane.
#[derive(Clone, Debug, Default)]
pub(crate) struct Found<T: LaneReal> {
    pub(crate) spikes: Vec<Spike<T>>,
    /// Where each interval that was searched begins.
    starts: Vec<u32>,
    keys: Vec<T::Key>,
    times: Vec<T::Lanes>,
}

/// Spikes of an interval up to which each is compared with all: a bit for each fits into a word.
const FEW: usize = u64::BITS as usize;

impl<T: LaneReal> Found<T> {
    pub(crate) fn clear(&mut self) {
        self.spikes.clear();
        self.starts.clear();
    }

    /// What is found from here on is of the next interval.
    #[inline(always)]
    pub(crate) fn begin_interval(&mut self) {
        self.starts.push(self.spikes.len() as u32);
    }

    /// Leaves the spikes in `sorted`, by interval and time, those at one time as they were found.
    #[inline(always)]
    pub(crate) fn sort_into(&mut self, sorted: &mut Vec<Spike<T>>) {
        let Self { spikes, starts, keys, times } = self;
        sorted.clear();
        sorted.extend_from_slice(spikes);
        starts.push(spikes.len() as u32);
        for bounds in starts.windows(2) {
            let interval = bounds[0] as usize..bounds[1] as usize;
            let (found, sorted) = (&spikes[interval.clone()], &mut sorted[interval]);
            match sorted {
                [] | [_] => {}
                [first, second] => {
                    if first.time > second.time {
                        std::mem::swap(first, second);
                    }
                }
                _ if found.len() <= FEW => sort_by_ranks(found, sorted, times),
                _ => sort_by_keys(found, sorted, keys),
            }
        }
    }
}

/// Counts how many come before each: no branch depends on the times.
#[inline(never)]
fn sort_by_ranks<T: LaneReal>(
    found: &[Spike<T>],
    sorted: &mut [Spike<T>],
    times: &mut Vec<T::Lanes>,
) {
    times.clear();
    times.resize(found.len().div_ceil(LANES), T::Lanes::splat(T::infinity()));
    for (time, spike) in T::Lanes::scalars_mut(times).iter_mut().zip(found) {
        *time = spike.time;
    }
    let mut taken = 0_u64;
    for spike in found {
        let time = T::Lanes::splat(spike.time);
        let earlier = |times: &T::Lanes| u16::from_le_bytes(time.gt(*times).bytes());
        let mut rank = times.iter().map(|times| earlier(times).count_ones()).sum::<u32>();
        // Those at one time.
        while taken >> rank & 1 == 1 {
            rank += 1;
        }
        taken |= 1 << rank;
        sorted[rank as usize] = *spike;
    }
}

#[inline(never)]
fn sort_by_keys<T: LaneReal>(found: &[Spike<T>], sorted: &mut [Spike<T>], keys: &mut Vec<T::Key>) {
    keys.clear();
    keys.extend(found.iter().zip(0..).map(|(spike, place)| T::key(spike.time, place)));
    keys.sort_unstable();
    for (spike, &key) in sorted.iter_mut().zip(&*keys) {
        *spike = found[T::slot(key) as usize];
    }
}

impl<T: LaneReal> Spike<T> {
    /// By interval and time.
    #[inline(always)]
    pub(crate) fn order(&self, other: &Self) -> Ordering {
        let time = |spike: &Self| T::key(spike.time, 0);
        self.interval.cmp(&other.interval).then_with(|| time(self).cmp(&time(other)))
    }
}
