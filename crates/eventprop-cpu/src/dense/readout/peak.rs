use super::Column;
use crate::decay::Decay;
use crate::dense::backward::Injection;
use crate::lanes::{LANES, LaneReal, Lanes};
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

/// A block's way through a sample.
#[derive(Clone, Debug, Default)]
pub(super) struct Course<L> {
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
pub(super) fn highest<T: LaneReal>(
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
pub(super) fn move_kinks<T: LaneReal>(
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
