use super::gradient::{Gradient, Jumps, NotFinite};
use super::lane;
use super::layout::Layout;
use super::model::Model;
use super::neurons::Spiking;
use super::record::{self, Record};
use super::simulate::Runaway;
use super::sweep::{Injection, SIDE_BY_SIDE, Sweep};
use super::walker::Walker;
use crate::crossing::{Neurons, Spike};
use crate::dense::Tile;
use crate::lanes::{LANES, LaneReal};
use lif_core::adjoint::spike_jump;

/// Lists that every tile's way back uses anew.
#[derive(Debug, Default)]
pub(super) struct Scratch<T> {
    /// Of the blocks that are swept side by side.
    injections: Vec<Vec<Injection<T>>>,
    /// Of each neuron's next spike: its time and lambda_V- there.
    next: Vec<(T, T)>,
    errors: Vec<T>,
}

impl<T: LaneReal> Walker<T> {
    /// Runs the tile that begins at `block` through its arrivals and notes its spikes in `record`.
    pub(super) fn forward(
        &self,
        model: &Model<T>,
        layout: &Layout,
        block: usize,
        record: &mut Record<T>,
    ) -> Result<(), Runaway> {
        let tile = &model.blocks[block..block + layout.tile];
        let layer = tile[0].layer;
        let Record { spikes, trains, blocks, order } = record;
        let own = &mut blocks[block];
        let walk = &mut own.walk;
        let arrivals = own.external.iter().map(|arrival| (T::of(arrival.time), arrival.row));
        let biased = tile.iter().any(|neurons| neurons.biased);
        walk.stream.fill(arrivals, model.duration, &self.decay, biased);
        walk.first_spike = spikes.len();
        let Neurons { start, threshold, reset } = &mut walk.neurons;
        [&mut *start, &mut *threshold, &mut *reset].into_iter().for_each(Vec::clear);
        for neurons in tile {
            let Some(Spiking { u_threshold, u_reset, .. }) = neurons.spiking else { return Ok(()) };
            start.push(-neurons.bias);
            threshold.push(u_threshold);
            reset.push(u_reset);
        }
        let rows = Tile {
            // A source is its first row, and the others follow.
            weights: &model.synapses.weights,
            stride: 1,
            blocks: 0..layout.tile,
            half: layout.tile == 1 && tile[0].lanes <= LANES / 2,
            neurons: &walk.neurons,
        };
        if !self.solver.walk(&rows, &walk.stream, &mut walk.state, &mut walk.spikes) {
            return Err(Runaway { layer });
        }
        let found = walk.spikes.len();
        for position in 0..found {
            let Spike { time, neuron, .. } = blocks[block].walk.spikes[position];
            let (place, lane) = (neuron as usize / LANES, neuron as usize % LANES);
            let count = &mut blocks[block + place].counts[lane];
            *count += 1;
            if *count as usize > model.spike_bound {
                return Err(Runaway { layer });
            }
            trains[layer].push(T::key(time, spikes.len() as u32));
            let neuron = layout.neuron(block + place, lane) as u32;
            spikes.push(record::Spike { time, neuron });
        }
        if found > 0 {
            order.push(block as u32);
        }
        Ok(())
    }

    /// Runs the adjoint of the tile that begins at `block` back, from the errors of its spikes to those
    /// of its arrivals in `errors`. Returns the number of grazing spikes.
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
        let layer = model.blocks[block].layer;
        let tile = model.layouts[layer].tile;
        let grazing = self.jumps(model, jumps, block, record, errors, scratch)?;
        let wanted = model.wants_errors[layer];
        scratch.errors.clear();
        scratch.errors.resize(if wanted { own.external.len() } else { 0 }, T::zero());
        let mut sweep = Sweep {
            weights: &model.synapses.weights,
            gradient: &mut gradient.weights,
            stream: &own.walk.stream,
            errors: wanted.then_some(&mut scratch.errors[..]),
            units: &self.units,
            ratio: self.decay.adjoint_ratio(),
            scale: -self.decay.tau_syn.recip(),
        };
        for (index, injections) in scratch.injections.iter().enumerate() {
            let first = index * SIDE_BY_SIDE;
            match tile - first {
                1 => sweep.run::<1>(first, injections),
                _ => sweep.run::<SIDE_BY_SIDE>(first, injections),
            }
        }
        for (arrival, &error) in own.external.iter().zip(&scratch.errors) {
            errors[arrival.spike as usize] += error;
        }
        Ok(grazing)
    }

    /// The jumps of lambda_V at the tile's spikes (Wunderlich & Pehle 2021, eq. 3), carried back to
    /// the start of each spike's interval. Between its own spikes lambda_V of a neuron only decays.
    fn jumps(
        &self,
        model: &Model<T>,
        jumps: &Jumps<T>,
        block: usize,
        record: &Record<T>,
        errors: &[T],
        Scratch { injections, next, .. }: &mut Scratch<T>,
    ) -> Result<u64, NotFinite> {
        let (walk, mut grazing) = (&record.blocks[block].walk, 0);
        let layer = model.blocks[block].layer;
        let tile = model.layouts[layer].tile;
        injections.resize_with(tile.div_ceil(SIDE_BY_SIDE), Vec::new);
        injections.iter_mut().for_each(Vec::clear);
        next.clear();
        next.resize(tile * LANES, (T::zero(), T::zero()));
        for (position, spike) in walk.spikes.iter().enumerate().rev() {
            let neuron = spike.neuron as usize;
            let (place, lane) = (neuron / LANES, neuron % LANES);
            let Some(spiking) = &model.blocks[block + place].spiking else { continue };
            let error = errors[walk.first_spike + position];
            let pull = jumps.rates[layer].map_or(T::zero(), |(target, strength)| {
                let count = record.blocks[block + place].counts[lane];
                strength * (T::of(f64::from(count)) - target)
            });
            let (next_time, next_lambda) = next[neuron];
            let after = if next_lambda == T::zero() {
                T::zero()
            } else {
                next_lambda * ((spike.time - next_time) / self.decay.tau_mem).exp()
            };
            if error == T::zero() && pull == T::zero() && after == T::zero() {
                continue;
            }
            let height =
                self::lane(&spiking.u_threshold, lane) - self::lane(&spiking.u_reset, lane);
            let floor = jumps.slope_floor * self::lane(&spiking.threshold, lane);
            let by_time = (spike.slope + height).mul_add(after, error);
            // Whatever the floor, rounding must not turn a slope over.
            let slope = spike.slope.max(height * T::epsilon());
            let (before, grazes) = spike_jump(by_time, slope, floor);
            if !before.is_finite() {
                return Err(NotFinite { layer });
            }
            grazing += u64::from(grazes);
            next[neuron] = (spike.time, before - pull);
            let jump = (before - pull - after) * -self.decay.tau_syn;
            injections[place / SIDE_BY_SIDE].push(Injection {
                voltage: jump * spike.mem,
                current: jump * spike.drive * self.decay.adjoint_ratio(),
                interval: spike.interval,
                block: (place % SIDE_BY_SIDE) as u32,
                lane: lane as u32,
            });
        }
        Ok(grazing)
    }
}
