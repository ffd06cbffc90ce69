use super::neuron::Population;
use super::readout::{Measurement, PeakAt};
use super::simulation::{Event, Simulation};
use crate::network::Network;
use std::hash::{DefaultHasher, Hash, Hasher};

/// How far a batch is from one whose spikes, or whose gradient, would be others: the smallest of
/// each kind over all samples. All but the last are voltages, the first two in units of the neuron's threshold.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Margins {
    /// tau_mem V' at a spike.
    pub slope: f64,
    /// How far a maximum that was not reached stayed below the threshold, or how far the voltage
    /// would have gone above it, had the neuron not spiked, before the next arrival.
    pub clearance: f64,
    /// How far the second highest maximum of a voltage that the loss looks at stayed below the
    /// highest.
    pub readout: f64,
    /// How long before or after the end of a neuron's refractory time anything arrives at it, in units of tau_mem: what
    /// arrives before moves no voltage.
    pub release: f64,
}

impl Default for Margins {
    fn default() -> Self {
        let far = f64::INFINITY;
        Self { slope: far, clearance: far, readout: far, release: far }
    }
}

impl Margins {
    /// Whether all that are voltages are at least `bound`.
    pub fn at_least(&self, bound: f64) -> bool {
        self.slope >= bound && self.clearance >= bound && self.readout >= bound
    }

    /// Takes a sample into account.
    pub(super) fn narrow(
        &mut self,
        network: &Network,
        population: &Population,
        simulation: &Simulation,
        measurement: &Measurement,
    ) {
        let mut own = vec![Vec::new(); population.neurons.len()];
        for (number, entry) in simulation.log.iter().enumerate() {
            own[entry.neuron].push(number);
        }
        for (neuron, numbers) in population.neurons.iter().zip(&own) {
            let Some(spiking) = neuron.spiking else { continue };
            let mut last = (0.0, super::neuron::NeuronState::default());
            for position in 0..=numbers.len() {
                let entry = numbers.get(position).map(|&number| &simulation.log[number]);
                let time = entry.map_or(network.duration(), |entry| entry.time);
                let spikes = entry.is_some_and(|entry| matches!(entry.event, Event::Spike(_)));
                if let Some(approach) = neuron.approach(last.1) {
                    // Without the spike the voltage would go on to the next arrival, but not one
                    // that the spike itself caused at once.
                    let next = numbers[position.min(numbers.len())..].iter();
                    let mut later = next.map(|&number| &simulation.log[number]);
                    let arrival = later.find(|later| {
                        matches!(later.event, Event::Arrival(_)) && later.time > time
                    });
                    let free = arrival.map_or(network.duration(), |arrival| arrival.time);
                    let end = if spikes { free } else { time };
                    let highest = approach.highest(end - last.0) / spiking.threshold;
                    self.clearance = self.clearance.min(if spikes { highest } else { -highest });
                }
                if spikes {
                    let state = neuron.evolve(last.1, time - last.0);
                    let fall = neuron.time_constants.tau_mem * state.b / spiking.tau_b;
                    let reached = spiking.threshold + state.b;
                    let slope = state.membrane.i + neuron.bias - reached + fall;
                    self.slope = self.slope.min(slope / spiking.threshold);
                }
                if let Some(entry) = entry {
                    last = (entry.time, entry.after);
                }
                if let Some(apart) = apart(simulation, numbers, position) {
                    let tau_mem = neuron.time_constants.tau_mem;
                    self.release = self.release.min(apart / tau_mem);
                }
            }
        }
        for peak in &measurement.peaks {
            self.readout = self.readout.min(peak.value - peak.runner_up);
        }
    }
}

/// The time between an event of a neuron, of which `numbers` are those of the log, and the one after it, if one of them is
/// the end of its refractory time and the other an arrival.
fn apart(simulation: &Simulation, numbers: &[usize], position: usize) -> Option<f64> {
    let (entry, next) = (numbers.get(position)?, numbers.get(position + 1)?);
    let (entry, next) = (&simulation.log[*entry], &simulation.log[*next]);
    let is_apart = matches!(
        (entry.event, next.event),
        (Event::Release, Event::Arrival(_)) | (Event::Arrival(_), Event::Release)
    );
    is_apart.then_some(next.time - entry.time)
}

/// Continues `signature` with a sample: for every neuron which arrivals came before each of its
/// spikes, and where its voltage was highest.
pub(super) fn signature(signature: u64, simulation: &Simulation, measurement: &Measurement) -> u64 {
    let mut neurons: Vec<NeuronHistory> = Vec::new();
    let mut places = vec![0; simulation.log.len()];
    for (place, entry) in places.iter_mut().zip(&simulation.log) {
        if neurons.len() <= entry.neuron {
            neurons.resize(entry.neuron + 1, NeuronHistory::default());
        }
        let history = &mut neurons[entry.neuron];
        match entry.event {
            // A sum: arrivals may change places among themselves.
            Event::Arrival(arrival) => {
                let spike = &simulation.spikes[arrival.spike];
                let synapse = (arrival.connection, arrival.synapse, spike.layer, spike.index);
                history.arrivals = history.arrivals.wrapping_add(hash(&synapse));
            }
            Event::Spike(_) => history.spikes = hash(&(history.spikes, history.arrivals)),
            Event::Release => history.spikes = hash(&(history.spikes, history.arrivals, "release")),
        }
        *place = hash(&(history.spikes, history.arrivals));
    }
    let peaks: Vec<(u8, u64)> = measurement
        .peaks
        .iter()
        .map(|peak| match peak.at {
            PeakAt::Start => (0, 0),
            PeakAt::Between { after, .. } => (1, after.map_or(0, |entry| places[entry])),
            PeakAt::Event { entry, .. } => (2, places[entry]),
            PeakAt::End => (3, 0),
        })
        .collect();
    hash(&(signature, neurons.iter().map(|n| (n.spikes, n.arrivals)).collect::<Vec<_>>(), peaks))
}

#[derive(Clone, Copy, Default)]
struct NeuronHistory {
    /// The spikes so far, each with the arrivals before it.
    spikes: u64,
    /// The arrivals so far, in any order.
    arrivals: u64,
}

fn hash(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}
