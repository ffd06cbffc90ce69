use crate::lanes::{LANES, LaneReal, Lanes};
use crate::stream::Stream;

/// A jump of one neuron's mu inside an interval, carried back to the interval's start.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Injection<T> {
    /// Added to mu_V.
    pub(super) voltage: T,
    /// Added to mu_I.
    pub(super) current: T,
    /// The group that opened the interval.
    pub(super) interval: u32,
    /// Its block's place among those swept.
    pub(super) block: u32,
    /// The neuron's place in its block.
    pub(super) lane: u32,
}

/// A tile and what arrives at it, ready for the adjoint to be swept backward. Other than in a dense
/// layer, a source is the first of the rows that lead to the tile.
pub(super) struct Sweep<'a, T: LaneReal> {
    /// The rows of weights.
    pub(super) weights: &'a [T::Lanes],
    /// The gradient by them, added to.
    pub(super) gradient: &'a mut [T::Lanes],
    /// What arrived.
    pub(super) stream: &'a Stream<T>,
    /// Where wanted, the errors of the arrivals: w (lambda_V - lambda_I) summed over the tile is
    /// added to each.
    pub(super) errors: Option<&'a mut [T]>,
    /// See [`units`].
    pub(super) units: &'a [T::Lanes; LANES],
    /// tau_mem / tau_syn.
    pub(super) ratio: T,
    /// -1 / tau_syn.
    pub(super) scale: T,
}

/// As many blocks of a tile are swept together: their adjoints stay in registers.
pub(super) const SIDE_BY_SIDE: usize = 2;

impl<T: LaneReal> Sweep<'_, T> {
    /// Sweeps `N` blocks of the tile from `first` on, from the interval of the last injection; they
    /// descend by interval. It carries mu = -tau_syn lambda: the gradient by a weight is then mu_I
    /// itself at the arrival.
    pub(super) fn run<const N: usize>(&mut self, first: usize, injections: &[Injection<T>]) {
        let Some(last) = injections.first() else { return };
        let sources = self.stream.sources();
        let mut injections = injections.iter().peekable();
        let (mut voltage, mut current) = ([T::Lanes::zero(); N], [T::Lanes::zero(); N]);
        let groups = self.stream.first(last.interval as usize + 1);
        for index in (0..groups.len()).rev() {
            let group = groups.at(index);
            let drive = T::Lanes::splat(group.drive * self.ratio);
            let (syn, mem) = (T::Lanes::splat(group.syn), T::Lanes::splat(group.mem));
            for block in 0..N {
                current[block] = current[block].mul_add(syn, voltage[block] * drive);
                voltage[block] = voltage[block] * mem;
            }
            while let Some(injection) =
                injections.next_if(|injection| injection.interval as usize == index)
            {
                let lane = self.units[injection.lane as usize % LANES];
                let (by_voltage, by_current) =
                    (T::Lanes::splat(injection.voltage), T::Lanes::splat(injection.current));
                for block in (0..N).filter(|&block| block == injection.block as usize) {
                    voltage[block] = lane.mul_add(by_voltage, voltage[block]);
                    current[block] = lane.mul_add(by_current, current[block]);
                }
            }
            let difference: [T::Lanes; N] =
                std::array::from_fn(|block| voltage[block] - current[block]);
            for event in group.events() {
                let row = sources[event] as usize + first;
                for (gradient, current) in self.gradient[row..row + N].iter_mut().zip(current) {
                    *gradient = *gradient + current;
                }
                if let Some(errors) = self.errors.as_deref_mut() {
                    let rows = self.weights[row..row + N].iter().zip(difference);
                    let sum = rows.fold(T::Lanes::zero(), |sum, (&weights, difference)| {
                        weights.mul_add(difference, sum)
                    });
                    errors[event] = sum.sum().mul_add(self.scale, errors[event]);
                }
            }
        }
    }
}

/// The unit vectors of a block: multiples of them reach single lanes without leaving the registers.
pub(super) fn units<T: LaneReal>() -> [T::Lanes; LANES] {
    std::array::from_fn(|unit| {
        T::Lanes::from_array(std::array::from_fn(|lane| T::of(f64::from(lane == unit))))
    })
}
