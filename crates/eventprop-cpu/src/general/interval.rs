use super::density::{Density, weighted_integrals};
use super::neurons::BlockNeurons;
use super::piece::Piece;
use super::state::{State, evolve};
use crate::lanes::{LaneReal, Lanes};
use lif_core::Real;

/// The adjoint variables of a block's neurons.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Adjoint<L> {
    /// lambda_V.
    pub(super) v: L,
    /// lambda_I.
    pub(super) i: L,
    /// lambda_B.
    pub(super) b: L,
}

/// The gradient by the constants of a block's neurons, a lane each.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ConstantsGradient<T: LaneReal> {
    pub(super) tau_mem: T::Lanes,
    pub(super) tau_syn: T::Lanes,
    pub(super) threshold: T::Lanes,
    pub(super) bias: T::Lanes,
    pub(super) beta: T::Lanes,
    pub(super) tau_b: T::Lanes,
}

/// The answer to a loss on a weighted mean of the voltage: lambda_V = w voltage and lambda_I = w
/// current solve the adjoint equations; the rest of lambda decays freely.
#[derive(Clone, Copy, Debug)]
pub(super) struct Forcing<T: LaneReal> {
    pub(super) density: Density<T>,
    pub(super) voltage: T::Lanes,
    pub(super) current: T::Lanes,
}

impl<T: LaneReal> Forcing<T> {
    /// The answer to derivatives of the loss by the means. From -tau_mem lambda_V' = -lambda_V - g w,
    /// -tau_syn lambda_I' = -lambda_I + lambda_V and w' = -rate w.
    pub(super) fn new(
        density: Density<T>,
        neurons: &BlockNeurons<T>,
        derivative: T::Lanes,
    ) -> Self {
        let (one, rate) = (T::Lanes::of(1.0), T::Lanes::splat(density.rate));
        let voltage = -derivative / neurons.decays.tau_mem.mul_add(rate, one);
        let current = voltage / neurons.decays.tau_syn.mul_add(rate, one);
        Self { density, voltage, current }
    }
}

/// Carries the adjoint back over `dt` ms (a lane each) without events or forcing.
#[inline]
pub(super) fn rewind<T: LaneReal>(
    neurons: &BlockNeurons<T>,
    dt: T::Lanes,
    end: &Adjoint<T::Lanes>,
) -> Adjoint<T::Lanes> {
    let decays = &neurons.decays;
    let step = decays.step(dt);
    Adjoint {
        v: end.v * step.mem,
        i: end.i.mul_add(step.syn, end.v * (step.drive * decays.ratio)),
        b: end.b * decay_of_adaptation(neurons, dt),
    }
}

/// Carries the adjoint back over a piece. The refractory lanes have lambda_V = 0.
pub(super) fn rewind_piece<T: LaneReal>(
    neurons: &BlockNeurons<T>,
    piece: &Piece<T>,
    forcing: Option<&Forcing<T>>,
    end: &Adjoint<T::Lanes>,
    gradient: Option<&mut ConstantsGradient<T>>,
) -> Adjoint<T::Lanes> {
    let dt = T::Lanes::splat(piece.dt());
    let Some(forcing) = forcing else {
        if let Some(gradient) = gradient {
            gradient.add(neurons, dt, &piece.state, end);
        }
        return rewind(neurons, dt, end);
    };
    let (voltage, current) =
        (without(forcing.voltage, piece.held), without(forcing.current, piece.held));
    let first = T::Lanes::splat(forcing.density.at(piece.start));
    let last = T::Lanes::splat(forcing.density.at(piece.end));
    let free = Adjoint { v: end.v - voltage * last, i: end.i - current * last, b: end.b };
    if let Some(gradient) = gradient {
        gradient.add(neurons, dt, &piece.state, &free);
        let after = evolve(neurons, &piece.state, piece.held, piece.dt());
        let (of_current, of_u) = weighted_integrals(forcing.density, neurons, piece, &after);
        let rate = T::Lanes::splat(forcing.density.rate);
        let of_slope = rate.mul_add(of_u, last * after.u - first * piece.state.u);
        gradient.tau_mem = voltage.mul_add(of_slope, gradient.tau_mem);
        let by_syn = current * neurons.decays.rate_syn * of_current;
        gradient.tau_syn = gradient.tau_syn - by_syn;
        let weight = T::Lanes::splat(forcing.density.between(piece.start, piece.end));
        gradient.bias = gradient.bias - voltage * weight;
    }
    let start = rewind(neurons, dt, &free);
    Adjoint { v: voltage.mul_add(first, start.v), i: current.mul_add(first, start.i), b: start.b }
}

impl<T: LaneReal> ConstantsGradient<T> {
    /// Adds what a step over `dt` ms from `start` to an adjoint of `end` contributes: the derivatives
    /// of the step's end state, whose own derivatives by the loss are -tau_mem lambda_V,
    /// -tau_syn lambda_I and -tau_b lambda_B.
    pub(super) fn add(
        &mut self,
        neurons: &BlockNeurons<T>,
        dt: T::Lanes,
        start: &State<T::Lanes>,
        end: &Adjoint<T::Lanes>,
    ) {
        let decays = &neurons.decays;
        let step = decays.step(dt);
        let by = decays.sensitivity(dt, &step);
        let (by_voltage, by_current) = (-(decays.tau_mem * end.v), -(decays.tau_syn * end.i));
        let voltage_by_mem = start.u.mul_add(by.mem, start.current * by.drive_by_mem);
        self.tau_mem = by_voltage.mul_add(voltage_by_mem, self.tau_mem);
        let by_syn = by_voltage.mul_add(by.drive_by_syn, by_current * by.syn);
        self.tau_syn = start.current.mul_add(by_syn, self.tau_syn);
        self.bias = by_voltage.mul_add(T::Lanes::of(1.0) - step.mem, self.bias);
        if let Some(own) = neurons.spiking.and_then(|spiking| spiking.adaptation) {
            let decay = decay_of_adaptation(neurons, dt);
            let tau = T::Lanes::splat(own.tau);
            self.tau_b = self.tau_b - start.adaptation * end.b * dt * decay / tau;
        }
    }

    /// Adds another's values.
    pub(super) fn join(&mut self, other: &Self) {
        self.tau_mem = self.tau_mem + other.tau_mem;
        self.tau_syn = self.tau_syn + other.tau_syn;
        self.threshold = self.threshold + other.threshold;
        self.bias = self.bias + other.bias;
        self.beta = self.beta + other.beta;
        self.tau_b = self.tau_b + other.tau_b;
    }
}

fn decay_of_adaptation<T: LaneReal>(neurons: &BlockNeurons<T>, dt: T::Lanes) -> T::Lanes {
    match neurons.spiking.and_then(|spiking| spiking.adaptation) {
        Some(own) => crate::math::exp(-dt / T::Lanes::splat(own.tau)),
        None => T::Lanes::of(1.0),
    }
}

/// The same lanes, 0 where `held` has its bit set.
fn without<L: Lanes>(lanes: L, mut held: u32) -> L {
    let mut lanes = lanes;
    while held != 0 {
        let lane = held.trailing_zeros() as usize;
        held &= held - 1;
        *super::lane_mut(&mut lanes, lane) = L::Scalar::of(0.0);
    }
    lanes
}
