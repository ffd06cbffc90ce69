use super::layer::{GridLayer, GridTrace};
use super::model::GridModel;
use super::spec::{GridSpec, GridVariant};
use crate::Parameters;
use crate::engine::{Batch, EngineError};
use crate::flow::{Adjoint, State};
use crate::loss::Objective;
use crate::reference::Trace;

impl GridModel {
    /// Follows neurons, given as (layer, index), through the one sample of `batch`, forward and backward, with a point a
    /// step; silent neurons stay silent.
    ///
    /// V is drawn up to the threshold's step and down to the reset within it. lambda_V and lambda_I are divided by dt: as
    /// the loss counts steps, they are per ms then.
    ///
    /// # Errors
    /// [`EngineError::Batch`] if there is not one sample, an input index or a label is out of range, or a neuron does not
    /// exist or is an input.
    pub fn trace(
        &self,
        parameters: &Parameters<f64>,
        batch: Batch<'_, f64>,
        objective: &dyn Objective<f64>,
        neurons: &[(usize, usize)],
    ) -> Result<Vec<Trace>, EngineError> {
        if batch.len() != 1 {
            let reason = format!("a trace is of one sample, got {}", batch.len());
            return Err(EngineError::Batch(reason));
        }
        for &(layer, index) in neurons {
            let size = layer.checked_sub(1).and_then(|below| self.layers().get(below));
            if size.is_none_or(|of| index >= of.neurons) {
                let reason = format!("there is no neuron {index} in layer {layer} to trace");
                return Err(EngineError::Batch(reason));
            }
        }
        let ms = |step: usize| step as f64 * self.spec().dt;
        // In `head` what a step leaves belongs to the one before.
        let earlier = usize::from(self.spec().variant == GridVariant::Head);
        let start = vec![(ms(self.steps() - earlier), Adjoint::default())];
        let mut adjoints = vec![start; neurons.len()];
        let per_ms = self.spec().dt.recip();
        let mut observe = |position: usize, step: usize, voltage: &[f64], current: &[f64]| {
            let Some(step) = step.checked_sub(earlier) else { return };
            for (&(layer, index), line) in neurons.iter().zip(&mut adjoints) {
                if layer == position + 1 {
                    let (v, i) = (per_ms * voltage[index], per_ms * current[index]);
                    line.push((ms(step), Adjoint { v, i }));
                }
            }
        };
        let quiet = Self::new(self.network(), GridSpec { bump: 0.0, ..*self.spec() })?;
        let mut parameters = parameters.clone();
        let found =
            quiet.differentiate_observed(&mut parameters, batch, objective, &mut observe)?;
        let traces = neurons.iter().zip(adjoints).map(|(&(layer, index), adjoint)| {
            let pass = &found.pass.traces[layer - 1][0];
            let (state, spikes) = self.layers()[layer - 1].follow(pass, index);
            let spikes = spikes.into_iter().map(ms).collect();
            let state = state.into_iter().map(|(step, state)| (ms(step), state)).collect();
            Trace { layer, index, state, adjoint, spikes }
        });
        Ok(traces.collect())
    }
}

impl GridLayer {
    /// V and I of a neuron by step, a spike's twice: before the reset and after; and the steps of its spikes.
    fn follow(
        &self,
        pass: &GridTrace<f64>,
        index: usize,
    ) -> (Vec<(usize, State<f64>)>, Vec<usize>) {
        let (mut line, mut spikes) = (Vec::new(), Vec::new());
        let mut state = State::default();
        for (step, current) in pass.current.chunks_exact(self.neurons).enumerate() {
            let a = self.membrane_rate;
            let v = (1.0 - a) * state.v + a * state.i;
            state = State { v, i: current[index] };
            line.push((step, state));
            if pass.spikes.at(step).contains(&(index as u32)) {
                state.v = 0.0;
                line.push((step, state));
                spikes.push(step);
            }
        }
        (line, spikes)
    }
}
