use super::layer::{GridLayer, GridTrace, Raster};
use super::spec::GridSpec;
use crate::engine::{EngineError, check_inputs};
use crate::network::{Connection, ConnectionKind, Layer, Network, Neuron};
use crate::{DescriptionError, Parameters, Real, SpikeBatch, SpikeTrain};

/// The most steps of a grid: beyond it a description is taken for a mistake.
const MAX_STEPS: usize = 1 << 20;

/// A network on a grid: a stack of dense LIF layers.
#[derive(Clone, Debug, PartialEq)]
pub struct GridModel {
    network: Network,
    spec: GridSpec,
    steps: usize,
    layers: Vec<GridLayer>,
}

/// A pass over a batch.
#[derive(Clone, Debug, PartialEq)]
pub struct GridPass<T> {
    /// `[layer][sample]`, the first layer being the first after the input.
    pub traces: Vec<Vec<GridTrace<T>>>,
    /// First spikes of the output layer as step indices, `[sample][neuron]`, flat; silent neurons
    /// count as [`GridVariant::silent_step`](super::GridVariant::silent_step).
    pub first_steps: Vec<T>,
}

impl GridModel {
    /// Puts `network` on the grid of `spec`.
    ///
    /// # Errors
    /// Names what the clock-driven model does not have: connections that are not dense, one from each
    /// layer to the next, delays, leaky integrators, a reset other than 0, bias, refractory time,
    /// adaptation, constants that differ between neurons of a layer, time constants below a step, and two layers
    /// in the variant `first`.
    pub fn new(network: &Network, spec: GridSpec) -> Result<Self, DescriptionError> {
        spec.check()?;
        let ratio = network.duration() / spec.dt;
        if !(1.0..=MAX_STEPS as f64).contains(&ratio) {
            let (duration, dt) = (network.duration(), spec.dt);
            let reason = format!(
                "{dt} divides the duration ({duration}) into less than 1 or over {MAX_STEPS} steps"
            );
            return Err(DescriptionError::new("grid.dt", reason));
        }
        let layers = (1..network.layers().len())
            .map(|position| grid_layer(network, position, &spec))
            .collect::<Result<Vec<_>, _>>()?;
        if network.connections().len() > layers.len() {
            let reason = "on a grid there is one connection from each layer to the next, no other";
            return Err(DescriptionError::new("connections", reason));
        }
        if layers.len() > 1 && spec.variant == super::GridVariant::First {
            let reason = "\"first\" has one layer after the input; \"head\" takes more";
            return Err(DescriptionError::new("grid.variant", reason));
        }
        Ok(Self { network: network.clone(), spec, steps: ratio as usize, layers })
    }

    /// The network.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// The grid.
    pub fn spec(&self) -> &GridSpec {
        &self.spec
    }

    /// The number of steps: the duration over dt, rounded down.
    pub fn steps(&self) -> usize {
        self.steps
    }

    /// The layers after the input.
    pub fn layers(&self) -> &[GridLayer] {
        &self.layers
    }

    /// The raster of a spike train: each spike at the nearest step, those after the last ignored.
    pub fn raster<T: Real>(&self, train: SpikeTrain<'_, T>) -> Raster {
        let mut raster = Raster::new(self.steps);
        for (time, index) in train.iter() {
            raster.push(self.spec.step_of(time.as_f64()), index);
        }
        raster
    }

    /// Runs the network over a batch; silent neurons stay silent.
    ///
    /// # Errors
    /// [`EngineError::Batch`] if an input index is out of range.
    pub fn infer<T: Real>(
        &self,
        parameters: &Parameters<T>,
        spikes: &SpikeBatch<T>,
    ) -> Result<GridPass<T>, EngineError> {
        check_inputs(spikes, &self.network)?;
        let mut inputs: Vec<_> = spikes.iter().map(|train| self.raster(train)).collect();
        let mut traces = Vec::with_capacity(self.layers.len());
        for layer in &self.layers {
            let outputs =
                self.run(layer, &parameters.connections[layer.connection].weights, &inputs);
            inputs = outputs.iter().map(|trace| trace.spikes.clone()).collect();
            traces.push(outputs);
        }
        Ok(self.measure(traces))
    }

    /// The class with the earliest first spike, the lowest index among equals (so class 0 where all
    /// are silent, as the script counts).
    pub fn predict<T: Real>(first_steps: &[T]) -> usize {
        let mut class = 0;
        for (neuron, &step) in first_steps.iter().enumerate() {
            if step < first_steps[class] {
                class = neuron;
            }
        }
        class
    }

    pub(super) fn run<T: Real>(
        &self,
        layer: &GridLayer,
        weights: &[T],
        inputs: &[Raster],
    ) -> Vec<GridTrace<T>> {
        inputs.iter().map(|input| layer.forward(weights, input, self.steps)).collect()
    }

    pub(super) fn measure<T: Real>(&self, traces: Vec<Vec<GridTrace<T>>>) -> GridPass<T> {
        let silent = self.spec.variant.silent_step(self.steps);
        let first_steps = traces
            .last()
            .into_iter()
            .flatten()
            .flat_map(|trace| trace.spikes.first_spikes(self.network.output().size))
            .map(|first| T::of(first.unwrap_or(silent) as f64))
            .collect();
        GridPass { traces, first_steps }
    }
}

fn grid_layer(
    network: &Network,
    position: usize,
    spec: &GridSpec,
) -> Result<GridLayer, DescriptionError> {
    let wrong = |field: &str, reason: &str| {
        DescriptionError::new(format!("layers[{position}].{field}"), reason)
    };
    let is_feed =
        |connection: &Connection| (connection.from, connection.to) == (position - 1, position);
    let Some(connection) = network.connections().iter().position(is_feed) else {
        return Err(wrong(
            "name",
            "on a grid each layer needs a connection from the one before it",
        ));
    };
    let Connection { kind, delays, .. } = &network.connections()[connection];
    if *delays || *kind != ConnectionKind::Dense {
        let reason = "on a grid connections are dense, without delays";
        return Err(DescriptionError::new(format!("connections[{connection}]"), reason));
    }
    let Layer { size, neuron, .. } = &network.layers()[position];
    let Neuron::Lif(constants) = neuron else {
        return Err(wrong("kind", "on a grid every layer but the input is of kind \"lif\""));
    };
    if constants.reset != 0.0 {
        return Err(wrong("reset", "on a grid neurons are reset to 0"));
    }
    if constants.refractory != 0.0 {
        return Err(wrong("refractory", "on a grid there is no refractory time"));
    }
    if constants.adaptation.is_some() {
        return Err(wrong("adaptation", "on a grid thresholds do not adapt"));
    }
    if constants.bias.iter().any(|&bias| bias != 0.0) {
        return Err(wrong("bias", "on a grid there is no bias current"));
    }
    let common = |field: &str, values: &[f64]| match values {
        [first, rest @ ..] if rest.iter().all(|value| value == first) => Ok(*first),
        _ => Err(wrong(field, "on a grid all neurons of a layer share their constants")),
    };
    let rate = |field: &str, values: &[f64]| {
        let tau = common(field, values)?;
        if spec.dt > tau {
            let dt = spec.dt;
            let reason = format!(
                "{tau} ms is shorter than the grid's step of {dt} ms: forward Euler overshoots; take a smaller dt"
            );
            return Err(wrong(field, &reason));
        }
        Ok(spec.dt / tau)
    };
    Ok(GridLayer {
        variant: spec.variant,
        connection,
        inputs: network.layers()[position - 1].size,
        neurons: *size,
        membrane_rate: rate("tau_mem", &constants.tau_mem)?,
        synaptic_rate: rate("tau_syn", &constants.tau_syn)?,
        threshold: common("threshold", &constants.threshold)?,
    })
}
