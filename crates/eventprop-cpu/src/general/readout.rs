use super::model::Model;
use super::neurons::BlockNeurons;
use super::record::{BlockRecord, Record, State};
use super::simulate::{evolve, time_constants};
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

/// The weight that a mean of the voltage gives to time: w(t) = exp(-rate t)/T.
#[derive(Clone, Copy, Debug)]
pub(super) struct Density<T> {
    /// In 1/ms.
    pub(super) rate: T,
    duration: T,
}

impl<T: LaneReal> Density<T> {
    /// The weight of a readout; none if it is no mean of the voltage.
    pub(super) fn of(readout: Readout, duration: T) -> Option<Self> {
        match readout {
            Readout::Mean => Some(Self { rate: T::zero(), duration }),
            Readout::ExpMean => Some(Self { rate: duration.recip(), duration }),
            _ => None,
        }
    }

    /// w at `time`.
    pub(super) fn at(&self, time: f64) -> T {
        (-self.rate * T::of(time)).exp() / self.duration
    }

    /// The integral of w from `start` to `end`.
    pub(super) fn between(&self, start: f64, end: f64) -> T {
        let dt = T::of(end - start);
        let z = self.rate * dt;
        let mean = if z == T::zero() { T::one() } else { -(-z).exp_m1() / z };
        self.at(start) * dt * mean
    }
}

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

/// A time in which nothing happened to a block.
pub(super) struct Piece<T: LaneReal> {
    pub(super) index: usize,
    pub(super) start: f64,
    pub(super) end: f64,
    pub(super) state: State<T::Lanes>,
    pub(super) held: u32,
}

impl<T: LaneReal> Piece<T> {
    /// Its length in ms.
    pub(super) fn dt(&self) -> T {
        T::of(self.end - self.start)
    }
}

fn pieces<T: LaneReal>(
    model: &Model<T>,
    neurons: &BlockNeurons<T>,
    own: &BlockRecord<T>,
) -> impl Iterator<Item = Piece<T>> {
    let count = own.entries.len();
    (0..=count).map(move |index| {
        let (start, held, state) = match index.checked_sub(1) {
            None => (0.0, 0, State { u: -neurons.bias, ..State::default() }),
            Some(entry) => (own.entries[entry].time, own.entries[entry].held, own.states[entry]),
        };
        let end = own.entries.get(index).map_or(model.end, |entry| entry.time);
        Piece { index, start, end, state, held }
    })
}

fn highest<T: LaneReal>(
    model: &Model<T>,
    neurons: &BlockNeurons<T>,
    own: &BlockRecord<T>,
) -> Peaks<T> {
    let (mut value, mut slope) = (T::Lanes::zero(), T::Lanes::zero());
    let mut place = [AT_START; LANES];
    let mut elapsed = [T::zero(); LANES];
    for piece in pieces(model, neurons, own) {
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
            let (constants, bias) =
                (time_constants(neurons, lane), self::lane(&neurons.bias, lane));
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
    for piece in pieces(model, neurons, own) {
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

/// The integrals of w I and w u over a piece, for neurons that are not refractory, from its state at
/// either end: by parts, (1/tau_syn + rate) integral of w I = - [w I] and
/// (1 + rate tau_mem) integral of w u = integral of w I - tau_mem [w u].
pub(super) fn weighted_integrals<T: LaneReal>(
    density: Density<T>,
    neurons: &BlockNeurons<T>,
    piece: &Piece<T>,
    end: &State<T::Lanes>,
) -> (T::Lanes, T::Lanes) {
    let splat = T::Lanes::splat;
    let (first, last) = (splat(density.at(piece.start)), splat(density.at(piece.end)));
    let (rate, decays) = (splat(density.rate), &neurons.decays);
    let current = (first * piece.state.current - last * end.current) / (decays.rate_syn + rate);
    let change = last * end.u - first * piece.state.u;
    let voltage =
        (current - decays.tau_mem * change) / decays.tau_mem.mul_add(rate, T::Lanes::of(1.0));
    (current, voltage)
}
