//! An engine in its precision.

use super::{Gradient, Run};
use crate::arrays::{Number, array, list, replace, to_dict, values};
use crate::error::{raise, refuse};
use crate::spikes::Spikes;
use eventprop::Pullback;
use eventprop::backend::BoxedEngine;
use eventprop::lif_core::engine::{Batch, BatchStatistics, Engine, EngineError, Training};
use eventprop::lif_core::loss::Loss;
use eventprop::lif_core::reference::{Reference, Trace};
use eventprop::lif_core::update::check_values;
use eventprop::lif_core::{Network, ParameterId, Parameters, SpikeBatch};
use numpy::{IntoPyArray, PyArrayMethods, PyUntypedArrayMethods};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub(super) struct Typed<T> {
    network: Network,
    engine: Mutex<BoxedEngine<T>>,
    task: Task<T>,
    /// Whether gradients by constants are right.
    constants: bool,
}

/// Where the derivatives by the outputs come from.
pub(super) enum Task<T> {
    Loss(Loss),
    Pullback(Arc<Pullback<T>>),
}

/// What an engine leaves of a backward pass.
struct Backward<T> {
    statistics: BatchStatistics,
    losses: Vec<T>,
    by_times: Vec<T>,
    by_parameters: Parameters<T>,
}

impl<T: Number> Typed<T> {
    pub(super) fn new(engine: BoxedEngine<T>, task: Task<T>, constants: bool) -> Self {
        Self { network: engine.network().clone(), engine: Mutex::new(engine), task, constants }
    }

    pub(super) fn set(&self, parameters: Parameters<T>) -> PyResult<()> {
        self.lock().load(&parameters).map_err(raise)
    }

    pub(super) fn load(&self, py: Python<'_>, given: &Bound<'_, PyDict>) -> PyResult<()> {
        let mut parameters = py.detach(|| self.lock().parameters());
        replace(&self.network, &mut parameters, given)?;
        check_values(&self.network, &parameters).map_err(raise)?;
        py.detach(|| self.lock().load(&parameters)).map_err(raise)
    }

    pub(super) fn parameters<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let parameters = py.detach(|| self.lock().parameters());
        to_dict(py, &self.network, parameters, |_| true)
    }

    pub(super) fn run(&self, py: Python<'_>, spikes: &Spikes, record: bool) -> PyResult<Run> {
        let batch = spikes.to_batch::<T>(py)?;
        let (outputs, recorded) = py
            .detach(|| {
                let mut engine = self.lock();
                let outputs = engine.infer(&batch)?;
                let recorded = if record { self.recorded(&**engine) } else { Vec::new() };
                Ok::<_, EngineError>((outputs, recorded))
            })
            .map_err(raise)?;
        let spikes = PyDict::new(py);
        for (name, batch) in recorded {
            spikes.set_item(name, Spikes::from_batch(py, batch))?;
        }
        let class = |prediction: Option<u32>| prediction.map_or(-1, i64::from);
        let predictions: Vec<_> = outputs.predictions.into_iter().map(class).collect();
        let shape = [predictions.len(), self.network.output().size];
        Ok(Run {
            outputs: outputs.values.into_pyarray(py).reshape(shape)?.into_any().unbind(),
            predictions: predictions.into_pyarray(py).unbind(),
            spikes: spikes.unbind(),
        })
    }

    pub(super) fn grad(
        &self,
        py: Python<'_>,
        spikes: &Spikes,
        labels: &Bound<'_, PyAny>,
    ) -> PyResult<Gradient> {
        if matches!(self.task, Task::Pullback(_)) {
            return Err(refuse("this engine has a readout and no loss: call pull_back"));
        }
        let (batch, labels) = (spikes.to_batch::<T>(py)?, list::<u32>(labels, "labels")?);
        self.backward(py, |engine| engine.differentiate(Batch { spikes: &batch, labels: &labels }))
    }

    pub(super) fn pull_back(
        &self,
        py: Python<'_>,
        spikes: &Spikes,
        by_outputs: &Bound<'_, PyAny>,
    ) -> PyResult<Gradient> {
        let Task::Pullback(pullback) = &self.task else {
            return Err(refuse(
                "this engine has a loss of its own: call grad, or give it a readout",
            ));
        };
        let (batch, by_outputs) = (spikes.to_batch::<T>(py)?, array::<T>(by_outputs)?);
        let wanted = [batch.len(), self.network.output().size];
        if by_outputs.shape() != wanted {
            let shape = by_outputs.shape();
            return Err(refuse(format!("by_outputs must be of shape {wanted:?}, is {shape:?}")));
        }
        let by_outputs = values(&by_outputs);
        self.backward(py, |engine| pullback.differentiate(engine, &batch, &by_outputs))
    }

    pub(super) fn trace<'py>(
        &self,
        py: Python<'py>,
        spikes: &Spikes,
        label: u32,
        neurons: &[(String, usize)],
        step: Option<f64>,
    ) -> PyResult<Bound<'py, PyList>> {
        let Task::Loss(loss) = self.task else {
            return Err(refuse("a trace has adjoint variables: give the engine a loss"));
        };
        let find = |(layer, index): &(String, usize)| match self.network.layer_index(layer) {
            Some(position) => Ok((position, *index)),
            None => Err(refuse(format!("no layer is called \"{layer}\""))),
        };
        let neurons = neurons.iter().map(find).collect::<PyResult<Vec<_>>>()?;
        let spikes = spikes.to_batch::<f64>(py)?;
        let step = step.unwrap_or(self.network.duration() / 400.0);
        let traces = py
            .detach(|| {
                let mut reference = Reference::new(&self.network, Training::exact(loss))?;
                reference.load(&self.lock().parameters().cast())?;
                reference.trace(Batch { spikes: &spikes, labels: &[label] }, &neurons, step)
            })
            .map_err(raise)?;
        let lines = traces.into_iter().map(|trace| polylines(py, trace));
        PyList::new(py, lines.collect::<PyResult<Vec<_>>>()?)
    }

    fn backward(
        &self,
        py: Python<'_>,
        differentiate: impl FnOnce(&mut dyn Engine<T>) -> Result<BatchStatistics, EngineError> + Send,
    ) -> PyResult<Gradient> {
        let Backward { statistics, losses, by_times, by_parameters } = py
            .detach(|| {
                let mut engine = self.lock();
                let statistics = differentiate(&mut **engine)?;
                Ok::<_, EngineError>(Backward {
                    statistics,
                    losses: engine.losses().to_vec(),
                    by_times: engine.input_gradient().to_vec(),
                    by_parameters: engine.gradient(),
                })
            })
            .map_err(raise)?;
        let samples = statistics.samples.max(1) as f64;
        // An engine may leave the others 0, which would be wrong.
        let wanted =
            |id| self.constants || matches!(id, ParameterId::Weights(_) | ParameterId::Delays(_));
        Ok(Gradient {
            loss: statistics.loss / samples,
            accuracy: statistics.correct as f64 / samples,
            grazing: statistics.grazing,
            losses: losses.into_pyarray(py).into_any().unbind(),
            parameters: to_dict(py, &self.network, by_parameters, wanted)?.unbind(),
            times: by_times.into_pyarray(py).into_any().unbind(),
        })
    }

    /// The spikes of every lif layer.
    fn recorded(&self, engine: &dyn Engine<T>) -> Vec<(String, SpikeBatch<T>)> {
        let layers = self.network.layers().iter().enumerate().filter(|(_, layer)| layer.is_lif());
        layers.map(|(position, layer)| (layer.name.clone(), engine.spikes(position))).collect()
    }

    /// A poisoned lock means that a call panicked; the next one overwrites what it left.
    fn lock(&self) -> MutexGuard<'_, BoxedEngine<T>> {
        self.engine.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn polylines(py: Python<'_>, trace: Trace) -> PyResult<Bound<'_, PyDict>> {
    let dict = PyDict::new(py);
    let set = |name, values: Vec<f64>| dict.set_item(name, values.into_pyarray(py));
    set("time", trace.state.iter().map(|(time, _)| *time).collect())?;
    set("v", trace.state.iter().map(|(_, state)| state.v).collect())?;
    set("i", trace.state.iter().map(|(_, state)| state.i).collect())?;
    set("adjoint_time", trace.adjoint.iter().map(|(time, _)| *time).collect())?;
    set("lambda_v", trace.adjoint.iter().map(|(_, adjoint)| adjoint.v).collect())?;
    set("lambda_i", trace.adjoint.iter().map(|(_, adjoint)| adjoint.i).collect())?;
    set("spikes", trace.spikes)?;
    Ok(dict)
}
