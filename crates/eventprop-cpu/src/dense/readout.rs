use super::adjoints::{Adjoints, Scratch};
use super::backward::{Adjoint, Forcing, Injection};
use super::{Blocks, Cut};
use crate::decay::Decay;
use crate::lanes::{LANES, LaneReal, Lanes};
use crate::math::exp;
use crate::stream::Stream;
use rayon::prelude::*;
use std::cmp::Reverse;

/// A dense layer of leaky integrators, measured on their voltages.
pub(crate) struct ReadoutLayer<T: LaneReal> {
    blocks: Blocks,
    decay: Decay<T>,
    bias: Vec<T::Lanes>,
    measure: Measure<T>,
    cut: Cut,
    /// `[block][run]`.
    walks: Vec<Walk<T>>,
    adjoints: Adjoints<T>,
}

/// What is measured of each voltage.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Measure<T> {
    /// Its maximum, at least 0.
    Max,
    /// Its mean over the duration, weighted by exp(-rate t).
    Mean {
        /// In 1/ms.
        rate: T,
        /// In ms.
        duration: T,
    },
}

/// A block and a run of samples, run forward.
#[derive(Clone, Debug, Default)]
struct Walk<T: LaneReal> {
    /// The measurement of each sample's voltages.
    values: Vec<T::Lanes>,
    /// Where each sample's voltages had their maximum.
    peaks: Vec<Peak<T::Lanes>>,
    factors: Vec<T>,
    course: Course<T::Lanes>,
}

/// The maximum of sixteen voltages.
#[derive(Clone, Copy, Debug, Default)]
struct Peak<L> {
    voltage: L,
    /// 2 g + 1 at the time of group g (after the last group: the end), 2 g + 2 inside the interval that
    /// follows it, 0 at the very start.
    place: L,
    /// Inside an interval: ms from its start.
    elapsed: L,
    /// At a group: the current just before it.
    current: L,
}

impl<T: LaneReal> ReadoutLayer<T> {
    pub(crate) fn new(
        blocks: Blocks,
        decay: Decay<T>,
        bias: Vec<T::Lanes>,
        measure: Measure<T>,
    ) -> Self {
        let (cut, walks, adjoints) = (Cut::new(0), Vec::new(), Adjoints::default());
        Self { blocks, decay, bias, measure, cut, walks, adjoints }
    }

    /// Runs every neuron through the batch and writes its measurements to `values`
    /// (`[sample][neuron]`).
    pub(crate) fn forward(
        &mut self,
        weights: &[T::Lanes],
        streams: &[Stream<T>],
        values: &mut [T],
    ) {
        self.cut = Cut::new(streams.len());
        let (cut, runs, stride) = (self.cut, self.cut.runs(), self.blocks.count());
        self.walks.resize_with(self.blocks.count() * runs, Walk::default);
        let (decay, measure, bias) = (&self.decay, self.measure, &self.bias);
        self.walks.par_iter_mut().enumerate().for_each(|(index, walk)| {
            let (block, run) = (index / runs, cut.samples(index % runs));
            let weights = Column { weights, stride, block };
            walk.run(&weights, bias[block], decay, measure, &streams[run]);
        });
        for (sample, values) in values.chunks_exact_mut(self.blocks.targets).enumerate() {
            let (run, place) = cut.find(sample);
            for (block, values) in values.chunks_mut(LANES).enumerate() {
                let lanes = self.walks[block * runs + run].values[place].to_array();
                values.copy_from_slice(&lanes[..values.len()]);
            }
        }
    }

    /// Runs the adjoint backward from the loss's derivatives by the measurements
    /// (`[sample][neuron]`), leaves the gradient by the weights in `gradient` and, where wanted, the
    /// errors of the arrivals in `streams`.
    pub(crate) fn backward(
        &mut self,
        weights: &[T::Lanes],
        gradient: &mut [T::Lanes],
        streams: &mut [Stream<T>],
        derivatives: &[T],
        errors_below: bool,
    ) {
        let mut adjoints = std::mem::take(&mut self.adjoints);
        let (targets, decay) = (self.blocks.targets, &self.decay);
        adjoints.run(
            self.blocks,
            weights,
            gradient,
            streams,
            errors_below,
            |scratch, sample, mut sweep| {
                let blocks = sweep.blocks.clone();
                let derivative = |block: usize| {
                    let first = sample * targets + block * LANES;
                    let count = (targets - block * LANES).min(LANES);
                    let mut lanes = [T::zero(); LANES];
                    lanes[..count].copy_from_slice(&derivatives[first..first + count]);
                    T::Lanes::from_array(lanes)
                };
                let (run, place) = self.cut.find(sample);
                let peak = |block: usize| &self.walks[block * self.cut.runs() + run].peaks[place];
                let mut adjoint = Adjoint {
                    ratio: decay.adjoint_ratio(),
                    scale: -decay.tau_syn.recip(),
                    injections: &[],
                    forcing: None,
                };
                match self.measure {
                    Measure::Max => {
                        scratch.injections.clear();
                        for (place, block) in blocks.clone().enumerate() {
                            let (peak, first) = (peak(block), (place * LANES) as u32);
                            let injections = &mut scratch.injections;
                            inject(peak, derivative(block), decay, sweep.stream, first, injections);
                        }
                        scratch.injections.sort_unstable_by_key(|injection| {
                            (Reverse(injection.interval), injection.place)
                        });
                        adjoint.injections = &scratch.injections;
                        sweep.run(&adjoint);
                        if let Some(errors) = &mut sweep.errors {
                            for (place, block) in blocks.clone().enumerate() {
                                let (peak, derivative) = (peak(block), derivative(block));
                                let add = |event: usize, error| {
                                    errors[event * blocks.len() + place] += error;
                                };
                                move_kinks(peak, derivative, decay, sweep.stream, add);
                            }
                        }
                    }
                    Measure::Mean { rate, duration } => {
                        let Scratch { factors, amplitudes, .. } = scratch;
                        set_factors(factors, rate, duration, sweep.stream);
                        let mean = Mean { rate, duration, factors };
                        amplitudes.clear();
                        amplitudes
                            .extend(blocks.map(|block| mean.forcing(derivative(block), decay)));
                        adjoint.forcing = Some(Forcing { amplitudes, factors });
                        sweep.run(&adjoint);
                    }
                }
            },
        );
        self.adjoints = adjoints;
    }
}

impl<T: LaneReal> Walk<T> {
    fn run(
        &mut self,
        weights: &Column<'_, T>,
        bias: T::Lanes,
        decay: &Decay<T>,
        measure: Measure<T>,
        streams: &[Stream<T>],
    ) {
        self.values.clear();
        self.peaks.clear();
        for stream in streams {
            match measure {
                Measure::Max => {
                    let peak = highest(weights, bias, decay, stream, &mut self.course);
                    self.values.push(peak.voltage + bias);
                    self.peaks.push(peak);
                }
                Measure::Mean { rate, duration } => {
                    set_factors(&mut self.factors, rate, duration, stream);
                    let mean = Mean { rate, duration, factors: &self.factors };
                    self.values.push(mean.value(weights, bias, decay, stream));
                }
            }
        }
    }
}

/// The weights to one block.
struct Column<'a, T: LaneReal> {
    weights: &'a [T::Lanes],
    stride: usize,
    block: usize,
}

impl<T: LaneReal> Column<'_, T> {
    /// `sum` and the weights from `sources`.
    #[inline(always)]
    fn add_to(&self, sum: T::Lanes, sources: &[u32]) -> T::Lanes {
        let rows = sources.iter().map(|&source| source as usize * self.stride + self.block);
        rows.fold(sum, |sum, row| sum + self.weights[row])
    }
}

/// A block's way through a sample.
#[derive(Clone, Debug, Default)]
struct Course<L> {
    intervals: Vec<Interval<L>>,
    /// Those in which a voltage turned above what was the highest by then.
    turns: Vec<u32>,
}

/// A block's currents at the start of an interval and voltages at its end.
#[derive(Clone, Copy, Debug, Default)]
struct Interval<L> {
    current: L,
    u_end: L,
}

/// Follows a block's voltages through one sample to their maxima: first those at the ends of
/// intervals, then those inside, few of which can be higher.
#[inline(always)]
fn highest<T: LaneReal>(
    weights: &Column<'_, T>,
    bias: T::Lanes,
    decay: &Decay<T>,
    stream: &Stream<T>,
    course: &mut Course<T::Lanes>,
) -> Peak<T::Lanes> {
    let mut peak = follow(weights, bias, stream, course);
    look_inside(&mut peak, bias, decay, stream, course);
    // The current just before the group at which a voltage was highest.
    let mut current = [T::zero(); LANES];
    for (lane, (current, place)) in current.iter_mut().zip(peak.place.to_array()).enumerate() {
        let interval = (place.as_f64() as usize).wrapping_sub(3) / 2;
        if let Some(of_interval) = course.intervals.get(interval) {
            *current = of_interval.current.to_array()[lane] * stream.groups()[interval].syn;
        }
    }
    peak.current = T::Lanes::from_array(current);
    peak
}

/// Currents and voltages from group to group, and the maxima at the ends of intervals.
#[inline(always)]
fn follow<T: LaneReal>(
    weights: &Column<'_, T>,
    bias: T::Lanes,
    stream: &Stream<T>,
    Course { intervals, turns }: &mut Course<T::Lanes>,
) -> Peak<T::Lanes> {
    intervals.resize(stream.groups().len(), Interval::default());
    turns.clear();
    let (mut u, mut current) = (-bias, T::Lanes::zero());
    let mut peak = Peak { voltage: u, ..Peak::default() };
    // Counted in the scalar itself: exact, for there are far fewer groups than it has integers.
    let (mut place, two) = (T::one(), T::of(2.0));
    let (mut event, sources) = (0, stream.sources());
    for (index, (group, interval)) in stream.groups().iter().zip(intervals).enumerate() {
        current = weights.add_to(current, &sources[event..group.end as usize]);
        event = group.end as usize;
        let kept = u * T::Lanes::splat(group.mem);
        let u_end = current.mul_add(T::Lanes::splat(group.drive), kept);
        *interval = Interval { current, u_end };
        let current_end = current * T::Lanes::splat(group.syn);
        let turning = turns_above(peak.voltage, u, current, u_end, current_end);
        if turning.bytes() != [0; 2] {
            turns.push(index as u32);
        }
        place += two;
        let higher = u_end.gt(peak.voltage);
        peak.voltage = peak.voltage.fast_max(u_end);
        peak.place = peak.place.fast_max(higher & T::Lanes::splat(place));
        (u, current) = (u_end, current_end);
    }
    peak
}

/// Where a voltage may turn above `height` inside an interval: it rises at the start, falls at the end,
/// and the current at the start bounds what lies between.
#[inline(always)]
fn turns_above<L: Lanes>(height: L, u: L, current: L, u_end: L, current_end: L) -> L {
    current.gt(u) & u_end.gt(current_end) & current.gt(height)
}

/// Adds the maxima inside intervals, where they are higher.
#[inline(always)]
fn look_inside<T: LaneReal>(
    peak: &mut Peak<T::Lanes>,
    bias: T::Lanes,
    decay: &Decay<T>,
    stream: &Stream<T>,
    Course { intervals, turns }: &Course<T::Lanes>,
) {
    for &turn in turns {
        let index = turn as usize;
        let Interval { current, u_end } = intervals[index];
        let u = if index == 0 { -bias } else { intervals[index - 1].u_end };
        let current_end = current * T::Lanes::splat(stream.groups()[index].syn);
        // By now the highest may be higher.
        let inside = turns_above(peak.voltage, u, current, u_end, current_end);
        if inside.bytes() != [0; 2] {
            peak.take_inside(inside, u, current, decay, index);
        }
    }
}

impl<L: Lanes> Peak<L> {
    /// Takes the maxima inside an interval, of the lanes that have one there, where they are higher.
    #[inline(always)]
    fn take_inside(
        &mut self,
        inside: L,
        u: L,
        current: L,
        decay: &Decay<L::Scalar>,
        interval: usize,
    ) {
        let elapsed = decay.time_of_maximum(u, current);
        // There the voltage equals the current.
        let height = current * exp(-elapsed / L::splat(decay.tau_syn));
        let higher = inside & height.gt(self.voltage);
        self.voltage = higher.select(height, self.voltage);
        self.place = higher.select(L::of((2 * interval + 2) as f64), self.place);
        self.elapsed = higher.select(elapsed, self.elapsed);
    }
}

/// The jumps of mu_V at the maxima: lambda_V grows by -1/tau_mem times the derivative.
fn inject<T: LaneReal>(
    peak: &Peak<T::Lanes>,
    derivative: T::Lanes,
    decay: &Decay<T>,
    stream: &Stream<T>,
    first: u32,
    injections: &mut Vec<Injection<T>>,
) {
    let jump = (derivative * T::Lanes::splat(decay.adjoint_ratio().recip())).to_array();
    let inside = decay.step(peak.elapsed);
    let (mem, drive) = (inside.mem.to_array(), inside.drive.to_array());
    for (lane, &place) in peak.place.to_array().iter().enumerate() {
        // The maximum at the start is no function of anything; one at a group ends an interval.
        let place = place.as_f64() as usize;
        let Some(interval) = (place / 2).checked_sub(1) else { continue };
        let is_inside = place.is_multiple_of(2);
        let group = &stream.groups()[interval];
        let (mem, drive) =
            if is_inside { (mem[lane], drive[lane]) } else { (group.mem, group.drive) };
        injections.push(Injection {
            voltage: jump[lane] * mem,
            current: jump[lane] * drive * decay.adjoint_ratio(),
            interval: interval as u32,
            place: first + lane as u32,
        });
    }
}

/// A maximum at an arrival, where the voltage turns, moves with the arrival: its derivative by that
/// time is the slope before it.
fn move_kinks<T: LaneReal>(
    peak: &Peak<T::Lanes>,
    derivative: T::Lanes,
    decay: &Decay<T>,
    stream: &Stream<T>,
    mut add: impl FnMut(usize, T),
) {
    let slope = (peak.current - peak.voltage) / T::Lanes::splat(decay.tau_mem);
    let moved = (slope * derivative).to_array();
    for (lane, &place) in peak.place.to_array().iter().enumerate() {
        let place = place.as_f64() as usize;
        let at_group = place > 1 && !place.is_multiple_of(2);
        if at_group && let Some(group) = stream.groups().get(place / 2) {
            let first = stream.groups()[place / 2 - 1].end;
            if first < group.end {
                add(first as usize, moved[lane]);
            }
        }
    }
}

/// A mean of voltages over the duration T, weighted by f(t) = exp(-rate t).
#[derive(Clone, Copy)]
struct Mean<'a, T> {
    rate: T,
    duration: T,
    /// f at each group's time and at the end.
    factors: &'a [T],
}

impl<T: LaneReal> Mean<'_, T> {
    /// The integrals follow from the equations by parts, with F the weighted sum of the weights that
    /// arrived: J = integral of f I = tau_syn (F - f(T) I(T)) / (1 + rate tau_syn), and the integral
    /// of f u = (J - tau_mem (f(T) u(T) - u(0))) / (1 + rate tau_mem).
    fn value(
        &self,
        weights: &Column<'_, T>,
        bias: T::Lanes,
        decay: &Decay<T>,
        stream: &Stream<T>,
    ) -> T::Lanes {
        let splat = T::Lanes::splat;
        let (mut u, mut current, mut arrived) = (-bias, T::Lanes::zero(), T::Lanes::zero());
        let mut event = 0;
        for (group, &factor) in stream.groups().iter().zip(self.factors) {
            let sum =
                weights.add_to(T::Lanes::zero(), &stream.sources()[event..group.end as usize]);
            event = group.end as usize;
            arrived = sum.mul_add(splat(factor), arrived);
            current = current + sum;
            u = u.mul_add(splat(group.mem), current * splat(group.drive));
            current = current * splat(group.syn);
        }
        let last = splat(self.factors[stream.groups().len()]);
        let (rate, one) = (self.rate, T::one());
        let currents =
            (arrived - last * current) * splat(decay.tau_syn / decay.tau_syn.mul_add(rate, one));
        let voltages = (currents - splat(decay.tau_mem) * last.mul_add(u, bias))
            * splat(decay.tau_mem.mul_add(rate, one).recip());
        let weight = if rate == T::zero() {
            one
        } else {
            (one - self.factors[stream.groups().len()]) / (rate * self.duration)
        };
        bias.mul_add(splat(weight), voltages * splat(self.duration.recip()))
    }

    /// With l = a f the loss's drive, a = derivative/T: lambda_V = -l / (1 + rate tau_mem) and
    /// lambda_I = lambda_V / (1 + rate tau_syn) solve the adjoint equations.
    fn forcing(self, derivative: T::Lanes, decay: &Decay<T>) -> (T::Lanes, T::Lanes) {
        let one = T::one();
        let voltage = derivative
            * T::Lanes::splat(
                decay.tau_syn / self.duration / decay.tau_mem.mul_add(self.rate, one),
            );
        let current = voltage * T::Lanes::splat(decay.tau_syn.mul_add(self.rate, one).recip());
        (voltage, current)
    }
}

fn set_factors<T: LaneReal>(factors: &mut Vec<T>, rate: T, duration: T, stream: &Stream<T>) {
    factors.clear();
    factors.extend_from_slice(stream.times());
    factors.push(duration);
    for chunk in factors.chunks_mut(LANES) {
        let mut times = [T::zero(); LANES];
        times[..chunk.len()].copy_from_slice(chunk);
        let lanes = exp(T::Lanes::from_array(times) * T::Lanes::splat(-rate)).to_array();
        chunk.copy_from_slice(&lanes[..chunk.len()]);
    }
}
