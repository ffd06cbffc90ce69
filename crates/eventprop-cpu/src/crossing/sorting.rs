use super::Spike;
use crate::lanes::{LANES, LaneReal, Lanes};
use std::cmp::Ordering;

/// Scratch for sorting spikes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sorting<T: LaneReal> {
    keys: Vec<T::Key>,
    times: Vec<T::Lanes>,
    unsorted: Vec<Spike<T>>,
}

/// Spikes of an interval up to which each is compared with all: a bit for each fits into a word.
const FEW: usize = u64::BITS as usize;

impl<T: LaneReal> Sorting<T> {
    /// Sorts the spikes of one interval by time, those at one time as they stand.
    #[inline(always)]
    pub(super) fn sort(&mut self, spikes: &mut [Spike<T>]) {
        match spikes {
            [] | [_] => {}
            [first, second] => {
                if first.time > second.time {
                    std::mem::swap(first, second);
                }
            }
            _ => {
                self.unsorted.clear();
                self.unsorted.extend_from_slice(spikes);
                if spikes.len() <= FEW {
                    self.sort_by_ranks(spikes);
                } else {
                    self.sort_by_keys(spikes);
                }
            }
        }
    }

    /// Counts how many come before each: no branch depends on the times.
    #[inline(never)]
    fn sort_by_ranks(&mut self, spikes: &mut [Spike<T>]) {
        let Self { times, unsorted, .. } = self;
        times.clear();
        times.resize(unsorted.len().div_ceil(LANES), T::Lanes::splat(T::infinity()));
        for (time, spike) in T::Lanes::scalars_mut(times).iter_mut().zip(&*unsorted) {
            *time = spike.time;
        }
        let mut taken = 0_u64;
        for spike in &*unsorted {
            let time = T::Lanes::splat(spike.time);
            let earlier = |times: &T::Lanes| u16::from_le_bytes(time.gt(*times).bytes());
            let mut rank = times.iter().map(|times| earlier(times).count_ones()).sum::<u32>();
            // Those at one time.
            while taken >> rank & 1 == 1 {
                rank += 1;
            }
            taken |= 1 << rank;
            spikes[rank as usize] = *spike;
        }
    }

    #[inline(never)]
    fn sort_by_keys(&mut self, spikes: &mut [Spike<T>]) {
        self.keys.clear();
        self.keys.extend(spikes.iter().zip(0..).map(|(spike, place)| T::key(spike.time, place)));
        self.keys.sort_unstable();
        for (spike, &key) in spikes.iter_mut().zip(&self.keys) {
            *spike = self.unsorted[T::slot(key) as usize];
        }
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
