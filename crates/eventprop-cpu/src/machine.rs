use crate::dense::{Adjoints, JumpSettings, Rows};
use crate::lanes::{LaneReal, Lanes};
use crate::plan::{Input, Plan};
use crate::sample::SampleSpikes;
use crate::stream::Stream;
use crate::threads::Threads;
use crate::update::{Apart, Piece};
use lif_core::engine::{Batch, BatchStatistics, EngineError, Training};
use lif_core::loss::Readout;
use lif_core::network::Network;
use lif_core::optimiser::Clip;
use lif_core::{Parameters, SpikeBatch};
use rayon::prelude::*;

/// Blocks of weights that a thread updates at a time, at least.
const UPDATE_CHUNK: usize = 1024;

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
        let mut statistics = self.evaluate(batch.labels)?;
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
    fn evaluate(&mut self, labels: &[u32]) -> Result<BatchStatistics, EngineError> {
        let classes = self.network.output().size;
        let objective = &*self.training.objective;
        let (readout, duration) = (objective.readout(), self.duration());
        let share = T::of(labels.len() as f64).recip();
        self.derivatives.clear();
        self.derivatives.resize(self.outputs.len(), T::zero());
        self.losses.clear();
        let mut statistics =
            BatchStatistics { samples: labels.len(), ..BatchStatistics::default() };
        let outputs = self.outputs.chunks_exact(classes);
        for ((outputs, derivatives), &label) in
            outputs.zip(self.derivatives.chunks_exact_mut(classes)).zip(labels)
        {
            let sample = self.losses.len();
            let loss = objective.evaluate_in_batch(sample, outputs, label as usize, derivatives);
            if !loss.is_finite() {
                return Err(EngineError::NotFinite {
                    what: "the loss",
                    layer: self.network.output().name.clone(),
                    sample,
                });
            }
            derivatives.iter_mut().for_each(|derivative| *derivative *= share);
            statistics.loss += loss.as_f64();
            let prediction = readout.predict(outputs, duration);
            statistics.correct += usize::from(prediction == Some(label as usize));
            self.losses.push(loss);
        }
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
            let rate = training.rate_targets.iter().find(|rate| rate.layer == layer + 1);
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

    /// Changes the weights by the gradient; returns how many components were clipped.
    pub(crate) fn update(&mut self, threads: &Threads, learning_rate: f64) -> u64 {
        self.steps += 1;
        let factor = T::of(self.training.learning_rates.weights);
        let rule = self.training.optimiser.rule(self.steps, learning_rate).scaled(factor, true);
        let mut clipped = 0;
        let bound = match self.training.clip {
            Some(Clip::Value(bound)) => Some(T::of(bound)),
            Some(Clip::Norm(bound)) => {
                self.join_gradient(threads);
                let norm = self.gradient_norm(threads);
                if norm > bound {
                    let scale = T::Lanes::of(bound / norm);
                    threads.each(self.gradient.par_iter_mut(), |row| *row = *row * scale);
                    clipped = self.plan.inputs.iter().map(|input| input.blocks.weights()).sum();
                }
                None
            }
            None => None,
        };
        let pieces = self.pieces().into_par_iter().map(|piece| piece.update(&rule, bound));
        threads.reduce(pieces, clipped, |a, b| a + b)
    }

    /// All weights, in pieces that threads update one by one.
    fn pieces(&mut self) -> Vec<Piece<'_, T>> {
        let Self { plan, weights, gradient, first, second, .. } = self;
        let mut rest = Piece { weights, gradient, first, second, apart: None };
        let mut pieces = Vec::new();
        for (number, input) in plan.inputs.iter().enumerate() {
            let (sources, stride) = (input.blocks.sources, input.blocks.count());
            let columns = plan.adjoints(number).and_then(Adjoints::columns);
            let most = (UPDATE_CHUNK / stride).max(1);
            for row in (0..sources).step_by(most) {
                let (mut piece, others) = rest.split_at(most.min(sources - row) * stride);
                piece.apart = columns.map(|columns| Apart { columns, row, rows: sources });
                pieces.push(piece);
                rest = others;
            }
        }
        pieces
    }

    /// The gradient by all weights, whether its columns lie apart or not.
    pub(crate) fn gradient(&self, threads: &Threads) -> Vec<T::Lanes> {
        let mut gradient = self.gradient.clone();
        for (number, input) in self.plan.inputs.iter().enumerate() {
            if let Some(columns) = self.plan.adjoints(number).and_then(Adjoints::columns) {
                let rows = &mut gradient[input.first_row..][..input.blocks.len()];
                columns.join(threads, rows, input.blocks.count());
            }
        }
        gradient
    }

    /// Leaves the gradient by all weights in one piece.
    pub(crate) fn join_gradient(&mut self, threads: &Threads) {
        for number in 0..self.plan.inputs.len() {
            let input = &self.plan.inputs[number];
            let rows = input.first_row..input.first_row + input.blocks.len();
            let stride = input.blocks.count();
            let Some(adjoints) = self.plan.adjoints_mut(number) else { continue };
            if let Some(columns) = adjoints.columns() {
                columns.join(threads, &mut self.gradient[rows], stride);
                adjoints.forget_columns();
            }
        }
    }

    /// The Euclidean norm of the gradient, summed block by block.
    fn gradient_norm(&self, threads: &Threads) -> f64 {
        const CHUNK: usize = 1024;
        let mut squares = vec![0.0; self.gradient.len().div_ceil(CHUNK)];
        let sums = squares.par_iter_mut().zip(self.gradient.par_chunks(CHUNK));
        threads.each(sums, |(sum, rows)| {
            *sum = rows.iter().map(|&row| (row * row).sum().as_f64()).sum();
        });
        squares.iter().sum::<f64>().sqrt()
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
