use crate::lanes::LANES;
use std::ops::Range;

/// A jump of one neuron's mu inside an interval, carried back to the interval's start.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Injection<T> {
    /// Added to mu_V.
    pub(crate) voltage: T,
    /// Added to mu_I.
    pub(crate) current: T,
    /// The group that opened the interval.
    pub(crate) interval: u32,
    /// The neuron's place in its layer.
    pub(crate) neuron: u32,
}

/// The jumps of some neurons of a layer, among those of others from the first of theirs on.
pub(crate) struct Injections<'a, T> {
    rest: &'a [Injection<T>],
    first: u32,
    count: u32,
}

impl<'a, T: Copy> Injections<'a, T> {
    /// Those of some blocks, among all of a layer, which descend by interval.
    #[inline(always)]
    pub(crate) fn of(all: &'a [Injection<T>], blocks: &Range<usize>) -> Self {
        let (first, count) = ((blocks.start * LANES) as u32, (blocks.len() * LANES) as u32);
        let own = |injection: &Injection<T>| injection.neuron.wrapping_sub(first) < count;
        let start = all.iter().position(own).unwrap_or(all.len());
        Self { rest: &all[start..], first, count }
    }

    /// The interval of the next.
    #[inline(always)]
    pub(crate) fn interval(&self) -> Option<usize> {
        self.rest.first().map(|injection| injection.interval as usize)
    }

    /// Takes those of an interval off the list; `inject` gets the neuron's place among those swept.
    #[inline(always)]
    pub(crate) fn take(&mut self, interval: usize, mut inject: impl FnMut(usize, &Injection<T>)) {
        while let Some((injection, others)) = self.rest.split_first()
            && injection.interval as usize == interval
        {
            self.rest = others;
            let place = injection.neuron.wrapping_sub(self.first);
            if place < self.count {
                inject(place as usize, injection);
            }
        }
    }
}
