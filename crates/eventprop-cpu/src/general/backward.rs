use super::density::Density;
use super::gradient::{Gradient, Jumps, NotFinite};
use super::interval::{Adjoint, Forcing, rewind, rewind_piece};
use super::model::Model;
use super::neurons::{BlockNeurons, Spiking};
use super::piece::Piece;
use super::readout::{AT_START, Measurement, Peaks};
use super::record::{ALL_LANES, Arrival, BlockRecord, Mark, MarkKind, Record};
use super::walk::Scratch;
use super::{lane, lane_mut};
use crate::lanes::{LANES, LaneReal, Lanes};
use lif_core::adjoint::{SpikeMoment, release_error, spike_jump};
use lif_core::loss::Readout;

/// Runs the adjoint of samples. Its allocations are kept from sample to sample.
#[derive(Debug, Default)]
pub(super) struct Reverser<T: LaneReal> {
    costates: Vec<Costate<T>>,
    /// The loss's derivative by the time of each spike.
    pub(super) errors: Vec<T>,
    scratch: Scratch<T>,
}

/// The adjoint of a block on its way back.
#[derive(Clone, Copy, Debug, Default)]
struct Costate<T: LaneReal> {
    /// How far back it has come, in ms.
    time: f64,
    lambda: Adjoint<T::Lanes>,
    /// tau_mem V'+ lambda_V+ of a release met on the way to its spike.
    release: T::Lanes,
    /// Whether anything has driven it yet: before that it is 0.
    active: bool,
    /// How many of the block's entries are still to come.
    entries: usize,
    forcing: Option<Forcing<T>>,
}

struct Reverse<'a, T: LaneReal> {
    model: &'a Model<T>,
    jumps: &'a Jumps<T>,
    record: &'a Record<T>,
    /// By output block: where the voltages were highest, and the loss's derivatives by them.
    peaks: &'a [Peaks<T>],
    by_peak: Vec<T::Lanes>,
    reverser: &'a mut Reverser<T>,
    gradient: &'a mut Gradient<T>,
    grazing: u64,
}

impl<T: LaneReal> Reverser<T> {
    /// Runs the adjoint of one sample from the duration back to 0 and adds its gradient to
    /// `gradient`; `by_output` holds the loss's derivatives by the measured values. Returns the
    /// number of grazing spikes.
    pub(super) fn run(
        &mut self,
        model: &Model<T>,
        jumps: &Jumps<T>,
        record: &Record<T>,
        measurement: &Measurement<T>,
        by_output: &[T],
        gradient: &mut Gradient<T>,
    ) -> Result<u64, NotFinite> {
        self.start(model, record, by_output);
        let layout = &model.layouts[model.output];
        let by_peak = match model.readout {
            Readout::VMax => layout.range().map(|b| of_block(model, b, by_output)).collect(),
            _ => Vec::new(),
        };
        let mut reverse = Reverse {
            model,
            jumps,
            record,
            peaks: &measurement.peaks,
            by_peak,
            reverser: self,
            gradient,
            grazing: 0,
        };
        reverse.run()?;
        Ok(reverse.grazing)
    }

    /// Every costate at the end of the simulated time, and the loss's own derivatives by spikes.
    fn start(&mut self, model: &Model<T>, record: &Record<T>, by_output: &[T]) {
        self.errors.clear();
        self.errors.resize(record.spikes.len(), T::zero());
        let keys = &record.trains[model.output];
        match model.readout {
            Readout::SpikeTimeSum => {
                for &key in keys {
                    let spike = T::slot(key) as usize;
                    self.errors[spike] = by_output[record.spikes[spike].neuron as usize];
                }
            }
            Readout::FirstSpike => {
                // From the last to the first: what remains is each neuron's first.
                let mut first = vec![None; model.classes];
                for &key in keys.iter().rev() {
                    let spike = T::slot(key) as usize;
                    first[record.spikes[spike].neuron as usize] = Some(spike);
                }
                for (neuron, spike) in first.into_iter().enumerate() {
                    if let Some(spike) = spike {
                        self.errors[spike] = by_output[neuron];
                    }
                }
            }
            Readout::VMax | Readout::Mean | Readout::ExpMean => {}
        }
        self.costates.resize_with(model.blocks.len(), Costate::default);
        let density = Density::of(model.readout, model.duration);
        let layers = model.layouts.iter().zip(&model.walkers);
        // Blocks that walk alone need none.
        let layers = layers.filter(|(_, walker)| walker.is_none());
        for block in layers.flat_map(|(layout, _)| layout.range()) {
            let costate = &mut self.costates[block];
            *costate = Costate {
                time: model.end,
                entries: record.blocks[block].entries.len(),
                ..Costate::default()
            };
            if let Some(density) = density
                && model.blocks[block].layer == model.output
            {
                let derivative = of_block(model, block, by_output);
                costate.forcing = Some(Forcing::new(density, &model.blocks[block], derivative));
                costate.active = true;
            }
        }
    }
}

impl<'a, T: LaneReal> Reverse<'a, T> {
    fn run(&mut self) -> Result<(), NotFinite> {
        for block in self.model.layouts[self.model.output].range() {
            let last = self.record.blocks[block].entries.len();
            self.impulses(block, last);
        }
        for &block in self.record.order.iter().rev() {
            let block = block as usize;
            match &self.model.walkers[self.model.blocks[block].layer] {
                None => self.entry(block)?,
                Some(walker) => {
                    let Reverser { errors, scratch, .. } = &mut *self.reverser;
                    let (model, jumps, record) = (self.model, self.jumps, self.record);
                    let gradient = &mut *self.gradient;
                    self.grazing +=
                        walker.backward(model, jumps, block, record, errors, scratch, gradient)?;
                }
            }
        }
        if self.model.constants {
            (0..self.model.blocks.len()).for_each(|block| self.rewind(block, 0));
        }
        Ok(())
    }

    /// The block's next entry on the way back.
    fn entry(&mut self, block: usize) -> Result<(), NotFinite> {
        self.reverser.costates[block].entries -= 1;
        let entry = self.reverser.costates[block].entries;
        let own = &self.record.blocks[block];
        let time = own.entries[entry].time;
        self.rewind(block, entry + 1);
        self.reverser.costates[block].time = time;
        if self.reverser.costates[block].active {
            self.arrivals(block, entry);
        }
        self.kinks(block, entry);
        for mark in own.marks_of(entry).iter().rev() {
            match mark.kind {
                MarkKind::Release => self.release(block, mark),
                MarkKind::Spike(spike) => self.spike(block, mark, spike as usize, entry)?,
            }
        }
        self.impulses(block, entry);
        Ok(())
    }

    /// Carries the block's adjoint back over piece `piece`.
    fn rewind(&mut self, block: usize, piece: usize) {
        let (own, neurons) = (&self.record.blocks[block], &self.model.blocks[block]);
        let peaks = self
            .peaks_of(block)
            .filter(|(peaks, _)| peaks.place[..neurons.lanes].contains(&(2 * piece as u32)));
        let costate = &mut self.reverser.costates[block];
        if !costate.active && peaks.is_none() {
            return;
        }
        let piece = Piece::of_block(neurons, own, piece, costate.time);
        let mut gradient = self.gradient.constants.get_mut(block);
        if piece.end > piece.start {
            let forcing = costate.forcing.as_ref();
            let end = &costate.lambda;
            costate.lambda = rewind_piece(neurons, &piece, forcing, end, gradient.as_deref_mut());
        }
        if let Some((peaks, derivative)) = peaks {
            let mut impulse = Adjoint::<T::Lanes>::default();
            let mut elapsed = T::Lanes::zero();
            for lane in 0..neurons.lanes {
                if peaks.place[lane] == 2 * piece.index as u32 {
                    *lane_mut(&mut impulse.v, lane) = T::one();
                    *lane_mut(&mut elapsed, lane) = peaks.elapsed[lane];
                }
            }
            impulse.v = -(impulse.v * derivative * neurons.decays.rate_mem);
            if let Some(gradient) = gradient {
                gradient.add(neurons, elapsed, &piece.state, &impulse);
            }
            let before = rewind(neurons, elapsed, &impulse);
            costate.lambda.v = costate.lambda.v + before.v;
            costate.lambda.i = costate.lambda.i + before.i;
            costate.active = true;
        }
    }

    /// The arrivals of an entry: gradients by weights and delays, errors of the spikes sent.
    fn arrivals(&mut self, block: usize, entry: usize) {
        let (own, neurons) = (&self.record.blocks[block], &self.model.blocks[block]);
        let lambda = &self.reverser.costates[block].lambda;
        let (by_weight, push) = (-(lambda.i * neurons.decays.tau_syn), lambda.v - lambda.i);
        let synapses = &self.model.synapses;
        for arrival in own.arrivals_of(entry) {
            let (row, spike) = (arrival.row as usize, arrival.spike as usize);
            let by_time = synapses.weights[row] * push;
            let weights = &mut self.gradient.weights[row];
            let error = &mut self.reverser.errors[spike];
            if arrival.lane == ALL_LANES {
                *weights = *weights + by_weight;
                *error += by_time.sum();
            } else {
                let place = arrival.lane as usize;
                let by_time = lane(&by_time, place);
                *lane_mut(weights, place) += lane(&by_weight, place);
                *lane_mut(&mut self.gradient.delays[row], place) += by_time;
                *error += by_time;
            }
        }
    }

    fn release(&mut self, block: usize, mark: &Mark<T>) {
        let costate = &mut self.reverser.costates[block];
        let lane = mark.lane as usize;
        let bias = self::lane(&self.model.blocks[block].bias, lane);
        let lambda_v = lane_mut(&mut costate.lambda.v, lane);
        let reset = self.model.blocks[block].spiking.map_or(T::zero(), |spiking| spiking.reset);
        *lane_mut(&mut costate.release, lane) = release_error(mark.current, bias, reset, *lambda_v);
        *lambda_v = T::zero();
    }

    fn spike(
        &mut self,
        block: usize,
        mark: &Mark<T>,
        spike: usize,
        entry: usize,
    ) -> Result<(), NotFinite> {
        let BlockNeurons { layer, bias, decays, spiking, .. } = &self.model.blocks[block];
        let Some(spiking) = spiking else { return Ok(()) };
        let (lane, height) = (mark.lane as usize, self.height(block, mark, spiking));
        let (bias, tau_mem) = (self::lane(bias, lane), self::lane(&decays.tau_mem, lane));
        let threshold = self::lane(&spiking.threshold, lane);
        let mut by_time = self.reverser.errors[spike];
        if let Some((peaks, derivative)) = self.peaks_of(block)
            && peaks.place[lane] == 2 * entry as u32 + 1
        {
            by_time += peaks.slope[lane] * self::lane(&derivative, lane);
        }
        by_time += height;
        let pull = self.jumps.rates[*layer].map_or(T::zero(), |(target, strength)| {
            strength * (T::of(f64::from(self.record.blocks[block].counts[lane])) - target)
        });
        let costate = &mut self.reverser.costates[block];
        if !costate.active && by_time == T::zero() && pull == T::zero() {
            return Ok(());
        }
        let lambda_v = self::lane(&costate.lambda.v, lane);
        by_time += if spiking.refractory > T::zero() {
            std::mem::take(lane_mut(&mut costate.release, lane))
        } else {
            release_error(mark.current, bias, spiking.reset, lambda_v)
        };
        let mut moment = SpikeMoment {
            current: mark.current,
            bias,
            reached: threshold + mark.adaptation,
            threshold_fall: T::zero(),
        };
        let lambda_b = lane_mut(&mut costate.lambda.b, lane);
        let lambda_b_after = *lambda_b;
        if let Some(own) = spiking.adaptation {
            moment.threshold_fall = tau_mem * mark.adaptation / own.tau;
            by_time -= own.beta * lambda_b_after;
        }
        let floor = self.jumps.slope_floor * threshold;
        let (jump, grazing) = spike_jump(by_time, moment.slope(), floor);
        if !jump.is_finite() {
            return Err(NotFinite { layer: *layer });
        }
        self.grazing += u64::from(grazing);
        *lane_mut(&mut costate.lambda.v, lane) = jump - pull;
        costate.active = true;
        if let Some(own) = spiking.adaptation {
            *lane_mut(&mut costate.lambda.b, lane) -= jump * tau_mem / own.tau;
        }
        if let Some(gradient) = self.gradient.constants.get_mut(block) {
            *lane_mut(&mut gradient.threshold, lane) += tau_mem * jump;
            if let Some(own) = spiking.adaptation {
                *lane_mut(&mut gradient.beta, lane) -= own.tau * lambda_b_after;
            }
        }
        Ok(())
    }

    /// What a loss on the mean of the voltage sees of a spike: the jump, weighted.
    fn height(&self, block: usize, mark: &Mark<T>, spiking: &Spiking<T>) -> T {
        let costate = &self.reverser.costates[block];
        let Some(forcing) = &costate.forcing else { return T::zero() };
        let lane = mark.lane as usize;
        let neurons = &self.model.blocks[block];
        // Forcing voltage = -derivative / (1 + rate tau_mem).
        let one = T::one();
        let factor = self::lane(&neurons.decays.tau_mem, lane).mul_add(forcing.density.rate, one);
        let derivative = -self::lane(&forcing.voltage, lane) * factor;
        let jump = self::lane(&spiking.threshold, lane) + mark.adaptation - spiking.reset;
        derivative * forcing.density.at(costate.time) * jump
    }

    /// The impulses of voltages that were highest at the end of piece `piece`.
    fn impulses(&mut self, block: usize, piece: usize) {
        let Some((peaks, derivative)) = self.peaks_of(block) else { return };
        let neurons = &self.model.blocks[block];
        for lane in 0..neurons.lanes {
            if is_at_end(peaks, lane, piece) {
                let derivative = self::lane(&derivative, lane);
                let costate = &mut self.reverser.costates[block];
                *lane_mut(&mut costate.lambda.v, lane) -=
                    derivative * self::lane(&neurons.decays.rate_mem, lane);
                costate.active = true;
            }
        }
    }

    /// If an arrival ended the piece at whose end a voltage was highest, the maximum moves with the arrival, along the
    /// slope before it.
    fn kinks(&mut self, block: usize, entry: usize) {
        let Some((peaks, derivative)) = self.peaks_of(block) else { return };
        for lane in 0..self.model.blocks[block].lanes {
            if !is_at_end(peaks, lane, entry) {
                continue;
            }
            let weighs = |arrival: &Arrival| {
                let weights = &self.model.synapses.weights[arrival.row as usize];
                self::lane(weights, lane) != T::zero()
            };
            if let Some(arrival) = mover(&self.record.blocks[block], lane, entry, weighs) {
                let kink = self::lane(&derivative, lane) * peaks.slope[lane];
                self.reverser.errors[arrival.spike as usize] += kink;
                if arrival.lane != ALL_LANES {
                    let delays = &mut self.gradient.delays[arrival.row as usize];
                    *lane_mut(delays, lane) += kink;
                }
            }
        }
    }

    /// Of an output block: where its voltages were highest, and the loss's derivatives by them.
    fn peaks_of(&self, block: usize) -> Option<(&'a Peaks<T>, T::Lanes)> {
        let position = block.checked_sub(self.model.layouts[self.model.output].first_block)?;
        Some((self.peaks.get(position)?, *self.by_peak.get(position)?))
    }
}

/// The first arrival at a lane at the moment of entry `entry` that `weighs` anything there. A spike of the block itself ends a piece for all its lanes,
/// and arrives with a later entry of the same moment. None where the lane itself spikes: what was highest there moves with
/// that.
fn mover<T: LaneReal>(
    own: &BlockRecord<T>,
    lane: usize,
    entry: usize,
    weighs: impl Fn(&Arrival) -> bool,
) -> Option<&Arrival> {
    let time = own.entries[entry].time;
    let moment = (entry..own.entries.len()).take_while(|&entry| own.entries[entry].time == time);
    for entry in moment {
        let spikes =
            |mark: &Mark<T>| mark.lane as usize == lane && matches!(mark.kind, MarkKind::Spike(_));
        if own.marks_of(entry).iter().any(spikes) {
            return None;
        }
        let reaches = |arrival: &&Arrival| {
            (arrival.lane == ALL_LANES || arrival.lane as usize == lane) && weighs(arrival)
        };
        if let Some(arrival) = own.arrivals_of(entry).iter().find(reaches) {
            return Some(arrival);
        }
    }
    None
}

/// Whether a lane's voltage was highest at the end of piece `piece`.
fn is_at_end<T>(peaks: &Peaks<T>, lane: usize, piece: usize) -> bool {
    peaks.place[lane] != AT_START && peaks.place[lane] == 2 * piece as u32 + 1
}

/// A block's lanes of a list of one value an output neuron; 0 in lanes without a neuron.
fn of_block<T: LaneReal>(model: &Model<T>, block: usize, by_output: &[T]) -> T::Lanes {
    let layout = &model.layouts[model.output];
    let mut lanes = [T::zero(); LANES];
    for lane in 0..layout.lanes(block) {
        lanes[lane] = by_output[layout.neuron(block, lane)];
    }
    T::Lanes::from_array(lanes)
}
