use super::convolution::convolve;
use super::neuron::{Neuron, NeuronState, Population};
use super::simulation::{Entry, Event, Simulation};
use crate::loss::Readout;
use crate::network::Network;

/// What was measured at the output layer, and where.
pub(super) struct Measurement {
    /// One number an output neuron.
    pub(super) values: Vec<f64>,
    /// For maxima of voltages: where each was reached.
    pub(super) peaks: Vec<Peak>,
}

/// Where a voltage was highest.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peak {
    pub(super) value: f64,
    pub(super) at: PeakAt,
    /// The next highest of the neuron's maxima.
    pub(super) runner_up: f64,
    /// Whether the voltage falls on either side (and does not just rise through an event).
    local: bool,
}

/// The places a maximum can be at.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum PeakAt {
    /// The voltage never rose above its start, 0: no gradient.
    Start,
    /// At `time` between two events, the earlier being this entry of the log (none: the start).
    Between { time: f64, after: Option<usize> },
    /// At the event of this entry of the log, V rising towards it with this slope.
    Event { entry: usize, slope: f64 },
    /// At the end of the simulated time.
    End,
}

/// A time in which nothing happened to an output neuron.
struct Piece {
    /// The neuron's position in the layer.
    index: usize,
    start: f64,
    /// The entry of the log it starts after, and the state then.
    after: Option<usize>,
    state: NeuronState,
    end: f64,
    /// The entry of the log it ends at.
    before: Option<usize>,
}

/// Measures the output layer.
pub(super) fn measure(
    readout: Readout,
    network: &Network,
    population: &Population,
    simulation: &Simulation,
) -> Measurement {
    let (layer, size) = (network.output_index(), network.output().size);
    let duration = network.duration();
    let mut values = vec![0.0; size];
    let mut peaks = Vec::new();
    let output_spikes = simulation.spikes.iter().filter(|spike| spike.layer == layer);
    match readout {
        Readout::FirstSpike => {
            values.fill(duration);
            output_spikes.for_each(|s| values[s.index] = f64::min(values[s.index], s.time));
        }
        Readout::SpikeTimeSum => output_spikes.for_each(|s| values[s.index] += s.time),
        Readout::Mean | Readout::ExpMean => {
            for_each_piece(network, population, simulation, |piece, neuron| {
                values[piece.index] += integral(readout, duration, neuron, &piece);
            });
        }
        Readout::VMax => {
            peaks = vec![Peak::START; size];
            for_each_piece(network, population, simulation, |piece, neuron| {
                peaks[piece.index].climb(neuron, &piece, simulation);
            });
            values = peaks.iter().map(|peak| peak.value).collect();
        }
    }
    Measurement { values, peaks }
}

/// The weight of V(t) in the integral of a voltage readout over the duration T: 1/T or exp(-t/T)/T.
pub(super) fn density(readout: Readout, time: f64, duration: f64) -> f64 {
    (-decay_rate(readout, duration) * time).exp() / duration
}

/// The rate at which that weight decays.
pub(super) fn decay_rate(readout: Readout, duration: f64) -> f64 {
    if readout == Readout::ExpMean { duration.recip() } else { 0.0 }
}

/// The integral of the weighted voltage over a piece.
fn integral(readout: Readout, duration: f64, neuron: &Neuron, piece: &Piece) -> f64 {
    let dt = piece.end - piece.start;
    // In reversed time the weight grows from its value at the end.
    let growth = -decay_rate(readout, duration);
    let (m, s) = (neuron.time_constants.tau_mem.recip(), neuron.time_constants.tau_syn.recip());
    let state = piece.state.membrane;
    let voltage = if piece.state.held {
        state.v * convolve([0.0, growth], dt)
    } else {
        neuron.bias * convolve([0.0, growth], dt)
            + (state.v - neuron.bias) * convolve([m, growth], dt)
            + state.i * m * convolve([m, s, growth], dt)
    };
    density(readout, piece.end, duration) * voltage
}

impl Peak {
    const START: Self =
        Self { value: 0.0, at: PeakAt::Start, runner_up: f64::NEG_INFINITY, local: true };

    /// Looks for a higher voltage inside a piece and at its end.
    fn climb(&mut self, neuron: &Neuron, piece: &Piece, simulation: &Simulation) {
        if piece.state.held {
            return;
        }
        let dt = piece.end - piece.start;
        let slope = |state: NeuronState| neuron.time_constants.slope(state.membrane, neuron.bias);
        let turn = neuron.time_constants.extremum(piece.state.membrane, neuron.bias);
        if let Some(s) = turn.filter(|s| *s < dt) {
            let value = neuron.evolve(piece.state, s).membrane.v;
            let at = PeakAt::Between { time: piece.start + s, after: piece.after };
            self.consider(value, at, slope(piece.state) > 0.0);
        }
        let end = neuron.evolve(piece.state, dt);
        let rises = slope(end) > 0.0;
        let (at, local) = match piece.before {
            None => (PeakAt::End, rises),
            Some(entry) => {
                let Entry { event, after, .. } = &simulation.log[entry];
                let falls = matches!(event, Event::Spike(_)) || slope(*after) < 0.0;
                (PeakAt::Event { entry, slope: slope(end) }, rises && falls)
            }
        };
        self.consider(end.membrane.v, at, local);
    }

    fn consider(&mut self, value: f64, at: PeakAt, local: bool) {
        if value > self.value {
            let beaten = if self.local { self.value } else { f64::NEG_INFINITY };
            let runner_up = self.runner_up.max(beaten);
            *self = Self { value, at, runner_up, local };
        } else if local {
            self.runner_up = self.runner_up.max(value);
        }
    }
}

/// Calls `visit` for every piece of every output neuron, in the order of their ends.
fn for_each_piece(
    network: &Network,
    population: &Population,
    simulation: &Simulation,
    mut visit: impl FnMut(Piece, &Neuron),
) {
    let first = population.first[network.output_index()];
    let outputs = &population.neurons[first..];
    let mut last = vec![(0.0, None, NeuronState::default()); outputs.len()];
    for (number, entry) in simulation.log.iter().enumerate() {
        let Some(index) = entry.neuron.checked_sub(first) else { continue };
        let (start, after, state) = last[index];
        let before = Some(number);
        visit(Piece { index, start, after, state, end: entry.time, before }, &outputs[index]);
        last[index] = (entry.time, before, entry.after);
    }
    for (index, (start, after, state)) in last.into_iter().enumerate() {
        let end = network.duration();
        visit(Piece { index, start, after, state, end, before: None }, &outputs[index]);
    }
}

/// The derivative of the loss by the time of each spike of the output layer, as far as the readout
/// itself looks at spikes or at a voltage that a spike makes jump: `by_output` holds the
/// derivatives by the measured values.
pub(super) fn spike_time_gradient(
    readout: Readout,
    network: &Network,
    population: &Population,
    simulation: &Simulation,
    by_output: &[f64],
) -> Vec<f64> {
    let layer = network.output_index();
    let mut first = vec![true; by_output.len()];
    let gradient = simulation.spikes.iter().map(|spike| {
        if spike.layer != layer {
            return 0.0;
        }
        let g = by_output[spike.index];
        match readout {
            Readout::FirstSpike if std::mem::take(&mut first[spike.index]) => g,
            Readout::SpikeTimeSum => g,
            Readout::FirstSpike | Readout::VMax => 0.0,
            Readout::Mean | Readout::ExpMean => {
                let neuron = &population.neurons[population.first[layer] + spike.index];
                let jump = neuron.spiking.map_or(0.0, |s| s.threshold + spike.adaptation - s.reset);
                g * density(readout, spike.time, network.duration()) * jump
            }
        }
    });
    gradient.collect()
}
