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

/// Of a layer's jumps those of some of its blocks, in their order; where they are not all, in `room`. No branch
/// depends on the neurons.
pub(crate) fn own<'a, T: Copy + Default>(
    all: &'a [Injection<T>],
    blocks: &Range<usize>,
    layer: usize,
    room: &'a mut Vec<Injection<T>>,
) -> &'a [Injection<T>] {
    if blocks.len() == layer {
        return all;
    }
    let (first, count) = ((blocks.start * LANES) as u32, (blocks.len() * LANES) as u32);
    if room.len() < all.len() {
        room.resize(all.len(), Injection::default());
    }
    let mut kept = 0;
    for injection in all {
        room[kept] = *injection;
        kept += usize::from(injection.neuron.wrapping_sub(first) < count);
    }
    &room[..kept]
}

/// The jumps of the neurons that are swept, to be taken one interval after the other.
pub(crate) struct Injections<'a, T> {
    rest: &'a [Injection<T>],
    first: u32,
}

impl<'a, T: Copy> Injections<'a, T> {
    /// Those of some blocks, descending by interval.
    #[inline(always)]
    pub(crate) fn of(own: &'a [Injection<T>], blocks: &Range<usize>) -> Self {
        Self { rest: own, first: (blocks.start * LANES) as u32 }
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
            inject(injection.neuron.wrapping_sub(self.first) as usize, injection);
        }
    }
}
