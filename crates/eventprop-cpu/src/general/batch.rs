use super::gradient::{Gradient, Jumps};
use super::interval::ConstantsGradient;
use super::model::Model;
use super::sample::Workspace;
use crate::lanes::{LaneReal, Lanes};
use crate::threads::Threads;
use lif_core::engine::{BatchStatistics, EngineError};
use lif_core::loss::Objective;
use lif_core::network::Network;
use lif_core::{SpikeBatch, SpikeTrain};
use rayon::prelude::*;
use std::sync::Mutex;

/// The most runs of samples a batch is cut into.
const MAX_RUNS: usize = 32;

/// How many bytes the gradients of all runs may take, about, before there are fewer runs.
const GRADIENT_BYTES: usize = 16 << 20;

/// Runs batches: samples in parallel, in runs that the batch alone decides, so that the number of
/// threads changes no sum.
#[derive(Debug, Default)]
pub(super) struct BatchRunner<T: LaneReal> {
    runs: Vec<Run<T>>,
    workspaces: Mutex<Vec<Workspace<T>>>,
}

/// What a batch is differentiated with.
pub(super) struct Task<'a, T> {
    pub(super) objective: &'a dyn Objective<T>,
    pub(super) labels: &'a [u32],
    pub(super) jumps: Jumps<T>,
    pub(super) input_gradients: bool,
}

/// The results of consecutive samples.
#[derive(Debug, Default)]
pub(super) struct Run<T: LaneReal> {
    gradient: Gradient<T>,
    statistics: BatchStatistics,
    /// `[sample][output neuron]`.
    pub(super) outputs: Vec<T>,
    pub(super) losses: Vec<T>,
    pub(super) input_gradient: Vec<T>,
    /// By layer.
    pub(super) spikes: Vec<SpikeBatch<T>>,
    derivatives: Vec<T>,
    /// The first thing that went wrong.
    failure: Option<EngineError>,
}

impl<T: LaneReal> BatchRunner<T> {
    /// The results of the last batch, in order of samples.
    pub(super) fn runs(&self) -> &[Run<T>] {
        &self.runs
    }

    /// Runs every sample forward and, with a task, backward.
    pub(super) fn run(
        &mut self,
        network: &Network,
        model: &Model<T>,
        spikes: &SpikeBatch<T>,
        task: Option<&Task<'_, T>>,
        threads: &Threads,
    ) -> Result<BatchStatistics, EngineError> {
        let samples = spikes.len();
        let row = size_of::<T::Lanes>();
        let bytes = (model.synapses.weights.len() * row).max(1);
        let most = (GRADIENT_BYTES / bytes).clamp(4, MAX_RUNS);
        let length = samples.div_ceil(most).max(1);
        self.runs.resize_with(samples.div_ceil(length), Run::default);
        let workspaces = &self.workspaces;
        threads.each(self.runs.par_iter_mut().enumerate(), |(index, run)| {
            let mut workspace = take(workspaces);
            run.clear(model, task.is_some());
            let first = index * length;
            for sample in first..samples.min(first + length) {
                let train = spikes.get(sample);
                if let Err(error) = run.sample(network, model, &mut workspace, train, sample, task)
                {
                    run.failure = Some(error);
                    break;
                }
            }
            put_back(workspaces, workspace);
        });
        let mut statistics = BatchStatistics { samples, ..BatchStatistics::default() };
        for run in &self.runs {
            if let Some(failure) = &run.failure {
                return Err(failure.clone());
            }
            statistics.loss += run.statistics.loss;
            statistics.correct += run.statistics.correct;
            statistics.grazing += run.statistics.grazing;
        }
        if task.is_some() {
            self.add_up(threads);
        }
        Ok(statistics)
    }

    /// Adds the gradients of all runs to that of the first, in order.
    fn add_up(&mut self, threads: &Threads) {
        /// Rows a piece of work.
        const ROWS: usize = 512;
        let Some((first, others)) = self.runs.split_first_mut() else { return };
        let add = |sums: &mut Vec<T::Lanes>, of: &(dyn Fn(&Run<T>) -> &[T::Lanes] + Sync)| {
            threads.each(sums.par_chunks_mut(ROWS).enumerate(), |(chunk, sums)| {
                for run in others.iter() {
                    let rows = &of(run)[chunk * ROWS..];
                    sums.iter_mut().zip(rows).for_each(|(sum, &row)| *sum = *sum + row);
                }
            });
        };
        add(&mut first.gradient.weights, &|run| &run.gradient.weights);
        add(&mut first.gradient.delays, &|run| &run.gradient.delays);
        for run in others.iter() {
            let constants = first.gradient.constants.iter_mut().zip(&run.gradient.constants);
            constants.for_each(|(sum, own)| sum.join(own));
        }
    }

    /// The gradient of the last batch.
    pub(super) fn gradient(&self) -> Option<&Gradient<T>> {
        self.runs.first().map(|run| &run.gradient)
    }
}

impl<T: LaneReal> Run<T> {
    fn clear(&mut self, model: &Model<T>, differentiates: bool) {
        self.statistics = BatchStatistics::default();
        self.outputs.clear();
        self.losses.clear();
        self.input_gradient.clear();
        self.spikes.resize_with(model.layouts.len(), SpikeBatch::new);
        self.spikes.iter_mut().for_each(SpikeBatch::clear);
        self.failure = None;
        if differentiates {
            let Gradient { weights, delays, constants } = &mut self.gradient;
            zero(weights, model.synapses.weights.len());
            zero(delays, model.synapses.delays.len());
            constants.clear();
            let count = if model.constants { model.blocks.len() } else { 0 };
            constants.resize_with(count, ConstantsGradient::default);
        }
    }

    fn sample(
        &mut self,
        network: &Network,
        model: &Model<T>,
        workspace: &mut Workspace<T>,
        train: SpikeTrain<'_, T>,
        sample: usize,
        task: Option<&Task<'_, T>>,
    ) -> Result<(), EngineError> {
        let name = |layer: usize| network.layers()[layer].name.clone();
        workspace.forward(model, train).map_err(|runaway| EngineError::Runaway {
            layer: name(runaway.layer),
            sample,
            bound: model.spike_bound,
        })?;
        for (layer, batch) in self.spikes.iter_mut().enumerate() {
            // The input's spikes are the caller's.
            let spikes = workspace.record.train(layer).filter(|_| layer > 0);
            batch.push_sorted(spikes).map_err(|error| EngineError::Batch(error.to_string()))?;
        }
        let values = &workspace.measurement.values;
        self.outputs.extend_from_slice(values);
        let Some(task) = task else { return Ok(()) };
        let label = task.labels[sample] as usize;
        self.derivatives.clear();
        self.derivatives.resize(values.len(), T::zero());
        let loss = task.objective.evaluate_in_batch(sample, values, label, &mut self.derivatives);
        let not_finite = |what, layer| EngineError::NotFinite { what, layer: name(layer), sample };
        if !loss.is_finite() {
            return Err(not_finite("the loss", model.output));
        }
        let share = T::of(task.labels.len() as f64).recip();
        self.derivatives.iter_mut().for_each(|derivative| *derivative *= share);
        let prediction = model.readout.predict(values, model.duration);
        self.losses.push(loss);
        self.statistics.loss += loss.as_f64();
        self.statistics.correct += usize::from(prediction == Some(label));
        self.statistics.grazing += workspace
            .backward(model, &task.jumps, &self.derivatives, &mut self.gradient)
            .map_err(|broken| not_finite("the gradient", broken.layer))?;
        if task.input_gradients {
            self.input_gradient.extend_from_slice(workspace.input_gradient());
        }
        Ok(())
    }
}

fn zero<L: Lanes>(rows: &mut Vec<L>, count: usize) {
    rows.clear();
    rows.resize(count, L::zero());
}

/// A poisoned lock means that another task panicked; what the list holds is still sound.
fn take<T: LaneReal>(workspaces: &Mutex<Vec<Workspace<T>>>) -> Workspace<T> {
    let mut list = workspaces.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    list.pop().unwrap_or_default()
}

fn put_back<T: LaneReal>(workspaces: &Mutex<Vec<Workspace<T>>>, workspace: Workspace<T>) {
    let mut list = workspaces.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    list.push(workspace);
}
