use crate::crossing::{Contenders, Course, Found, Gathered, Neurons, Roots, places, suspects};
use crate::lanes::{LANES, LaneReal, Lanes};
use crate::stream::{Group, Stream};
use std::ops::Range;

/// A run of blocks of one layer, to be walked through samples together.
pub(crate) struct Tile<'a, T: LaneReal> {
    /// The rows of the layer's weights.
    pub(crate) weights: &'a [T::Lanes],
    /// The blocks in a row.
    pub(crate) stride: usize,
    /// The blocks of the tile.
    pub(crate) blocks: Range<usize>,
    /// Whether the first half of a block holds all its neurons.
    pub(crate) half: bool,
    /// The constants of all neurons of the layer.
    pub(crate) neurons: &'a Neurons<T>,
}

/// The neurons of a tile between two arrivals, and lists in the making.
#[derive(Clone, Debug, Default)]
pub(crate) struct State<T: LaneReal> {
    /// Voltages at the interval's start.
    before: Vec<T::Lanes>,
    /// Voltages at its end.
    u: Vec<T::Lanes>,
    /// Currents at its start, its arrivals included.
    current: Vec<T::Lanes>,
    /// A bit for each neuron that may cross, block by block, filled up to eight bytes.
    masks: Vec<[u8; 2]>,
    /// Room for the places of these neurons.
    suspects: Vec<u32>,
    gathered: Gathered<T>,
    /// The sample's spikes so far.
    pub(crate) found: Found<T>,
}

/// Arrivals of one time that are added in one go, the last of them with the step that follows.
const AT_ONCE: usize = 4;

/// Neurons that may cross in an interval from which on they are sifted.
const MANY: u32 = 24;

/// The reach of an interval up to which the bound is not worth sifting after.
const SHORT: f64 = 0.01;

/// Runs the neurons of a tile through one sample, group by group, and leaves their spikes in
/// `state.found`; false if a neuron runs away. What a block does does not depend on
/// its neighbours: they share the walk through the arrivals, and their crossings are solved together.
#[inline(always)]
pub(crate) fn walk<T: LaneReal>(
    roots: &impl Roots<T>,
    tile: &Tile<'_, T>,
    stream: &Stream<T>,
    state: &mut State<T>,
) -> bool {
    if tile.blocks.len() == 1 {
        return if tile.half {
            walk_one::<T, T::Half>(roots, tile, stream, &mut state.found)
        } else {
            walk_one::<T, T::Lanes>(roots, tile, stream, &mut state.found)
        };
    }
    let threshold = &tile.neurons.threshold[tile.blocks.clone()];
    state.start(tile);
    let (mut event, sources) = (0, stream.sources());
    // How far the currents have decayed since they were stored.
    let mut syn = T::one();
    let groups = stream.groups();
    for index in 0..groups.len() {
        let group = &groups.at(index);
        let sources = &sources[event..group.end as usize];
        event = group.end as usize;
        let (mut first, mut last) = sources.split_at(sources.len() / AT_ONCE * AT_ONCE);
        if last.is_empty() && !first.is_empty() {
            (first, last) = sources.split_at(sources.len() - AT_ONCE);
        }
        for chunk in first.chunks_exact(AT_ONCE) {
            state.arrive(tile, chunk, syn);
            syn = T::one();
        }
        std::mem::swap(&mut state.before, &mut state.u);
        let row = |source| tile.row(source);
        let any = match *last {
            [a, b, c, d] => state.step([row(a), row(b), row(c), row(d)], syn, group, threshold),
            [a, b, c] => state.step([row(a), row(b), row(c)], syn, group, threshold),
            [a, b] => state.step([row(a), row(b)], syn, group, threshold),
            [a] => state.step([row(a)], syn, group, threshold),
            _ => state.step([], syn, group, threshold),
        };
        syn = group.syn;
        if any && !state.cross(roots, tile, group, index as u32) {
            return false;
        }
    }
    true
}

/// The same to the bit for one block, or the first half of one, which stays in registers.
#[inline(always)]
fn walk_one<T: LaneReal, L: Lanes<Scalar = T>>(
    roots: &impl Roots<T>,
    tile: &Tile<'_, T>,
    stream: &Stream<T>,
    found: &mut Found<T>,
) -> bool {
    let (splat, block) = (L::splat, tile.blocks.start);
    let load = T::first_lanes::<L>;
    let threshold = load(&tile.neurons.threshold[block]);
    let reset = load(&tile.neurons.reset[block]);
    let first = (block * LANES) as u32;
    let (mut u, mut current) = (load(&tile.neurons.start[block]), L::zero());
    let (mut event, sources) = (0, stream.sources());
    let mut syn = T::one();
    let groups = stream.groups();
    let mut index = 0;
    loop {
        // Up to the next interval in which one may cross: a loop that calls nothing.
        let mut suspected = None;
        for (mem, syn_after, drive, reach, end) in groups.steps_from(index) {
            let sources = sources[event..end as usize].iter();
            event = end as usize;
            let mut rows =
                sources.map(|&source| load(&tile.weights[source as usize * tile.stride + block]));
            let first = match rows.next() {
                Some(row) => current.mul_add(splat(syn), row),
                None => current * splat(syn),
            };
            current = rows.fold(first, |sum, row| sum + row);
            syn = syn_after;
            let u_end = current.mul_add(splat(drive), u * splat(mem));
            let suspects = suspects(threshold, current, u_end, splat(reach));
            index += 1;
            if suspects.bytes() != [0; 2] {
                suspected = Some((u_end, suspects));
                break;
            }
            u = u_end;
        }
        let Some((u_end, suspects)) = suspected else { return true };
        let interval = index - 1;
        found.begin_interval();
        let contenders = Contenders { u, current, u_end, threshold, reset };
        let ended = contenders.spikes_between(
            roots,
            suspects,
            &groups.at(interval),
            interval as u32,
            |lane| first + lane as u32,
            &mut found.spikes,
        );
        let Some(ended) = ended else { return false };
        u = ended;
    }
}

impl<T: LaneReal> Tile<'_, T> {
    /// The weights from a sending neuron.
    #[inline(always)]
    fn row(&self, source: u32) -> &[T::Lanes] {
        let first = source as usize * self.stride;
        &self.weights[first + self.blocks.start..first + self.blocks.end]
    }
}

impl<T: LaneReal> State<T> {
    fn start(&mut self, tile: &Tile<'_, T>) {
        let blocks = tile.blocks.len();
        self.u.clear();
        self.u.extend_from_slice(&tile.neurons.start[tile.blocks.clone()]);
        self.before.resize(blocks, T::Lanes::zero());
        self.masks.clear();
        self.masks.resize(blocks.next_multiple_of(4), [0; 2]);
        self.current.clear();
        self.current.resize(blocks, T::Lanes::zero());
    }

    /// Arrivals without a step.
    fn arrive(&mut self, tile: &Tile<'_, T>, sources: &[u32], syn: T) {
        let &[a, b, c, d] = sources else { return };
        let rows = tile.row(a).iter().zip(tile.row(b)).zip(tile.row(c).iter().zip(tile.row(d)));
        let syn = T::Lanes::splat(syn);
        for (current, ((&a, &b), (&c, &d))) in self.current.iter_mut().zip(rows) {
            *current = current.mul_add(syn, a) + b + c + d;
        }
    }

    /// Arrivals and the interval that follows; whether a neuron may cross in it. Most intervals have none, so
    /// which ones is left to [`Self::mark`].
    #[inline(always)]
    fn step<const K: usize>(
        &mut self,
        mut rows: [&[T::Lanes]; K],
        syn: T,
        group: &Group<T>,
        threshold: &[T::Lanes],
    ) -> bool {
        let splat = T::Lanes::splat;
        let blocks = threshold.len();
        for row in &mut rows {
            *row = &row[..blocks];
        }
        let before = &self.before[..blocks];
        let (u, current) = (&mut self.u[..blocks], &mut self.current[..blocks]);
        let (syn, mem, drive) = (splat(syn), splat(group.mem), splat(group.drive));
        let reach = splat(group.reach);
        let mut any = T::Lanes::zero();
        for block in 0..blocks {
            let mut sum = match rows.first() {
                Some(row) => current[block].mul_add(syn, row[block]),
                None => current[block] * syn,
            };
            for row in rows.iter().skip(1) {
                sum = sum + row[block];
            }
            let kept = before[block] * mem;
            let end = sum.mul_add(drive, kept);
            (u[block], current[block]) = (end, sum);
            any = any | suspects(threshold[block], sum, end, reach);
        }
        any.bytes() != [0; 2]
    }

    /// Marks the neurons that may cross in the interval.
    #[inline(always)]
    fn mark(&mut self, threshold: &[T::Lanes], group: &Group<T>) {
        let reach = T::Lanes::splat(group.reach);
        let blocks = self.current.iter().zip(&self.u).zip(threshold);
        for (mask, ((&current, &end), &threshold)) in self.masks.iter_mut().zip(blocks) {
            *mask = suspects(threshold, current, end, reach).bytes();
        }
    }

    /// Unmarks, where many are marked, those that turn round below the threshold: a block at a time
    /// that is cheaper than one by one. Over a short interval few do.
    #[inline(always)]
    fn sift(&mut self, roots: &impl Roots<T>, threshold: &[T::Lanes], group: &Group<T>) {
        if group.reach < T::of(SHORT) {
            return;
        }
        let words = self.masks.as_flattened().as_chunks().0;
        if words.iter().map(|&word| u64::from_le_bytes(word).count_ones()).sum::<u32>() < MANY {
            return;
        }
        let blocks = self.before.iter().zip(&self.current).zip(self.u.iter().zip(threshold));
        for (mask, ((&u, &current), (&u_end, &threshold))) in self.masks.iter_mut().zip(blocks) {
            if *mask != [0; 2] {
                let above = u_end.gt(threshold) | roots.peak_above(u, current, threshold);
                let [low, high] = above.bytes();
                *mask = [mask[0] & low, mask[1] & high];
            }
        }
    }

    /// Finds the crossings of the neurons that may cross.
    #[inline(always)]
    fn cross(
        &mut self,
        roots: &impl Roots<T>,
        tile: &Tile<'_, T>,
        group: &Group<T>,
        index: u32,
    ) -> bool {
        let threshold = &tile.neurons.threshold[tile.blocks.clone()];
        self.mark(threshold, group);
        self.sift(roots, threshold, group);
        let suspects = places(&self.masks, &mut self.suspects);
        let course = Course {
            u: T::Lanes::scalars(&self.before),
            current: T::Lanes::scalars(&self.current),
            u_end: T::Lanes::scalars_mut(&mut self.u),
            threshold: T::Lanes::scalars(threshold),
            reset: T::Lanes::scalars(&tile.neurons.reset[tile.blocks.clone()]),
            first: tile.blocks.start,
        };
        self.found.begin_interval();
        let spikes = &mut self.found.spikes;
        self.gathered.spikes_between(roots, course, suspects, group, index, spikes)
    }
}
