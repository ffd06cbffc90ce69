use super::neuron::{NeuronState, Population, Spiking};
use super::queue::{Action, Arrival, EventQueue};
use super::synapses::Synapses;
use crate::network::Network;
use crate::parameters::Parameters;
use crate::spikes::SpikeTrain;

/// One sample run forward: everything the backward pass and the readouts need.
#[derive(Default)]
pub(super) struct Simulation {
    /// Every event of every neuron, in the order in which they happened.
    pub(super) log: Vec<Entry>,
    /// Every spike: first those of the sample, in its order, then the neurons', by time.
    pub(super) spikes: Vec<Spike>,
    /// How many of the spikes are the sample's.
    pub(super) inputs: usize,
}

/// Something that happened to a neuron.
pub(super) struct Entry {
    pub(super) time: f64,
    /// The neuron's position in the population.
    pub(super) neuron: usize,
    pub(super) event: Event,
    /// Its state just after.
    pub(super) after: NeuronState,
}

/// The kinds of entry.
#[derive(Clone, Copy)]
pub(super) enum Event {
    Arrival(Arrival),
    /// The neuron sent the spike at this position of the simulation's list.
    Spike(usize),
    /// The refractory time was over.
    Release,
}

/// A spike.
#[derive(Clone, Copy)]
pub(super) struct Spike {
    pub(super) time: f64,
    /// The layer that sent it and the neuron's position there.
    pub(super) layer: usize,
    pub(super) index: usize,
    /// The adaptation of the neuron just before.
    pub(super) adaptation: f64,
}

/// The layer that spiked more often than allowed.
pub(super) struct Runaway {
    pub(super) layer: usize,
}

/// Runs one sample. A neuron that spikes more than `bound` times stops it.
pub(super) fn simulate(
    network: &Network,
    population: &Population,
    parameters: &Parameters<f64>,
    inputs: SpikeTrain<'_, f64>,
    bound: usize,
) -> Result<Simulation, Runaway> {
    let count = population.neurons.len();
    let mut run = Run {
        population,
        synapses: Synapses { network, parameters },
        duration: network.duration(),
        queue: EventQueue::default(),
        live: vec![Live::default(); count],
        simulation: Simulation::default(),
        bound,
    };
    run.simulation.inputs = inputs.len();
    for (time, index) in inputs.iter() {
        run.send(Spike { time, layer: 0, index: index as usize, adaptation: 0.0 });
    }
    // A bias may drive neurons that nothing ever reaches.
    (0..count).for_each(|neuron| run.predict(neuron, 0.0));
    run.run()?;
    Ok(run.simulation)
}

/// A neuron during the run.
#[derive(Clone, Copy, Default)]
struct Live {
    /// When something last happened to it.
    time: f64,
    state: NeuronState,
    /// Counts its states: a spike predicted from an earlier one will not happen.
    stamp: u64,
    spikes: usize,
}

struct Run<'a> {
    population: &'a Population,
    synapses: Synapses<'a>,
    duration: f64,
    queue: EventQueue,
    live: Vec<Live>,
    simulation: Simulation,
    bound: usize,
}

impl Run<'_> {
    fn run(&mut self) -> Result<(), Runaway> {
        let mut touched = Vec::new();
        while let Some(time) = self.queue.next_time() {
            // All that happens at one moment happens before any neuron looks ahead again.
            while let Some((neuron, action)) = self.queue.pop_at(time) {
                match action {
                    Action::Spike { stamp } if stamp == self.live[neuron].stamp => {
                        self.spike(neuron, time)?;
                    }
                    Action::Spike { .. } => continue,
                    Action::Release => self.release(neuron, time),
                    Action::Arrival(arrival) => self.arrive(neuron, time, arrival),
                }
                touched.push(neuron);
            }
            touched.sort_unstable();
            touched.dedup();
            touched.drain(..).for_each(|neuron| self.predict(neuron, time));
        }
        Ok(())
    }

    fn arrive(&mut self, neuron: usize, time: f64, arrival: Arrival) {
        let mut state = self.advance(neuron, time);
        state.membrane.i += self.synapses.weight(arrival.connection, arrival.synapse);
        self.settle(neuron, time, Event::Arrival(arrival), state);
    }

    fn release(&mut self, neuron: usize, time: f64) {
        let state = NeuronState { held: false, ..self.advance(neuron, time) };
        self.settle(neuron, time, Event::Release, state);
    }

    fn spike(&mut self, neuron: usize, time: f64) -> Result<(), Runaway> {
        let population = self.population;
        let own = &population.neurons[neuron];
        let Some(Spiking { reset, refractory, beta, .. }) = own.spiking else { return Ok(()) };
        self.live[neuron].spikes += 1;
        if self.live[neuron].spikes > self.bound {
            return Err(Runaway { layer: own.layer });
        }
        let mut state = self.advance(neuron, time);
        let spike = Spike { time, layer: own.layer, index: own.index, adaptation: state.b };
        state.membrane.v = reset;
        state.b += beta;
        state.held = refractory > 0.0;
        self.settle(neuron, time, Event::Spike(self.simulation.spikes.len()), state);
        if state.held && time + refractory <= self.duration {
            self.queue.push(time + refractory, neuron, Action::Release);
        }
        self.send(spike);
        Ok(())
    }

    /// Puts the arrivals of a spike into the queue.
    fn send(&mut self, spike: Spike) {
        let (number, population, duration) =
            (self.simulation.spikes.len(), self.population, self.duration);
        self.simulation.spikes.push(spike);
        let (synapses, queue) = (self.synapses, &mut self.queue);
        synapses.from(spike.layer, spike.index, |connection, target, synapse| {
            let time = spike.time + synapses.delay(connection, synapse);
            if time <= duration {
                let to = population.first[synapses.network.connections()[connection].to];
                let arrival = Arrival { connection, synapse, spike: number };
                queue.push(time, to + target, Action::Arrival(arrival));
            }
        });
    }

    /// Looks ahead from `time` and queues the neuron's next spike, if nothing arrives before.
    fn predict(&mut self, neuron: usize, time: f64) {
        let live = self.live[neuron];
        let approach = self.population.neurons[neuron].approach(live.state);
        let crossing = approach.and_then(|a| a.first_crossing(self.duration - time));
        if let Some(after) = crossing {
            self.queue.push(time + after, neuron, Action::Spike { stamp: live.stamp });
        }
    }

    /// The neuron's state at `time`, before anything happens to it there.
    fn advance(&self, neuron: usize, time: f64) -> NeuronState {
        let live = &self.live[neuron];
        self.population.neurons[neuron].evolve(live.state, time - live.time)
    }

    /// Writes down what happened to a neuron and its state afterwards.
    fn settle(&mut self, neuron: usize, time: f64, event: Event, after: NeuronState) {
        let live = &mut self.live[neuron];
        (live.time, live.state) = (time, after);
        live.stamp += 1;
        self.simulation.log.push(Entry { time, neuron, event, after });
    }
}
