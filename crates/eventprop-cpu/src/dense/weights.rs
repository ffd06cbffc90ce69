use crate::lanes::{LANES, LaneReal, Lanes};

/// The shape of a dense connection's weights (and of their gradients and moments) in blocks:
/// `[source][block]`, a row holding the weights from one source to all targets, sixteen to a block.
/// Lanes beyond the last target are zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Blocks {
    /// The number of sending neurons: rows.
    pub(crate) sources: usize,
    /// The number of receiving neurons.
    pub(crate) targets: usize,
}

/// The weights of a connection and where the gradient by them goes.
pub(crate) struct Rows<'a, T: LaneReal> {
    pub(crate) weights: &'a [T::Lanes],
    pub(crate) gradient: &'a mut [T::Lanes],
}

impl Blocks {
    /// The number of blocks.
    pub(crate) fn count(&self) -> usize {
        self.targets.div_ceil(LANES)
    }

    /// The number of blocks in all rows.
    pub(crate) fn len(&self) -> usize {
        self.count() * self.sources
    }

    /// The number of weights.
    pub(crate) fn weights(&self) -> u64 {
        (self.sources * self.targets) as u64
    }

    /// Fills rows from `[source][target]`.
    pub(crate) fn pack<T: LaneReal>(&self, flat: &[T], rows: &mut [T::Lanes]) {
        let rows = T::Lanes::scalars_mut(rows);
        for (source, weights) in flat.chunks_exact(self.targets).enumerate() {
            for (target, &weight) in weights.iter().enumerate() {
                rows[self.position(source, target)] = weight;
            }
        }
    }

    /// The rows as `[source][target]`.
    pub(crate) fn unpack<T: LaneReal>(&self, rows: &[T::Lanes]) -> Vec<T> {
        let rows = T::Lanes::scalars(rows);
        (0..self.sources)
            .flat_map(|source| (0..self.targets).map(move |target| (source, target)))
            .map(|(source, target)| rows[self.position(source, target)])
            .collect()
    }

    fn position(&self, source: usize, target: usize) -> usize {
        source * self.count() * LANES + target
    }
}

/// One value a target, in blocks; lanes beyond the last target hold `fill`.
pub(crate) fn pack_targets<T: LaneReal>(
    targets: usize,
    fill: T,
    value: impl Fn(usize) -> T,
) -> Vec<T::Lanes> {
    (0..targets.div_ceil(LANES))
        .map(|block| {
            T::Lanes::from_array(std::array::from_fn(|lane| {
                let target = block * LANES + lane;
                if target < targets { value(target) } else { fill }
            }))
        })
        .collect()
}
