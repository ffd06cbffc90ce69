use super::neurons::BlockNeurons;
use super::{lane, lane_mut};
use crate::lanes::{LANES, LaneReal, Lanes};

/// The state of a block's neurons; the voltage counts from the bias.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct State<L> {
    pub(super) u: L,
    pub(super) current: L,
    pub(super) adaptation: L,
}

/// The state after `dt` ms without an event.
#[inline]
pub(super) fn evolve<T: LaneReal>(
    neurons: &BlockNeurons<T>,
    state: &State<T::Lanes>,
    mut held: u32,
    dt: T,
) -> State<T::Lanes> {
    let step = neurons.decays.step(T::Lanes::splat(dt));
    let mut u = step.voltage(state.u, state.current);
    while held != 0 {
        let lane = held.trailing_zeros() as usize & (LANES - 1);
        held &= held - 1;
        *lane_mut(&mut u, lane) = self::lane(&state.u, lane);
    }
    let adaptation = match neurons.spiking.and_then(|spiking| spiking.adaptation) {
        Some(own) => state.adaptation * T::Lanes::splat((-dt / own.tau).exp()),
        None => state.adaptation,
    };
    State { u, current: state.current * step.syn, adaptation }
}
