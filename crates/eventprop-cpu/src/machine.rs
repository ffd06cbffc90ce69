mod learning;

use crate::dense::{JumpSettings, Rows};
use crate::lanes::{LaneReal, Lanes};
use crate::plan::{Input, Plan};
use crate::sample::SampleSpikes;
use crate::stream::Stream;
use crate::threads::Threads;
use lif_core::engine::{Batch, BatchStatistics, EngineError, Training};
use lif_core::loss::Readout;
use lif_core::network::Network;
use lif_core::{Parameters, SpikeBatch};
use rayon::prelude::*;

/// A network's parameters, the state of one batch, and the passes over it. The threads that are
/// handed to a pass share its work.
pub(crate) struct Machine<T: LaneReal> {
    pub(crate) network: Network,
    pub(crate) training: Training<T>,
    pub(crate) plan: Plan<T>,
    /// Everything but the weights, which live in `weights`.
    pub(crate) constants: Parameters<T>,
    pub(crate) weights: Vec<T::Lanes>,
    pub(crate) gradient: Vec<T::Lanes>,
    pub(crate) first: Vec<T::Lanes>,
    pub(crate) second: Vec<T::Lanes>,
    pub(crate) steps: u64,
    /// By layer above the input, by sample: what arrives there.
    streams: Vec<Vec<Stream<T>>>,
    /// By spiking layer, by sample.
    pub(crate) spikes: Vec<Vec<SampleSpikes<T>>>,
    pub(crate) outputs: Vec<T>,
    derivatives: Vec<T>,
    pub(crate) losses: Vec<T>,
    pub(crate) input_gradient: Vec<T>,
    /// By spiking layer, by neuron, of layers that are no more.
    activity: Vec<Vec<u64>>,
}

impl<T: LaneReal> Machine<T> {
    pub(crate) fn new(network: &Network, training: Training<T>, plan: Plan<T>) -> Self {
        let rows = plan.inputs.iter().map(|input| input.blocks.len()).sum();
        let zeros = vec![T::Lanes::zero(); rows];
        Self {
            constants: Parameters::initial(network),
            streams: vec![Vec::new(); plan.inputs.len()],
            spikes: vec![Vec::new(); plan.spiking.len()],
            activity: Vec::new(),
            network: network.clone(),
            training,
            plan,
            weights: zeros.clone(),
            gradient: zeros.clone(),
            first: zeros.clone(),
            second: zeros,
            steps: 0,
            outputs: Vec::new(),
            derivatives: Vec::new(),
            losses: Vec::new(),
            input_gradient: Vec::new(),
        }
    }

    /// Takes other layers: what the old ones know goes on to be true.
    pub(crate) fn set_plan(&mut self, threads: &Threads, plan: Plan<T>) {
        self.join_gradient(threads);
        self.activity = self.take_activity();
        self.plan = plan;
    }

    /// How often each neuron of the spiking layers spiked in training since this was last asked.
    pub(crate) fn take_activity(&mut self) -> Vec<Vec<u64>> {
        let mut activity = std::mem::take(&mut self.activity);
        activity.resize(self.plan.spiking.len(), Vec::new());
        for (counts, layer) in activity.iter_mut().zip(&mut self.plan.spiking) {
            let new = layer.take_activity();
            counts.resize(new.len(), 0);
            counts.iter_mut().zip(new).for_each(|(count, new)| *count += new);
        }
        activity
    }

    fn duration(&self) -> T {
        T::of(self.network.duration())
    }

    /// From a batch to the gradient of its mean loss.
    pub(crate) fn differentiate(
        &mut self,
        threads: &Threads,
        batch: Batch<'_, T>,
    ) -> Result<BatchStatistics, EngineError> {
        self.forward(threads, batch.spikes)?;
        let mut statistics = self.evaluate(threads, batch.labels)?;
        statistics.grazing = self.backward(threads, batch.len());
        self.collect_input_gradient(batch.spikes);
        Ok(statistics)
    }

    /// From the spikes of a batch to the outputs and, of a spiking output layer, its spikes.
    pub(crate) fn forward(
        &mut self,
        threads: &Threads,
        batch: &SpikeBatch<T>,
    ) -> Result<(), EngineError> {
        let samples = batch.len();
        let duration = self.duration();
        let Self { plan, streams, spikes, weights, outputs, network, training, .. } = self;
        let mut below = streams.iter_mut();
        let inputs = &plan.inputs;
        if let Some(first) = below.next() {
            let streams = slots(first, samples).par_iter_mut().enumerate();
            let Input { decay, from_zero, .. } = &inputs[0];
            threads.each(streams, |(sample, stream)| {
                stream.fill(batch.get(sample).iter(), duration, decay, *from_zero);
            });
        }
        for (layer, spiking) in plan.spiking.iter_mut().enumerate() {
            let input = &inputs[layer];
            let weights = &weights[input.first_row..][..input.blocks.len()];
            let spikes = slots(&mut spikes[layer], samples);
            spiking.forward(threads, weights, &streams[layer][..samples], spikes)?;
            if let Some(input) = inputs.get(layer + 1) {
                let above = slots(&mut streams[layer + 1], samples);
                threads.each(above.par_iter_mut().zip(&*spikes), |(stream, spikes)| {
                    stream.fill(spikes.by_time(), duration, &input.decay, input.from_zero);
                });
            }
        }
        let classes = network.output().size;
        outputs.clear();
        outputs.resize(samples * classes, T::zero());
        match (&mut plan.readout, inputs.last()) {
            (Some(readout), Some(input)) => {
                let weights = &weights[input.first_row..][..input.blocks.len()];
                let streams = &streams[inputs.len() - 1][..samples];
                readout.forward(threads, weights, streams, outputs);
            }
            _ => {
                let readout = training.objective.readout();
                let spikes = spikes.last().map_or(&[][..], Vec::as_slice);
                for (spikes, outputs) in spikes.iter().zip(outputs.chunks_exact_mut(classes)) {
                    measure_spikes(readout, spikes, duration, outputs);
                }
            }
        }
        Ok(())
    }

    /// The losses, and their derivatives by the outputs as parts of the batch's mean.
    fn evaluate(
        &mut self,
        threads: &Threads,
        labels: &[u32],
    ) -> Result<BatchStatistics, EngineError> {
        let classes = self.network.output().size;
        let objective = &*self.training.objective;
        let (readout, duration) = (objective.readout(), self.duration());
        let share = T::of(labels.len() as f64).recip();
        self.derivatives.clear();
        self.derivatives.resize(self.outputs.len(), T::zero());
        self.losses.resize(labels.len(), T::zero());
        let outputs = self.outputs.par_chunks_exact(classes);
        let samples = outputs.zip(self.derivatives.par_chunks_exact_mut(classes));
        let samples = samples.zip(labels.par_iter().zip(&mut self.losses)).enumerate();
        let hits = samples.map(|(sample, ((outputs, derivatives), (&label, loss)))| {
            *loss = objective.evaluate_in_batch(sample, outputs, label as usize, derivatives);
            derivatives.iter_mut().for_each(|derivative| *derivative *= share);
            usize::from(readout.predict(outputs, duration) == Some(label as usize))
        });
        let correct = threads.reduce(hits, 0, |a, b| a + b);
        if let Some(sample) = self.losses.iter().position(|loss| !loss.is_finite()) {
            return Err(EngineError::NotFinite {
                what: "the loss",
                layer: self.network.output().name.clone(),
                sample,
            });
        }
        let loss = self.losses.iter().map(|loss| loss.as_f64()).sum();
        let statistics =
            BatchStatistics { samples: labels.len(), loss, correct, ..BatchStatistics::default() };
        Ok(statistics)
    }

    /// From the derivatives by the outputs to the gradient; returns the number of grazing spikes.
    fn backward(&mut self, threads: &Threads, samples: usize) -> u64 {
        let classes = self.network.output().size;
        let readout_kind = self.training.objective.readout();
        let Self { plan, streams, spikes, weights, gradient, training, derivatives, .. } = self;
        let mut grazing = 0;
        match (&mut plan.readout, plan.inputs.last()) {
            (Some(readout), Some(input)) => {
                let range = input.first_row..input.first_row + input.blocks.len();
                let rows =
                    Rows { weights: &weights[range.clone()], gradient: &mut gradient[range] };
                let layer = plan.inputs.len() - 1;
                let errors_below = layer > 0 || training.input_gradients;
                readout.backward(
                    threads,
                    rows,
                    &mut streams[layer][..samples],
                    derivatives,
                    errors_below,
                );
            }
            _ => {
                let last = spikes.last_mut().map_or(&mut [][..], Vec::as_mut_slice);
                let pairs = last.par_iter_mut().zip(derivatives.par_chunks_exact(classes));
                threads.each(pairs, |(spikes, derivatives)| {
                    spikes.set_errors(classes, |neuron, is_first| {
                        if is_first || readout_kind == Readout::SpikeTimeSum {
                            derivatives[neuron]
                        } else {
                            T::zero()
                        }
                    });
                });
            }
        }
        for (layer, spiking) in plan.spiking.iter_mut().enumerate().rev() {
            let input = &plan.inputs[layer];
            if let Some(above) = streams.get(layer + 1) {
                let pairs = spikes[layer][..samples].par_iter_mut().zip(above);
                threads.each(pairs, |(spikes, stream)| spikes.take_errors(&stream.errors));
            }
            let rate = training.rate_target(layer + 1);
            let settings = JumpSettings {
                slope_floor: T::of(training.slope_floor),
                rate: rate.map(|rate| (T::of(rate.target), T::of(rate.strength / samples as f64))),
            };
            let range = input.first_row..input.first_row + input.blocks.len();
            let rows = Rows { weights: &weights[range.clone()], gradient: &mut gradient[range] };
            grazing += spiking.backward(
                threads,
                rows,
                &mut streams[layer][..samples],
                &mut spikes[layer][..samples],
                settings,
                layer > 0 || training.input_gradients,
            );
        }
        grazing
    }

    fn collect_input_gradient(&mut self, batch: &SpikeBatch<T>) {
        self.input_gradient.clear();
        if !self.training.input_gradients {
            return;
        }
        self.input_gradient.resize(batch.spike_count(), T::zero());
        for (sample, stream) in self.streams[0][..batch.len()].iter().enumerate() {
            let first = batch.range(sample).start;
            self.input_gradient[first..first + stream.errors.len()].copy_from_slice(&stream.errors);
        }
    }
}

/// The first `samples` slots, more of them if need be and never fewer: a batch of evaluation is larger
/// than one of training, and what each sample took is of use to the next.
fn slots<V: Default>(slots: &mut Vec<V>, samples: usize) -> &mut [V] {
    if slots.len() < samples {
        slots.resize_with(samples, V::default);
    }
    &mut slots[..samples]
}

/// Measures a spiking output layer.
fn measure_spikes<T: LaneReal>(
    readout: Readout,
    spikes: &SampleSpikes<T>,
    duration: T,
    outputs: &mut [T],
) {
    if readout == Readout::SpikeTimeSum {
        for (time, neuron) in spikes.by_time() {
            outputs[neuron as usize] += time;
        }
        return;
    }
    outputs.fill(duration);
    for (time, neuron) in spikes.by_time() {
        let first = &mut outputs[neuron as usize];
        *first = first.min(time);
    }
}
