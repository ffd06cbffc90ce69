use super::interval::{Costate, Interval, slot};
use super::neuron::{Neuron, NeuronState, Population, Spiking};
use super::queue::Arrival;
use super::readout::{self, Measurement, Peak, PeakAt};
use super::recorder::Recorder;
use super::simulation::{Event, Simulation};
use super::synapses::Synapses;
use crate::adjoint::{
    SpikeMoment, arrival_error, release_error, spike_jump, voltage_impulse, weight_gradient,
};
use crate::loss::Readout;
use crate::network::Network;
use crate::parameters::Parameters;

/// What the backward pass of a sample needs beside the forward pass.
pub(super) struct Task<'a> {
    pub(super) network: &'a Network,
    pub(super) population: &'a Population,
    pub(super) parameters: &'a Parameters<f64>,
    pub(super) readout: Readout,
    pub(super) measurement: &'a Measurement,
    /// The derivative of the loss by each measured value.
    pub(super) by_output: &'a [f64],
    /// See [`crate::engine::Training::slope_floor`].
    pub(super) slope_floor: f64,
    /// What is taken from lambda_V after each jump, per neuron of the population.
    pub(super) rate_pull: &'a [f64],
}

/// What the backward pass of a sample leaves.
pub(super) struct Backward {
    /// The derivative of the loss by the time of each input spike.
    pub(super) input_gradient: Vec<f64>,
    /// Spikes at which the slope floor acted.
    pub(super) grazing: u64,
}

/// Runs the adjoint of one sample from the duration back to 0 and adds its gradient to `gradient`;
/// `recorder` is shown what happens on the way.
pub(super) fn backward(
    task: &Task<'_>,
    simulation: &Simulation,
    gradient: &mut Parameters<f64>,
    recorder: &mut Recorder,
) -> Backward {
    let Task { network, population, parameters, readout, by_output, .. } = *task;
    let mut by_time =
        readout::spike_time_gradient(readout, network, population, simulation, by_output);
    let mut reverse = Reverse {
        task,
        synapses: Synapses { network, parameters },
        costates: vec![Costate::new(network.duration()); population.neurons.len()],
        gradient,
        recorder,
        grazing: 0,
    };
    reverse.start();
    for (number, entry) in simulation.log.iter().enumerate().rev() {
        let neuron = entry.neuron;
        reverse.rewind(neuron, entry.time, entry.after, Some(number));
        let peak = reverse.peak_at_event(neuron, number);
        match entry.event {
            Event::Arrival(arrival) => {
                let kink = reverse.kink(neuron, number, simulation);
                by_time[arrival.spike] += reverse.arrival(neuron, arrival, kink);
            }
            Event::Release => reverse.release(neuron, entry.after),
            Event::Spike(spike) => {
                by_time[spike] += peak.map_or(0.0, |(g, slope)| g * slope);
                let adaptation = simulation.spikes[spike].adaptation;
                reverse.spike(neuron, by_time[spike], adaptation, entry.after);
            }
        }
        if let Some((g, _)) = peak {
            reverse.impulse(neuron, g);
        }
    }
    (0..population.neurons.len())
        .for_each(|neuron| reverse.rewind(neuron, 0.0, NeuronState::default(), None));
    let grazing = reverse.grazing;
    by_time.truncate(simulation.inputs);
    Backward { input_gradient: by_time, grazing }
}

struct Reverse<'a> {
    task: &'a Task<'a>,
    synapses: Synapses<'a>,
    costates: Vec<Costate>,
    gradient: &'a mut Parameters<f64>,
    recorder: &'a mut Recorder,
    grazing: u64,
}

impl<'a> Reverse<'a> {
    /// Impulses of maxima at the very end.
    fn start(&mut self) {
        let first = self.first_output();
        for (index, peak) in self.task.measurement.peaks.iter().enumerate() {
            if peak.at == PeakAt::End {
                self.impulse(first + index, self.task.by_output[index]);
            }
        }
    }

    fn arrival(&mut self, neuron: usize, arrival: Arrival, kink: f64) -> f64 {
        let Arrival { connection, synapse, .. } = arrival;
        let lambda = self.costates[neuron].lambda;
        let by_time = arrival_error(self.synapses.weight(connection, synapse), lambda) + kink;
        if let Some(synapse) = synapse {
            let tau_syn = self.neuron(neuron).time_constants.tau_syn;
            let own = &mut self.gradient.connections[connection];
            own.weights[synapse] += weight_gradient(tau_syn, lambda);
            if let Some(delay) = own.delays.get_mut(synapse) {
                *delay += by_time;
            }
        }
        by_time
    }

    fn release(&mut self, neuron: usize, after: NeuronState) {
        let bias = self.neuron(neuron).bias;
        let own = &mut self.costates[neuron];
        own.release = release_error(after.membrane.i, bias, after.membrane.v, own.lambda.v);
        own.lambda.v = 0.0;
    }

    fn spike(&mut self, neuron: usize, by_time: f64, adaptation: f64, after: NeuronState) {
        let description = self.neuron(neuron);
        let Some(spiking) = description.spiking else { return };
        let Spiking { threshold, refractory, beta, tau_b, .. } = spiking;
        let (tau_mem, layer) = (description.time_constants.tau_mem, description.layer);
        let own = &mut self.costates[neuron];
        let release = if refractory > 0.0 {
            std::mem::take(&mut own.release)
        } else {
            release_error(after.membrane.i, description.bias, after.membrane.v, own.lambda.v)
        };
        let moment = SpikeMoment {
            current: after.membrane.i,
            bias: description.bias,
            reached: threshold + adaptation,
            threshold_fall: tau_mem * adaptation / tau_b,
        };
        let floor = self.task.slope_floor * threshold;
        let by_time = by_time + release - beta * own.lambda_b;
        let (jump, grazing) = spike_jump(by_time, moment.slope(), floor);
        let lambda_b_after = own.lambda_b;
        own.lambda_b -= jump * tau_mem / tau_b;
        own.lambda.v = jump - self.task.rate_pull[neuron];
        self.grazing += u64::from(grazing);

        let gradient = &mut self.gradient.layers[layer];
        *slot(&mut gradient.threshold, description.index) += tau_mem * jump;
        if let Some(gradient) = gradient.adaptation_beta.first_mut() {
            *gradient -= tau_b * lambda_b_after;
        }
    }

    /// Carries the adjoint of a neuron back to `time`, where its state was `start`, through a time
    /// without events that begins at log entry `after`.
    fn rewind(&mut self, neuron: usize, time: f64, start: NeuronState, after: Option<usize>) {
        if let Some((g, PeakAt::Between { time: top, after: before_top })) = self.peak(neuron)
            && before_top == after
        {
            let description = self.neuron(neuron);
            let state = description.evolve(start, top - time);
            self.rewind_plain(neuron, top, state);
            self.impulse(neuron, g);
        }
        self.rewind_plain(neuron, time, start);
    }

    fn rewind_plain(&mut self, neuron: usize, time: f64, start: NeuronState) {
        let description = self.neuron(neuron);
        let drive = if start.held { 0.0 } else { self.drive(neuron) };
        let readout = self.task.readout;
        let duration = self.task.network.duration();
        let own = &mut self.costates[neuron];
        let interval = Interval {
            neuron: description,
            dt: own.time - time,
            start,
            end: *own,
            drive: voltage_impulse(drive, description.time_constants.tau_mem)
                * readout::density(readout, own.time, duration),
            growth: -readout::decay_rate(readout, duration),
        };
        interval.add_gradients(&mut self.gradient.layers[description.layer]);
        self.recorder
            .interval(neuron, time, own.time, |dt| Interval { dt, ..interval }.rewound().lambda);
        *own = Costate { time, ..interval.rewound() };
    }

    fn impulse(&mut self, neuron: usize, gradient: f64) {
        let tau_mem = self.neuron(neuron).time_constants.tau_mem;
        self.costates[neuron].lambda.v += voltage_impulse(gradient, tau_mem);
    }

    /// If the neuron's voltage was highest at this entry of the log: the derivative of the loss by
    /// it and the slope with which it was reached.
    fn peak_at_event(&self, neuron: usize, number: usize) -> Option<(f64, f64)> {
        match self.peak(neuron)? {
            (g, PeakAt::Event { entry, slope }) if entry == number => Some((g, slope)),
            _ => None,
        }
    }

    /// A maximum that sits on an arrival moves with it, along the slope before it; of several at one moment with the
    /// first that has a weight. What this adds to the derivative by the time of that at entry `number` of the log.
    fn kink(&self, neuron: usize, number: usize, simulation: &Simulation) -> f64 {
        let Some((g, PeakAt::Event { entry, slope })) = self.peak(neuron) else { return 0.0 };
        let time = simulation.log[entry].time;
        let weighs =
            |arrival: Arrival| self.synapses.weight(arrival.connection, arrival.synapse) != 0.0;
        let moment = (entry..=number).filter(|&other| simulation.log[other].neuron == neuron);
        let mover = moment
            .take_while(|&other| simulation.log[other].time == time)
            .map_while(|other| match simulation.log[other].event {
                Event::Arrival(arrival) => Some((other, arrival)),
                _ => None,
            })
            .find(|&(_, arrival)| weighs(arrival));
        if mover.is_some_and(|(mover, _)| mover == number) { g * slope } else { 0.0 }
    }

    fn peak(&self, neuron: usize) -> Option<(f64, PeakAt)> {
        let index = neuron.checked_sub(self.first_output())?;
        let Peak { at, .. } = self.task.measurement.peaks.get(index)?;
        Some((self.task.by_output[index], *at))
    }

    /// The derivative of the loss by the neuron's weighted integral of V, if it has one.
    fn drive(&self, neuron: usize) -> f64 {
        let integrates = matches!(self.task.readout, Readout::Mean | Readout::ExpMean);
        match neuron.checked_sub(self.first_output()) {
            Some(index) if integrates => self.task.by_output[index],
            _ => 0.0,
        }
    }

    fn neuron(&self, neuron: usize) -> &'a Neuron {
        &self.task.population.neurons[neuron]
    }

    fn first_output(&self) -> usize {
        self.task.population.first[self.task.network.output_index()]
    }
}
