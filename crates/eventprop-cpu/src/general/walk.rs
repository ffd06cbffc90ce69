use super::backward::{Gradient, Jumps, NotFinite};
use super::lane;
use super::layout::Layout;
use super::model::Model;
use super::neurons::{BlockNeurons, Spiking};
use super::record::{self, Record};
use super::simulate::Runaway;
use super::sweep::{Injection, Sweep, units};
use crate::crossing::{Neurons, Solver, Spike, solver};
use crate::decay::Decay;
use crate::dense::{State, Tile};
use crate::lanes::{LANES, LaneReal};
use crate::stream::Stream;
use lif_core::LayerParameters;
use lif_core::adjoint::spike_jump;
use lif_core::network::{Layer, Neuron};

/// How the blocks of a plain layer go through a sample: with what arrives known beforehand and time
/// constants in common, each walks from arrival to arrival alone, like those of a dense chain.
pub(super) struct Walker<T: LaneReal> {
    decay: Decay<T>,
    solver: Box<dyn Solver<T>>,
    units: [T::Lanes; LANES],
}

/// A block's walk through a sample.
#[derive(Clone, Debug, Default)]
pub(super) struct Walk<T: LaneReal> {
    /// What arrives, by rows of weights.
    stream: Stream<T>,
    /// In order of time.
    spikes: Vec<Spike<T>>,
    /// The position of the first of them among the sample's spikes; the others follow.
    first_spike: usize,
    neurons: Neurons<T>,
    state: State<T>,
}

/// Lists that every block's way back uses anew.
#[derive(Debug, Default)]
pub(super) struct Scratch<T> {
    injections: Vec<Injection<T>>,
    errors: Vec<T>,
}

impl<T: LaneReal> Walker<T> {
    /// A walker for a layer without recurrence and delays; none if its neurons are refractory,
    /// adapt or have time constants of their own.
    pub(super) fn new(layer: &Layer, values: &LayerParameters<T>) -> Option<Self> {
        let Neuron::Lif(constants) = &layer.neuron else { return None };
        let plain = constants.refractory == 0.0 && constants.adaptation.is_none();
        let (&[tau_mem], &[tau_syn]) = (&values.tau_mem[..], &values.tau_syn[..]) else {
            return None;
        };
        let decay = Decay::new(tau_mem, tau_syn);
        plain.then(|| Self { decay, solver: solver(decay), units: units::<T>() })
    }

    /// Runs a block through its arrivals and notes its spikes in `record`.
    pub(super) fn forward(
        &self,
        model: &Model<T>,
        layout: &Layout,
        block: usize,
        record: &mut Record<T>,
    ) -> Result<(), Runaway> {
        let BlockNeurons { layer, bias, biased, spiking, .. } = &model.blocks[block];
        let Some(Spiking { u_threshold, u_reset, .. }) = *spiking else { return Ok(()) };
        let Record { spikes, trains, blocks, order } = record;
        let own = &mut blocks[block];
        let walk = &mut own.walk;
        let arrivals = own.external.iter().map(|arrival| (T::of(arrival.time), arrival.row));
        walk.stream.fill(arrivals, model.duration, &self.decay, *biased);
        walk.first_spike = spikes.len();
        for (constants, value) in [
            (&mut walk.neurons.start, -*bias),
            (&mut walk.neurons.threshold, u_threshold),
            (&mut walk.neurons.reset, u_reset),
        ] {
            constants.clear();
            constants.push(value);
        }
        let tile = Tile {
            weights: &model.synapses.weights,
            stride: 1,
            blocks: 0..1,
            neurons: &walk.neurons,
        };
        if !self.solver.walk(&tile, &walk.stream, &mut walk.state, &mut walk.spikes) {
            return Err(Runaway { layer: *layer });
        }
        if walk.spikes.is_empty() {
            return Ok(());
        }
        for spike in &walk.spikes {
            let place = spike.neuron as usize % LANES;
            own.counts[place] += 1;
            if own.counts[place] as usize > model.spike_bound {
                return Err(Runaway { layer: *layer });
            }
            trains[*layer].push(T::key(spike.time, spikes.len() as u32));
            let neuron = layout.neuron(block, place) as u32;
            spikes.push(record::Spike { time: spike.time, neuron });
        }
        order.push(block as u32);
        Ok(())
    }

    /// Runs the adjoint of a block back, from the errors of its spikes to those of its arrivals in
    /// `errors`. Returns the number of grazing spikes.
    #[expect(clippy::too_many_arguments, reason = "parts of one struct, borrowed apart")]
    pub(super) fn backward(
        &self,
        model: &Model<T>,
        jumps: &Jumps<T>,
        block: usize,
        record: &Record<T>,
        errors: &mut [T],
        scratch: &mut Scratch<T>,
        gradient: &mut Gradient<T>,
    ) -> Result<u64, NotFinite> {
        let own = &record.blocks[block];
        let grazing = self.jumps(model, jumps, block, record, errors, &mut scratch.injections)?;
        if scratch.injections.is_empty() {
            return Ok(grazing);
        }
        let layer = model.blocks[block].layer;
        let wanted = model.wants_errors[layer];
        scratch.errors.clear();
        scratch.errors.resize(if wanted { own.external.len() } else { 0 }, T::zero());
        let mut sweep = Sweep {
            weights: &model.synapses.weights,
            gradient: &mut gradient.weights,
            stream: &own.walk.stream,
            errors: wanted.then_some(&mut scratch.errors[..]),
        };
        let (ratio, scale) = (self.decay.adjoint_ratio(), -self.decay.tau_syn.recip());
        sweep.run(&scratch.injections, &self.units, ratio, scale);
        for (arrival, &error) in own.external.iter().zip(&scratch.errors) {
            errors[arrival.spike as usize] += error;
        }
        Ok(grazing)
    }

    /// The jumps of lambda_V at the block's spikes (Wunderlich & Pehle 2021, eq. 3), carried back to
    /// the start of each spike's interval. Between its own spikes lambda_V of a neuron only decays.
    fn jumps(
        &self,
        model: &Model<T>,
        jumps: &Jumps<T>,
        block: usize,
        record: &Record<T>,
        errors: &[T],
        injections: &mut Vec<Injection<T>>,
    ) -> Result<u64, NotFinite> {
        injections.clear();
        let BlockNeurons { layer, spiking, .. } = &model.blocks[block];
        let Some(spiking) = spiking else { return Ok(0) };
        let (own, mut grazing) = (&record.blocks[block], 0);
        let walk = &own.walk;
        // Of each neuron's next spike: its time and lambda_V- there.
        let mut next = [(T::zero(), T::zero()); LANES];
        for (position, spike) in walk.spikes.iter().enumerate().rev() {
            let place = spike.neuron as usize % LANES;
            let error = errors[walk.first_spike + position];
            let pull = jumps.rates[*layer].map_or(T::zero(), |(target, strength)| {
                strength * (T::of(f64::from(own.counts[place])) - target)
            });
            let (next_time, next_lambda) = next[place];
            let after = if next_lambda == T::zero() {
                T::zero()
            } else {
                next_lambda * ((spike.time - next_time) / self.decay.tau_mem).exp()
            };
            if error == T::zero() && pull == T::zero() && after == T::zero() {
                continue;
            }
            let height = lane(&spiking.u_threshold, place) - lane(&spiking.u_reset, place);
            let floor = jumps.slope_floor * lane(&spiking.threshold, place);
            let by_time = (spike.slope + height).mul_add(after, error);
            // Whatever the floor, rounding must not turn a slope over.
            let slope = spike.slope.max(height * T::epsilon());
            let (before, grazes) = spike_jump(by_time, slope, floor);
            if !before.is_finite() {
                return Err(NotFinite { layer: *layer });
            }
            grazing += u64::from(grazes);
            next[place] = (spike.time, before - pull);
            let jump = (before - pull - after) * -self.decay.tau_syn;
            injections.push(Injection {
                voltage: jump * spike.mem,
                current: jump * spike.drive * self.decay.adjoint_ratio(),
                interval: spike.interval,
                lane: place as u32,
            });
        }
        Ok(grazing)
    }
}
