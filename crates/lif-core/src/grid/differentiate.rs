use super::bump::{BumpAction, Bumping};
use super::layer::{GridLayer, GridSink, GridTrace, Raster};
use super::model::{GridModel, GridPass};
use super::spec::GridVariant;
use crate::engine::{Batch, EngineError};
use crate::loss::Objective;
use crate::{Parameters, Real};

/// A batch's pass, loss and gradient.
#[derive(Clone, Debug, PartialEq)]
pub struct GridGradient<T> {
    /// The pass, after all bumps in the variant `head`, before them in `first`.
    pub pass: GridPass<T>,
    /// The loss of each sample.
    pub losses: Vec<T>,
    /// The derivative of the batch's mean loss by the first step of each output neuron, `[sample][neuron]`.
    pub output_gradient: Vec<T>,
    /// The gradient of the batch's mean loss: zero but for the weights.
    pub gradient: Parameters<T>,
    /// Its derivative at a spike of each input and step, `[sample]`, then `[step][input]`, flat; empty
    /// in the variant `first`.
    pub input_gradient: Vec<Vec<T>>,
    /// The bumps of each layer's silent neurons.
    pub bumps: Vec<GridBumps>,
}

/// Is told a layer after the input, from 0, a step, and lambda_V and lambda_I of all neurons there after that step; sample by
/// sample.
pub(super) type ObserveLayers<'a, T> = dyn FnMut(usize, usize, &[T], &[T]) + 'a;

/// What was done about the silent neurons of a layer in a batch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GridBumps {
    /// How often each neuron's weights were raised.
    pub raised: Vec<u32>,
    /// The neurons that stayed silent for all that; their weights were put back.
    pub gave_up: Vec<u32>,
}

impl GridModel {
    /// Runs a batch forward, raising the weights of silent neurons on the way, and backward.
    ///
    /// # Errors
    /// [`EngineError::Batch`] if an input index or a label is out of range.
    pub fn differentiate<T: Real>(
        &self,
        parameters: &mut Parameters<T>,
        batch: Batch<'_, T>,
        objective: &dyn Objective<T>,
    ) -> Result<GridGradient<T>, EngineError> {
        self.differentiate_observed(parameters, batch, objective, &mut |_, _, _, _| {})
    }

    /// The same with someone looking on.
    pub(super) fn differentiate_observed<T: Real>(
        &self,
        parameters: &mut Parameters<T>,
        batch: Batch<'_, T>,
        objective: &dyn Objective<T>,
        observe: &mut ObserveLayers<'_, T>,
    ) -> Result<GridGradient<T>, EngineError> {
        batch.check(self.network())?;
        let inputs: Vec<_> = batch.spikes.iter().map(|train| self.raster(train)).collect();
        let mut rasters = vec![inputs];
        let (mut traces, mut bumps) = (Vec::new(), Vec::new());
        for layer in self.layers() {
            let weights = &mut parameters.connections[layer.connection].weights;
            let (outputs, layer_bumps) =
                self.run_awake(layer, weights, &rasters[rasters.len() - 1]);
            rasters.push(outputs.iter().map(|trace| trace.spikes.clone()).collect());
            traces.push(outputs);
            bumps.push(layer_bumps);
        }
        let pass = self.measure(traces);
        let (losses, output_gradient) = evaluate(&pass.first_steps, batch.labels, objective);
        let (gradient, input_gradient) =
            self.backward(parameters, &rasters, &pass.traces, &output_gradient, observe);
        Ok(GridGradient { pass, losses, output_gradient, gradient, input_gradient, bumps })
    }

    /// Runs a layer over a batch and raises the weights of neurons that are silent in some sample:
    /// in the variant `head` until there is none, in `first` once.
    fn run_awake<T: Real>(
        &self,
        layer: &GridLayer,
        weights: &mut [T],
        inputs: &[Raster],
    ) -> (Vec<GridTrace<T>>, GridBumps) {
        let original = weights.to_vec();
        let mut bumping = Bumping::default();
        let mut traces = self.run(layer, weights, inputs);
        loop {
            let silent = silent_neurons(layer, &traces);
            match bumping.next(self.spec(), layer.neurons, &silent) {
                BumpAction::Raise(neurons) => {
                    self.raise(layer, weights, &neurons);
                    traces = self.run(layer, weights, inputs);
                }
                BumpAction::Done { restore, bumped } => {
                    for &neuron in &restore {
                        for weight in (neuron as usize..weights.len()).step_by(layer.neurons) {
                            weights[weight] = original[weight];
                        }
                    }
                    if !restore.is_empty() {
                        traces = self.run(layer, weights, inputs);
                    }
                    self.raise(layer, weights, &bumped.after);
                    let raised = bumping.raised().iter().map(|&times| times as u32).collect();
                    return (traces, GridBumps { raised, gave_up: restore });
                }
            }
        }
    }

    fn raise<T: Real>(&self, layer: &GridLayer, weights: &mut [T], neurons: &[u32]) {
        for &neuron in neurons {
            for weight in weights[neuron as usize..].iter_mut().step_by(layer.neurons) {
                *weight += T::of(self.spec().bump);
            }
        }
    }

    /// Back through all layers.
    fn backward<T: Real>(
        &self,
        parameters: &Parameters<T>,
        rasters: &[Vec<Raster>],
        traces: &[Vec<GridTrace<T>>],
        output_gradient: &[T],
        observe: &mut ObserveLayers<'_, T>,
    ) -> (Parameters<T>, Vec<Vec<T>>) {
        let variant = self.spec().variant;
        let mut gradient = Parameters::zeros(self.network());
        let outputs = self.network().output().size;
        let mut upstreams: Vec<_> = rasters[self.layers().len()]
            .iter()
            .zip(output_gradient.chunks(outputs))
            .map(|(raster, gradient)| self.at_spikes(raster, gradient))
            .collect();
        for (position, layer) in self.layers().iter().enumerate().rev() {
            let weights = &parameters.connections[layer.connection].weights;
            let gradient = &mut gradient.connections[layer.connection].weights;
            for (sample, upstream) in upstreams.iter_mut().enumerate() {
                let mut below = match variant {
                    GridVariant::Head => vec![T::zero(); self.steps() * layer.inputs],
                    GridVariant::First => Vec::new(),
                };
                layer.backward(
                    weights,
                    &rasters[position][sample],
                    &traces[position][sample],
                    upstream,
                    GridSink {
                        gradient: &mut *gradient,
                        input_gradient: Some(&mut below[..]).filter(|below| !below.is_empty()),
                        observe: &mut |step, voltage, current| {
                            observe(position, step, voltage, current);
                        },
                    },
                );
                *upstream = below;
            }
        }
        if variant == GridVariant::First {
            upstreams.clear();
        }
        (gradient, upstreams)
    }

    /// The derivative by first-spike steps, put where the variant applies it, `[step][neuron]`.
    fn at_spikes<T: Real>(&self, raster: &Raster, gradient: &[T]) -> Vec<T> {
        let mut upstream = vec![T::zero(); self.steps() * gradient.len()];
        let first = raster.first_spikes(gradient.len());
        for step in 0..self.steps() {
            for &neuron in raster.at(step) {
                let neuron = neuron as usize;
                if self.spec().variant == GridVariant::First || first[neuron] == Some(step) {
                    upstream[step * gradient.len() + neuron] = gradient[neuron];
                }
            }
        }
        upstream
    }
}

/// The neurons without a spike in some sample.
fn silent_neurons<T: Real>(layer: &GridLayer, traces: &[GridTrace<T>]) -> Vec<u32> {
    let mut silent = vec![false; layer.neurons];
    for trace in traces {
        for (neuron, first) in trace.spikes.first_spikes(layer.neurons).iter().enumerate() {
            silent[neuron] |= first.is_none();
        }
    }
    (0..layer.neurons as u32).filter(|&neuron| silent[neuron as usize]).collect()
}

/// The loss of each sample and the derivatives of their mean by the outputs.
fn evaluate<T: Real>(
    outputs: &[T],
    labels: &[u32],
    objective: &dyn Objective<T>,
) -> (Vec<T>, Vec<T>) {
    let mut gradient = vec![T::zero(); outputs.len()];
    if labels.is_empty() {
        return (Vec::new(), gradient);
    }
    let neurons = outputs.len() / labels.len();
    let losses = outputs
        .chunks(neurons)
        .zip(gradient.chunks_mut(neurons))
        .zip(labels)
        .enumerate()
        .map(|(sample, ((outputs, gradient), &label))| {
            objective.evaluate_in_batch(sample, outputs, label as usize, gradient)
        })
        .collect();
    let share = T::of(labels.len() as f64).recip();
    gradient.iter_mut().for_each(|gradient| *gradient *= share);
    (losses, gradient)
}
