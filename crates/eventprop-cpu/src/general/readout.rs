use super::density::{Density, weighted_integrals};
use super::model::Model;
use super::neurons::BlockNeurons;
use super::piece::pieces;
use super::record::{BlockRecord, Record};
use super::state::{State, evolve};
use super::{lane, lane_mut};
use crate::lanes::{LANES, LaneReal, Lanes};
use lif_core::flow::State as Membrane;
use lif_core::loss::Readout;

/// What was measured at the output layer in one sample, and where.
#[derive(Debug, Default)]
pub(super) struct Measurement<T: LaneReal> {
    /// One number an output neuron.
    pub(super) values: Vec<T>,
    /// Where the voltages of each output block were highest; empty for other readouts.
    pub(super) peaks: Vec<Peaks<T>>,
}

/// Where the voltages of a block's neurons were highest. A neuron's time is cut into pieces by the
/// entries of its block: entry e ends piece e, and the last piece lasts until the end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peaks<T> {
    /// The voltages.
    pub(super) value: [T; LANES],
    /// 2 p inside piece p, 2 p + 1 at its end, [`AT_START`] at the start.
    pub(super) place: [u32; LANES],
    /// Inside a piece: ms from its start.
    pub(super) elapsed: [T; LANES],
    /// At the end of a piece: dV/dt just before.
    pub(super) slope: [T; LANES],
}

/// The [place](Peaks::place) of a voltage that never rose above 0.
pub(super) const AT_START: u32 = u32::MAX;

impl<T: LaneReal> Measurement<T> {
    /// Measures the output layer of a sample.
    pub(super) fn take(&mut self, model: &Model<T>, record: &Record<T>) {
        self.values.clear();
        self.values.resize(model.classes, T::zero());
        self.peaks.clear();
        match model.readout {
            Readout::FirstSpike => {
                self.values.fill(model.duration);
                for (time, neuron) in record.train(model.output) {
                    let first = &mut self.values[neuron as usize];
                    *first = first.min(time);
                }
            }
            Readout::SpikeTimeSum => {
                for (time, neuron) in record.train(model.output) {
                    self.values[neuron as usize] += time;
                }
            }
            Readout::VMax => {
                for block in model.layouts[model.output].range() {
                    let peaks = highest(model, &model.blocks[block], &record.blocks[block]);
                    self.set(model, block, peaks.value);
                    self.peaks.push(peaks);
                }
            }
            Readout::Mean | Readout::ExpMean => {
                if let Some(density) = Density::of(model.readout, model.duration) {
                    for block in model.layouts[model.output].range() {
                        let (neurons, own) = (&model.blocks[block], &record.blocks[block]);
                        let means = mean(model, density, neurons, own);
                        self.set(model, block, means.to_array());
                    }
                }
            }
        }
    }

    fn set(&mut self, model: &Model<T>, block: usize, values: [T; LANES]) {
        let layout = &model.layouts[model.output];
        for lane in 0..layout.lanes(block) {
            self.values[layout.neuron(block, lane)] = values[lane];
        }
    }
}

fn highest<T: LaneReal>(
    model: &Model<T>,
    neurons: &BlockNeurons<T>,
    own: &BlockRecord<T>,
) -> Peaks<T> {
    let (mut value, mut slope) = (T::Lanes::zero(), T::Lanes::zero());
    let mut place = [AT_START; LANES];
    let mut elapsed = [T::zero(); LANES];
    for piece in pieces(neurons, own, model.end) {
        let dt = piece.dt();
        let State { u, current, .. } = piece.state;
        let end = evolve(neurons, &piece.state, piece.held, dt);
        let highest_u = value - neurons.bias;
        // It rises at the start, falls at the end, and the current bounds what lies between.
        let inside = current.gt(u) & end.u.gt(end.current) & current.gt(highest_u);
        let mut lanes = inside.bits() & !piece.held;
        while lanes != 0 {
            let lane = lanes.trailing_zeros() as usize & (LANES - 1);
            lanes &= lanes - 1;
            let (constants, bias) = (neurons.time_constants(lane), self::lane(&neurons.bias, lane));
            let state = Membrane { v: self::lane(&u, lane) + bias, i: self::lane(&current, lane) };
            let Some(s) = constants.extremum(state, bias).filter(|&s| s < dt) else { continue };
            let height = constants.flow(s).forward(state, bias).v;
            if height > self::lane(&value, lane) {
                *lane_mut(&mut value, lane) = height;
                (place[lane], elapsed[lane]) = (2 * piece.index as u32, s);
            }
        }
        let voltage = end.u + neurons.bias;
        let higher = voltage.gt(value);
        let mut lanes = higher.bits() & !piece.held;
        if lanes != 0 {
            let rise = (end.current - end.u) * neurons.decays.rate_mem;
            while lanes != 0 {
                let lane = lanes.trailing_zeros() as usize & (LANES - 1);
                lanes &= lanes - 1;
                *lane_mut(&mut value, lane) = self::lane(&voltage, lane);
                *lane_mut(&mut slope, lane) = self::lane(&rise, lane);
                place[lane] = 2 * piece.index as u32 + 1;
            }
        }
    }
    Peaks { value: value.to_array(), place, elapsed, slope: slope.to_array() }
}

fn mean<T: LaneReal>(
    model: &Model<T>,
    density: Density<T>,
    neurons: &BlockNeurons<T>,
    own: &BlockRecord<T>,
) -> T::Lanes {
    let mut sum = T::Lanes::zero();
    for piece in pieces(neurons, own, model.end) {
        let end = evolve(neurons, &piece.state, piece.held, piece.dt());
        let (_, mut voltage) = weighted_integrals(density, neurons, &piece, &end);
        let weight = density.between(piece.start, piece.end);
        let mut held = piece.held;
        while held != 0 {
            let lane = held.trailing_zeros() as usize & (LANES - 1);
            held &= held - 1;
            *lane_mut(&mut voltage, lane) = self::lane(&piece.state.u, lane) * weight;
        }
        sum = sum + neurons.bias.mul_add(T::Lanes::splat(weight), voltage);
    }
    sum
}
