use super::model::Model;
use super::neurons::{BlockNeurons, Spiking};
use super::queue::{Action, Queue};
use super::record::{ALL_LANES, Arrival, BlockRecord, Entry, Mark, MarkKind, Record, Spike};
use super::state::{State, evolve};
use super::{lane, lane_mut};
use crate::lanes::{LANES, LaneReal, Lanes};
use lif_core::crossing::{Approach, Decay};
use lif_core::flow::State as Membrane;

/// Runs blocks event by event. Its allocations are kept from run to run.
#[derive(Debug, Default)]
pub(super) struct Simulator<T: LaneReal> {
    queue: Queue,
    live: Vec<Live<T>>,
    /// Spikes of this moment on their way to blocks of the same component.
    immediate: Vec<(u32, Arrival)>,
    /// The blocks to which something happened at this moment.
    touched: Vec<u32>,
}

/// A layer of which a neuron spiked more often than allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Runaway {
    pub(super) layer: usize,
}

/// A block during the run.
#[derive(Clone, Copy, Debug, Default)]
struct Live<T: LaneReal> {
    /// When its state was true.
    time: f64,
    state: State<T::Lanes>,
    /// When each lane may next reach its threshold, in ms after `time`, if nothing arrives before; it
    /// does so where its bit in `exact` is set, and not before elsewhere.
    next: T::Lanes,
    exact: u32,
    /// The refractory lanes, a bit each.
    held: u32,
    /// Counts its states: a crossing found from an earlier one will not happen.
    stamp: u32,
    /// The next arrival from outside.
    external: usize,
    touched: bool,
    /// Whether arrivals have been noted that no entry holds yet.
    open: bool,
}

impl<T: LaneReal> Simulator<T> {
    /// Runs the neurons of `blocks` through the arrivals from outside in `record` and notes there
    /// what happens.
    pub(super) fn run(
        &mut self,
        model: &Model<T>,
        blocks: impl Iterator<Item = usize> + Clone,
        record: &mut Record<T>,
    ) -> Result<(), Runaway> {
        self.live.resize_with(record.blocks.len(), Live::default);
        self.queue.clear();
        let mut run = Run { model, simulator: self, record };
        for block in blocks {
            run.start(block);
        }
        run.run()
    }

    /// Runs a block that never spikes: arrivals from outside are all that happens to it.
    pub(super) fn integrate(&mut self, model: &Model<T>, block: usize, record: &mut Record<T>) {
        self.live.resize_with(record.blocks.len(), Live::default);
        let mut run = Run { model, simulator: self, record };
        run.begin(block);
        let mut arrivals = std::mem::take(&mut run.record.blocks[block].external);
        for moment in arrivals.chunk_by(|a, b| a.time == b.time) {
            moment.iter().for_each(|&arrival| run.receive(block, arrival));
            run.note(block, moment[0].time);
        }
        std::mem::swap(&mut run.record.blocks[block].external, &mut arrivals);
    }
}

struct Run<'a, T: LaneReal> {
    model: &'a Model<T>,
    simulator: &'a mut Simulator<T>,
    record: &'a mut Record<T>,
}

impl<T: LaneReal> Run<'_, T> {
    /// The block's state at time 0.
    fn begin(&mut self, block: usize) {
        let live = &mut self.simulator.live[block];
        *live = Live::default();
        live.state.u = -self.model.blocks[block].bias;
    }

    fn start(&mut self, block: usize) {
        self.begin(block);
        if let Some(first) = self.record.blocks[block].external.first() {
            self.simulator.queue.push(first.time, block as u32, Action::External);
        }
        if self.model.blocks[block].biased {
            self.look_ahead(block);
        }
    }

    fn run(&mut self) -> Result<(), Runaway> {
        while let Some(time) = self.simulator.queue.next_time() {
            // All that happens at one moment happens before any block looks ahead again.
            while let Some(due) = self.simulator.queue.pop_at(time, false) {
                let block = due.block as usize;
                match due.action {
                    Action::Crossing { stamp } if stamp == self.simulator.live[block].stamp => {
                        if let Some(lanes) = self.crossing(block, time) {
                            self.spike(block, time, lanes)?;
                        }
                    }
                    Action::Release { lane } => self.release(block, time, lane),
                    _ => {}
                }
            }
            self.arrivals(time);
            self.settle(time);
        }
        Ok(())
    }

    fn arrivals(&mut self, time: f64) {
        for position in 0..self.simulator.immediate.len() {
            let (block, arrival) = self.simulator.immediate[position];
            self.arrive(block as usize, arrival);
        }
        self.simulator.immediate.clear();
        while let Some(due) = self.simulator.queue.pop_at(time, true) {
            let block = due.block as usize;
            match due.action {
                Action::Delayed { row, spike, lane } => {
                    self.arrive(block, Arrival { time, row, spike, lane });
                }
                _ => self.external(block, time),
            }
        }
    }

    /// All arrivals from outside that are due at a block.
    fn external(&mut self, block: usize, time: f64) {
        loop {
            let next = self.simulator.live[block].external;
            match self.record.blocks[block].external.get(next) {
                Some(&arrival) if arrival.time == time => {
                    self.simulator.live[block].external += 1;
                    self.arrive(block, arrival);
                }
                Some(arrival) => {
                    let time = arrival.time;
                    return self.simulator.queue.push(time, block as u32, Action::External);
                }
                None => return,
            }
        }
    }

    fn arrive(&mut self, block: usize, arrival: Arrival) {
        self.receive(block, arrival);
        self.touch(block);
        self.simulator.live[block].open = true;
    }

    /// Takes an arrival into the block's state and record.
    fn receive(&mut self, block: usize, arrival: Arrival) {
        self.advance(block, arrival.time);
        let live = &mut self.simulator.live[block];
        let weights = self.model.synapses.weights[arrival.row as usize];
        if arrival.lane == ALL_LANES {
            live.state.current = live.state.current + weights;
        } else {
            let lane = arrival.lane as usize;
            *lane_mut(&mut live.state.current, lane) += self::lane(&weights, lane);
        }
        self.record.blocks[block].arrivals.push(arrival);
    }

    fn release(&mut self, block: usize, time: f64, lane: u32) {
        self.advance(block, time);
        self.touch(block);
        let live = &mut self.simulator.live[block];
        live.held &= !(1 << lane);
        let current = self::lane(&live.state.current, lane as usize);
        let mark = Mark { lane, kind: MarkKind::Release, current, adaptation: T::zero() };
        self.record.blocks[block].marks.push(mark);
        self.note(block, time);
    }

    fn spike(&mut self, block: usize, time: f64, mut crossing: u32) -> Result<(), Runaway> {
        let model = self.model;
        let BlockNeurons { layer, spiking: Some(spiking), .. } = &model.blocks[block] else {
            return Ok(());
        };
        self.advance(block, time);
        self.touch(block);
        let first = self.record.spikes.len();
        while crossing != 0 {
            let lane = crossing.trailing_zeros() as usize;
            crossing &= crossing - 1;
            let (live, own) = (&mut self.simulator.live[block], &mut self.record.blocks[block]);
            own.counts[lane] += 1;
            if own.counts[lane] as usize > model.spike_bound {
                return Err(Runaway { layer: *layer });
            }
            let id = self.record.spikes.len() as u32;
            own.marks.push(Mark {
                lane: lane as u32,
                kind: MarkKind::Spike(id),
                current: self::lane(&live.state.current, lane),
                adaptation: self::lane(&live.state.adaptation, lane),
            });
            *lane_mut(&mut live.state.u, lane) = self::lane(&spiking.u_reset, lane);
            if let Some(adaptation) = spiking.adaptation {
                *lane_mut(&mut live.state.adaptation, lane) += adaptation.beta;
            }
            if spiking.refractory > T::zero() {
                live.held |= 1 << lane;
                let release = time + spiking.refractory.as_f64();
                if release <= model.end {
                    let action = Action::Release { lane: lane as u32 };
                    self.simulator.queue.push(release, block as u32, action);
                }
            }
            let neuron = model.layouts[*layer].neuron(block, lane) as u32;
            let rounded = T::of(time);
            self.record.spikes.push(Spike { time: rounded, neuron });
            self.record.trains[*layer].push(T::key(rounded, id));
        }
        self.note(block, time);
        for id in first..self.record.spikes.len() {
            self.send(*layer, id as u32, time);
        }
        Ok(())
    }

    /// Sends a spike to the blocks of its own component.
    fn send(&mut self, layer: usize, id: u32, time: f64) {
        let end = self.model.end;
        let neuron = self.record.spikes[id as usize].neuron;
        let Simulator { queue, immediate, .. } = &mut *self.simulator;
        for &connection in &self.model.inside[layer] {
            self.model.arrivals_of(connection, neuron, id, time, |block, arrival| {
                if arrival.time == time {
                    immediate.push((block, arrival));
                } else if arrival.time <= end {
                    let Arrival { time, row, spike, lane } = arrival;
                    queue.push(time, block, Action::Delayed { row, spike, lane });
                }
            });
        }
    }

    fn touch(&mut self, block: usize) {
        let live = &mut self.simulator.live[block];
        if !live.touched {
            live.touched = true;
            self.simulator.touched.push(block as u32);
        }
    }

    /// Closes the moment for every block to which something happened.
    fn settle(&mut self, time: f64) {
        for position in 0..self.simulator.touched.len() {
            let block = self.simulator.touched[position] as usize;
            let live = &mut self.simulator.live[block];
            live.touched = false;
            if std::mem::take(&mut live.open) {
                self.note(block, time);
            }
            self.look_ahead(block);
        }
        self.simulator.touched.clear();
    }

    /// Makes an entry of all that was noted since the last one.
    fn note(&mut self, block: usize, time: f64) {
        let live = &self.simulator.live[block];
        let own = &mut self.record.blocks[block];
        own.entries.push(Entry {
            time,
            arrivals: own.arrivals.len() as u32,
            marks: own.marks.len() as u32,
            held: live.held,
        });
        if self.model.keeps_states(block) {
            own.states.push(live.state);
        }
        self.record.order.push(block as u32);
    }

    /// Brings the block's state to `time`.
    #[inline]
    fn advance(&mut self, block: usize, time: f64) {
        let live = &mut self.simulator.live[block];
        if time == live.time {
            return;
        }
        let neurons = &self.model.blocks[block];
        live.state = evolve(neurons, &live.state, live.held, T::of(time - live.time));
        live.time = time;
    }

    /// Looks for the earliest time at which a lane may reach its threshold before the next arrival
    /// from outside, and queues it.
    ///
    /// Many events come between a look ahead and what it saw, so it only bounds the time from below:
    /// while V rises under a positive current, it rises ever slower. [`Run::crossing`] solves for the
    /// time itself when the bound is reached.
    #[inline]
    fn look_ahead(&mut self, block: usize) {
        let neurons = &self.model.blocks[block];
        let live = &mut self.simulator.live[block];
        live.stamp = live.stamp.wrapping_add(1);
        let Some(spiking) = &neurons.spiking else { return };
        let (zero, State { u, current, adaptation }) = (T::Lanes::zero(), live.state);
        let end = horizon(self.model, &self.record.blocks[block], live);
        // An adapted threshold falls: its lowest is its last.
        let threshold = match spiking.adaptation {
            Some(own) => {
                let last = (T::of(live.time - end) / own.tau).exp();
                adaptation.mul_add(T::Lanes::splat(last), spiking.u_threshold)
            }
            None => spiking.u_threshold,
        };
        // Under a negative current V heads for a point between the current and the bias.
        let excited = current.gt(zero);
        let lowest = excited.select(u, u.fast_min(current));
        let drive = current.fast_max(zero) - lowest;
        let may_cross = drive.gt(zero) & (excited | zero.gt(threshold));
        let gap = (threshold - u).fast_max(zero);
        let bound = gap * neurons.decays.tau_mem / drive;
        live.next = may_cross.select(bound, T::Lanes::splat(T::infinity()));
        if spiking.adaptation.is_some() {
            // A voltage that falls may meet a threshold that falls faster.
            live.next = u.gt(threshold).select(zero, live.next);
        }
        live.exact = 0;
        let mut held = live.held;
        while held != 0 {
            let lane = held.trailing_zeros() as usize & (LANES - 1);
            held &= held - 1;
            *lane_mut(&mut live.next, lane) = T::infinity();
        }
        let late = live.next.gt(T::Lanes::splat(T::of(end - live.time))).bits();
        if late != (1 << LANES) - 1 {
            let (_, earliest) = live.earliest();
            let time = (live.time + earliest.as_f64()).min(end);
            let action = Action::Crossing { stamp: live.stamp };
            self.simulator.queue.push(time, block as u32, action);
        }
    }

    /// The lanes that reach their threshold now, when the block's next crossing is due; if there are
    /// none yet, its next crossing is queued.
    fn crossing(&mut self, block: usize, now: f64) -> Option<u32> {
        let neurons = &self.model.blocks[block];
        let spiking = neurons.spiking.as_ref()?;
        let live = &mut self.simulator.live[block];
        let end = horizon(self.model, &self.record.blocks[block], live);
        loop {
            let (lane, after) = live.earliest();
            if after > T::of(end - live.time) {
                return None;
            }
            let time = (live.time + after.as_f64()).min(end);
            if time > now {
                let action = Action::Crossing { stamp: live.stamp };
                self.simulator.queue.push(time, block as u32, action);
                return None;
            }
            if live.exact & (1 << lane) != 0 {
                let exact = live.exact;
                let together = |other: &usize| {
                    exact & (1 << other) != 0 && self::lane(&live.next, *other) == after
                };
                return Some((0..LANES).filter(together).map(|lane| 1 << lane).sum());
            }
            let approach = approach(neurons, spiking, &live.state, lane);
            let crossing = approach.first_crossing(T::of(end - live.time));
            *lane_mut(&mut live.next, lane) = crossing.unwrap_or_else(T::infinity);
            live.exact |= 1 << lane;
        }
    }
}

impl<T: LaneReal> Live<T> {
    /// The lane that may be the next to reach its threshold, and the time until then.
    #[inline]
    fn earliest(&self) -> (usize, T) {
        let next = T::Lanes::scalars(std::slice::from_ref(&self.next));
        let first = (0, T::infinity());
        let lanes = next.iter().copied().enumerate();
        lanes.fold(first, |best, lane| if lane.1 < best.1 { lane } else { best })
    }
}

/// The time of the block's next arrival from outside: what is seen ahead holds until then.
#[inline]
fn horizon<T: LaneReal>(model: &Model<T>, own: &BlockRecord<T>, live: &Live<T>) -> f64 {
    own.external.get(live.external).map_or(model.end, |arrival| arrival.time)
}

/// The way of one neuron to its threshold.
fn approach<T: LaneReal>(
    neurons: &BlockNeurons<T>,
    spiking: &Spiking<T>,
    state: &State<T::Lanes>,
    lane: usize,
) -> Approach<T> {
    let bias = self::lane(&neurons.bias, lane);
    let value = self::lane(&state.adaptation, lane);
    let decays = spiking.adaptation.filter(|_| value != T::zero());
    Approach {
        time_constants: neurons.time_constants(lane),
        state: Membrane {
            v: self::lane(&state.u, lane) + bias,
            i: self::lane(&state.current, lane),
        },
        bias,
        threshold: self::lane(&spiking.threshold, lane),
        adaptation: decays.map(|own| Decay { value, tau: own.tau }),
    }
}
