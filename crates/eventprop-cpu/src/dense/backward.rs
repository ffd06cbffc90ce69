use super::injections::{Injection, Injections};
use crate::lanes::{LaneReal, Lanes};
use crate::stream::Stream;
use std::ops::Range;

/// A run of blocks and a sample, ready for the adjoint to be swept backward through the sample's
/// arrivals.
pub(crate) struct Sweep<'a, T: LaneReal> {
    /// The blocks of the layer that are swept.
    pub(crate) blocks: Range<usize>,
    /// The rows of the layer's weights.
    pub(crate) weights: &'a [T::Lanes],
    /// The blocks in such a row.
    pub(crate) stride: usize,
    /// Whether the first half of a block holds all the layer's neurons.
    pub(crate) half: bool,
    /// The gradient by the weights from each sending neuron to the blocks, row by row, added to.
    pub(crate) gradient: &'a mut [T::Lanes],
    /// What arrived.
    pub(crate) stream: &'a Stream<T>,
    /// Where wanted, the errors of the arrivals, `[event][block]`: the sum over a block of
    /// w (lambda_V - lambda_I).
    pub(crate) errors: Option<&'a mut [T]>,
    /// Scratch for mu.
    pub(crate) mu: &'a mut Mu<T>,
}

/// What the sweep carries: mu = -tau_syn lambda. The gradient by a weight is then mu_I itself at the
/// arrival.
#[derive(Clone, Debug, Default)]
pub(crate) struct Mu<T: LaneReal> {
    voltage: Vec<T::Lanes>,
    current: Vec<T::Lanes>,
}

/// Everything that drives the adjoint of a run of blocks in one sample.
pub(crate) struct Adjoint<'a, T: LaneReal> {
    /// tau_mem / tau_syn: from the drive of a step to that of its adjoint.
    pub(crate) ratio: T,
    /// -1 / tau_syn: from mu to lambda.
    pub(crate) scale: T,
    /// Jumps of the neurons that are swept, descending by interval.
    pub(crate) injections: &'a [Injection<T>],
    /// A drive all along.
    pub(crate) forcing: Option<Forcing<'a, T>>,
}

/// The answer to a loss on a weighted mean of the voltage: beside what [`Injection`]s bring, mu_V and
/// mu_I hold amplitudes times a factor that the time alone decides.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Forcing<'a, T: LaneReal> {
    /// The amplitudes in mu_V and mu_I, block by block.
    pub(crate) amplitudes: &'a [(T::Lanes, T::Lanes)],
    /// The factor at each group's time and, last, at the end of the simulation.
    pub(crate) factors: &'a [T],
}

/// Arrivals of one time that are added in one go.
const AT_ONCE: usize = 4;

/// Below it a shared decay is applied, so that nothing grows out of range.
const LEAST_DECAY: f64 = 1e-6;

impl<T: LaneReal> Sweep<'_, T> {
    /// Sweeps from the interval of the last injection, or from the end of the simulation under a
    /// forcing.
    #[inline(always)]
    pub(crate) fn run(&mut self, adjoint: &Adjoint<'_, T>) {
        match (self.errors.is_some(), adjoint.forcing.is_some()) {
            (true, false) if self.half => self.run_one::<T::Half>(adjoint),
            (true, false) if self.blocks.len() == 1 => self.run_one::<T::Lanes>(adjoint),
            (false, false) => self.run_plain(adjoint),
            (false, true) => self.run_with::<false, true>(adjoint),
            (true, false) => self.run_with::<true, false>(adjoint),
            (true, true) => self.run_with::<true, true>(adjoint),
        }
    }

    /// The same to the bit for one block, or the first half of one, with errors and without forcing: mu
    /// stays in registers.
    fn run_one<L: Lanes<Scalar = T>>(&mut self, adjoint: &Adjoint<'_, T>) {
        let Self { stream, weights, errors, .. } = self;
        let Some(errors) = errors.as_deref_mut() else { return };
        let mut injections = Injections::of(adjoint.injections, &self.blocks);
        let Some(mut next) = injections.interval() else { return };
        let sources = stream.sources();
        let (mut voltage, mut current) = (L::zero(), L::zero());
        let groups = stream.first(next + 1);
        for index in (0..groups.len()).rev() {
            let group = groups.at(index);
            let drive = L::splat(group.drive * adjoint.ratio);
            current = current.mul_add(L::splat(group.syn), voltage * drive);
            voltage = voltage * L::splat(group.mem);
            if index == next {
                injections.take(index, |lane, injection| {
                    voltage = voltage + L::at(lane, injection.voltage);
                    current = current + L::at(lane, injection.current);
                });
                next = injections.interval().unwrap_or(usize::MAX);
            }
            let difference = voltage - current;
            let events = group.events();
            for (&source, error) in sources[events.clone()].iter().zip(&mut errors[events]) {
                let source = source as usize;
                T::add_to_first_lanes(&mut self.gradient[source], current);
                let weights =
                    T::first_lanes::<L>(&weights[source * self.stride + self.blocks.start]);
                *error = (weights * difference).sum() * adjoint.scale;
            }
        }
    }

    /// Without errors and forcing: nothing but gradients.
    fn run_plain(&mut self, adjoint: &Adjoint<'_, T>) {
        let Self { stream, gradient, mu, .. } = self;
        let mut injections = Injections::of(adjoint.injections, &self.blocks);
        let Some(last) = injections.interval() else { return };
        mu.start(self.blocks.len(), None, 0);
        // mu_V is kept as it was before it decayed, by a factor that all neurons share: those of other
        // threads too, so it is followed from the end of the stream.
        let (groups, sources) = (stream.groups(), stream.sources());
        let after = (last..groups.len().saturating_sub(1)).rev();
        let mut decayed = after.fold(T::one(), |decayed, before| {
            let decayed = decayed * groups.at(before).mem;
            if decayed < T::of(LEAST_DECAY) { T::one() } else { decayed }
        });
        for index in (0..=last).rev() {
            injections.take(index, |place, injection| {
                mu.inject(place, injection.voltage / decayed, injection.current);
            });
            let sources = &sources[groups.at(index).events()];
            let Some(before) = index.checked_sub(1).map(|before| groups.at(before)) else {
                mu.deposit(gradient, sources, T::zero(), T::one());
                return;
            };
            let drive = before.drive * adjoint.ratio * decayed;
            mu.deposit(gradient, sources, drive, before.syn);
            decayed *= before.mem;
            if decayed < T::of(LEAST_DECAY) {
                let factor = T::Lanes::splat(decayed);
                mu.voltage.iter_mut().for_each(|voltage| *voltage = *voltage * factor);
                decayed = T::one();
            }
        }
    }

    fn run_with<const ERRORS: bool, const FORCED: bool>(&mut self, adjoint: &Adjoint<'_, T>) {
        let mut injections = Injections::of(adjoint.injections, &self.blocks);
        let groups = match (adjoint.forcing, injections.interval()) {
            (Some(_), _) => self.stream.groups().len(),
            (None, Some(last)) => last + 1,
            (None, None) => return,
        };
        self.mu.start(self.blocks.len(), adjoint.forcing, groups);
        for index in (0..groups).rev() {
            let group = self.stream.groups().at(index);
            self.mu.step(group.mem, group.syn, group.drive * adjoint.ratio);
            let mu = &mut *self.mu;
            injections.take(index, |place, injection| {
                mu.inject(place, injection.voltage, injection.current);
            });
            for event in group.events() {
                match adjoint.forcing {
                    Some(forcing) if FORCED => {
                        let factor = T::Lanes::splat(forcing.factors[index]);
                        self.arrival::<ERRORS>(
                            event,
                            adjoint.scale,
                            |block, (voltage, current)| {
                                let (of_voltage, of_current) = forcing.amplitudes[block];
                                (
                                    of_voltage.mul_add(factor, voltage),
                                    of_current.mul_add(factor, current),
                                )
                            },
                        );
                    }
                    _ => self.arrival::<ERRORS>(event, adjoint.scale, |_, mu| mu),
                }
            }
        }
    }

    /// The gradient, and where wanted the errors, at one arrival, `forced` being the mu of a block
    /// with what a forcing adds.
    #[inline(always)]
    fn arrival<const ERRORS: bool>(
        &mut self,
        event: usize,
        scale: T,
        forced: impl Fn(usize, (T::Lanes, T::Lanes)) -> (T::Lanes, T::Lanes),
    ) {
        let source = self.stream.sources()[event] as usize;
        let mu = self.mu.voltage.iter().zip(&self.mu.current).enumerate();
        let mu = mu.map(|(block, (&voltage, &current))| forced(block, (voltage, current)));
        let width = self.blocks.len();
        let row = self.gradient[source * width..][..width].iter_mut();
        for (gradient, (_, current)) in row.zip(mu.clone()) {
            *gradient = *gradient + current;
        }
        if ERRORS && let Some(errors) = self.errors.as_deref_mut() {
            let row = source * self.stride;
            let row = &self.weights[row + self.blocks.start..row + self.blocks.end];
            let errors = errors[event * row.len()..].iter_mut();
            for (error, (&weights, (voltage, current))) in errors.zip(row.iter().zip(mu)) {
                *error = (weights * (voltage - current)).sum() * scale;
            }
        }
    }
}

impl<T: LaneReal> Mu<T> {
    /// Nothing is left at the end: what is not forced starts as its opposite.
    fn start(&mut self, blocks: usize, forcing: Option<Forcing<'_, T>>, groups: usize) {
        self.voltage.clear();
        self.current.clear();
        if let Some(forcing) = forcing {
            let last = T::Lanes::splat(-forcing.factors[groups]);
            self.voltage.extend(forcing.amplitudes.iter().map(|&(voltage, _)| voltage * last));
            self.current.extend(forcing.amplitudes.iter().map(|&(_, current)| current * last));
        }
        self.voltage.resize(blocks, T::Lanes::zero());
        self.current.resize(blocks, T::Lanes::zero());
    }

    #[inline(always)]
    fn step(&mut self, mem: T, syn: T, drive: T) {
        let splat = T::Lanes::splat;
        let (mem, syn, drive) = (splat(mem), splat(syn), splat(drive));
        for (voltage, current) in self.voltage.iter_mut().zip(&mut self.current) {
            *current = current.mul_add(syn, *voltage * drive);
            *voltage = *voltage * mem;
        }
    }

    /// Adds mu_I to the gradient of the arrivals from `sources`, then lets it decay over the interval
    /// before them while mu_V stays.
    #[inline(always)]
    fn deposit(&mut self, gradient: &mut [T::Lanes], sources: &[u32], drive: T, syn: T) {
        let step = (T::Lanes::splat(drive), T::Lanes::splat(syn));
        let (first, last) = sources.split_at(sources.len().saturating_sub(1) / AT_ONCE * AT_ONCE);
        for chunk in first.chunks_exact(AT_ONCE) {
            if let &[a, b, c, d] = chunk {
                self.add::<AT_ONCE, false>(gradient, [a, b, c, d], step);
            }
        }
        match *last {
            [a, b, c, d] => self.add::<4, true>(gradient, [a, b, c, d], step),
            [a, b, c] => self.add::<3, true>(gradient, [a, b, c], step),
            [a, b] => self.add::<2, true>(gradient, [a, b], step),
            [a] => self.add::<1, true>(gradient, [a], step),
            _ => self.add::<0, true>(gradient, [], step),
        }
    }

    #[inline(always)]
    fn add<const K: usize, const STEP: bool>(
        &mut self,
        gradient: &mut [T::Lanes],
        sources: [u32; K],
        (drive, syn): (T::Lanes, T::Lanes),
    ) {
        let blocks = self.current.len();
        let (voltage, current) = (&self.voltage[..blocks], &mut self.current[..blocks]);
        let rows = sources.map(|source| source as usize * blocks..(source as usize + 1) * blocks);
        let Ok(rows) = gradient.get_disjoint_mut(rows) else {
            return self.add_in_turn::<STEP>(gradient, &sources, (drive, syn));
        };
        let mut rows = rows.map(|row| &mut row[..blocks]);
        for block in 0..blocks {
            let now = current[block];
            for row in &mut rows {
                row[block] = row[block] + now;
            }
            if STEP {
                current[block] = now.mul_add(syn, voltage[block] * drive);
            }
        }
    }

    /// The same where a neuron spiked twice at one time.
    #[cold]
    fn add_in_turn<const STEP: bool>(
        &mut self,
        gradient: &mut [T::Lanes],
        sources: &[u32],
        (drive, syn): (T::Lanes, T::Lanes),
    ) {
        for &source in sources {
            let row = &mut gradient[source as usize * self.current.len()..];
            for (gradient, &current) in row.iter_mut().zip(&self.current) {
                *gradient = *gradient + current;
            }
        }
        for (&voltage, current) in self.voltage.iter().zip(&mut self.current).filter(|_| STEP) {
            *current = current.mul_add(syn, voltage * drive);
        }
    }

    #[inline(always)]
    fn inject(&mut self, place: usize, voltage: T, current: T) {
        T::Lanes::scalars_mut(&mut self.voltage)[place] += voltage;
        T::Lanes::scalars_mut(&mut self.current)[place] += current;
    }
}
