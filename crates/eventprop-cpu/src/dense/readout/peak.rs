use super::Column;
use crate::decay::Decay;
use crate::dense::injections::Injection;
use crate::lanes::{LaneReal, Lanes};
use crate::math::exp;
use crate::stream::Stream;

/// The maximum of sixteen voltages.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Peak<L> {
    pub(super) voltage: L,
    /// 2 g + 1 at the time of group g (after the last group: the end), 2 g + 2 inside the interval that
    /// follows it, 0 at the very start.
    place: L,
    /// Inside an interval: ms from its start.
    elapsed: L,
    /// At a group: the current just before it.
    current: L,
}

/// An interval in which a voltage turned above what was the highest by then.
#[derive(Clone, Copy, Debug)]
pub(super) struct Turn<L> {
    interval: u32,
    /// Voltages at its start.
    u: L,
    /// Currents at its start.
    current: L,
    /// Voltages at its end.
    u_end: L,
}

/// Follows a block's voltages through one sample to their maxima: first those at the ends of
/// intervals, then those inside, few of which can be higher. `turns` is scratch.
#[inline(always)]
pub(super) fn highest<T: LaneReal>(
    weights: &Column<'_, T>,
    bias: T::Lanes,
    decay: &Decay<T>,
    stream: &Stream<T>,
    turns: &mut Vec<Turn<T::Lanes>>,
) -> Peak<T::Lanes> {
    let mut peak = follow(weights, bias, stream, turns);
    look_inside(&mut peak, decay, stream, turns);
    peak
}

/// Currents and voltages from group to group, and the maxima at the ends of intervals.
#[inline(always)]
fn follow<T: LaneReal>(
    weights: &Column<'_, T>,
    bias: T::Lanes,
    stream: &Stream<T>,
    turns: &mut Vec<Turn<T::Lanes>>,
) -> Peak<T::Lanes> {
    turns.clear();
    let (mut u, mut current) = (-bias, T::Lanes::zero());
    let mut peak = Peak { voltage: u, ..Peak::default() };
    // Counted in the scalar itself: exact, for there are far fewer groups than it has integers.
    let (mut place, two) = (T::one(), T::of(2.0));
    let (mut event, sources) = (0, stream.sources());
    let groups = stream.groups();
    for index in 0..groups.len() {
        let group = groups.at(index);
        current = weights.add_to(current, &sources[event..group.end as usize]);
        event = group.end as usize;
        let kept = u * T::Lanes::splat(group.mem);
        let u_end = current.mul_add(T::Lanes::splat(group.drive), kept);
        let current_end = current * T::Lanes::splat(group.syn);
        let turning = turns_above(peak.voltage, u, current, u_end, current_end);
        if turning.bytes() != [0; 2] {
            turns.push(Turn { interval: index as u32, u, current, u_end });
        }
        place += two;
        let higher = u_end.gt(peak.voltage);
        peak.voltage = peak.voltage.fast_max(u_end);
        peak.place = peak.place.fast_max(higher & T::Lanes::splat(place));
        peak.current = higher.select(current_end, peak.current);
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
    decay: &Decay<T>,
    stream: &Stream<T>,
    turns: &[Turn<T::Lanes>],
) {
    let groups = stream.groups();
    for &Turn { interval, u, current, u_end } in turns {
        let current_end = current * T::Lanes::splat(groups.at(interval as usize).syn);
        // By now the highest may be higher.
        let inside = turns_above(peak.voltage, u, current, u_end, current_end);
        if inside.bytes() != [0; 2] {
            peak.take_inside(inside, u, current, decay, interval as usize);
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
pub(super) fn inject<T: LaneReal>(
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
        let group = stream.groups().at(interval);
        let (mem, drive) =
            if is_inside { (mem[lane], drive[lane]) } else { (group.mem, group.drive) };
        injections.push(Injection {
            voltage: jump[lane] * mem,
            current: jump[lane] * drive * decay.adjoint_ratio(),
            interval: interval as u32,
            neuron: first + lane as u32,
        });
    }
}

/// A maximum at an arrival, where the voltage turns, moves with the arrival, of several at one time with the first that
/// has a weight: its derivative by that time is the slope before it.
pub(super) fn move_kinks<T: LaneReal>(
    peak: &Peak<T::Lanes>,
    derivative: T::Lanes,
    decay: &Decay<T>,
    stream: &Stream<T>,
    weights: &Column<'_, T>,
    mut add: impl FnMut(usize, T),
) {
    let slope = (peak.current - peak.voltage) / T::Lanes::splat(decay.tau_mem);
    let moved = (slope * derivative).to_array();
    for (lane, &place) in peak.place.to_array().iter().enumerate() {
        let place = place.as_f64() as usize;
        let at_group = place > 1 && !place.is_multiple_of(2);
        if at_group && place / 2 < stream.groups().len() {
            let mut events = stream.groups().at(place / 2).events();
            let sources = stream.sources();
            if let Some(mover) =
                events.find(|&event| weights.weight(sources[event], lane) != T::zero())
            {
                add(mover, moved[lane]);
            }
        }
    }
}
