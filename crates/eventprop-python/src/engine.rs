mod typed;

use crate::error::{no_precision, raise, refuse};
use crate::network::Network;
use crate::spikes::Spikes;
use eventprop::backend;
use eventprop::lif_core;
use eventprop::lif_core::engine::Training;
use eventprop::lif_core::loss::{Loss, Readout};
use eventprop::{Pullback, engine_threads, engine_with};
use numpy::PyArray1;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyString};
use pythonize::depythonize;
use std::sync::Arc;
use typed::{Task, Typed};

/// Computes one network: outputs, spikes, exact gradients. It works without the interpreter's lock, on
/// as many threads as are quickest unless ``threads`` says how many; the number of threads changes no bit.
///
/// With ``loss`` it differentiates that loss (``grad``); with ``readout`` it is a part of a larger model
/// and takes the derivatives by its outputs from there (``pull_back``).
///
/// Args:
///     network: what it computes.
///     loss: ``"vmax_cross_entropy"``, ``"mean_cross_entropy"``, ``"exp_mean_cross_entropy"``,
///         ``"spike_time_sum"``, or a dictionary such as ``{"kind": "ttfs_cross_entropy", "tau": 2.0,
///         "alpha": 0.01, "tau_early": 10.0}``, times in ms.
///     readout: ``"first_spike"`` (ms), ``"spike_time_sum"`` (ms), ``"vmax"``, ``"mean"`` or ``"exp_mean"``.
///     parameters: arrays by name that replace those of ``network.initial_parameters(seed)``.
///     seed: of the initial parameters.
///     backend: ``"cpu"``, ``"reference"`` or ``"cuda"``.
///     precision: ``"f32"`` or ``"f64"``; arrays that come back are of it.
///     threads: 0 for as many as are quickest, up to one a core.
///     slope_floor: the slope below which a spike counts as grazing, in units of the threshold; 0 for the
///         exact gradient.
///     constant_gradients: whether ``grad`` gives gradients by time constants, thresholds, biases and
///         adaptation as well as by weights and delays.
///
/// Raises:
///     Error: if the engine cannot be had or cannot compute the network.
#[pyclass(frozen, module = "eventprop")]
pub(crate) struct Engine {
    inner: Inner,
    /// The names of what the network measures, for people.
    description: String,
}

enum Inner {
    F32(Typed<f32>),
    F64(Typed<f64>),
}

/// Calls a method of the engine in its precision.
macro_rules! call {
    ($engine:expr, $method:ident($($argument:expr),*)) => {
        match &$engine.inner {
            Inner::F32(typed) => typed.$method($($argument),*),
            Inner::F64(typed) => typed.$method($($argument),*),
        }
    };
}

/// What a network did with a batch.
#[pyclass(frozen, get_all, module = "eventprop")]
pub(crate) struct Run {
    /// ``[samples, outputs]``: what the loss or the readout measures.
    outputs: Py<PyAny>,
    /// int64 ``[samples]``: the class each sample is taken for, -1 for none.
    predictions: Py<PyArray1<i64>>,
    /// The spikes of every lif layer by its name; empty where ``record`` is false.
    spikes: Py<PyDict>,
}

/// The exact gradient of a batch.
#[pyclass(frozen, get_all, module = "eventprop")]
pub(crate) struct Gradient {
    /// The mean loss of the batch; of ``pull_back`` the sum of derivatives times outputs.
    loss: f64,
    /// ``[samples]``: the loss of each.
    losses: Py<PyAny>,
    /// The fraction of samples whose label was predicted.
    accuracy: f64,
    /// Spikes so close to grazing the threshold that the slope floor acted.
    grazing: u64,
    /// The gradient by the parameters, by name and of their shapes.
    parameters: Py<PyDict>,
    /// ``[spikes]``: by the time of each input spike, in 1/ms, in the order of the batch; empty of a
    /// clock-driven model.
    times: Py<PyAny>,
}

#[pymethods]
impl Engine {
    #[new]
    #[pyo3(signature = (network, loss=None, *, readout=None, parameters=None, seed=0, backend="cpu",
                        precision="f32", threads=0, slope_floor=0.0, constant_gradients=false))]
    #[expect(clippy::too_many_arguments, reason = "keywords in Python")]
    fn new(
        py: Python<'_>,
        network: &Network,
        loss: Option<&Bound<'_, PyAny>>,
        readout: Option<&str>,
        parameters: Option<&Bound<'_, PyDict>>,
        seed: u64,
        backend: &str,
        precision: &str,
        threads: usize,
        slope_floor: f64,
        constant_gradients: bool,
    ) -> PyResult<Self> {
        let goal = match (loss, readout) {
            (Some(loss), None) => Goal::Loss(read_loss(loss)?),
            (None, Some(name)) => Goal::Readout(read_readout(name)?),
            _ => return Err(refuse("an engine needs either a loss or a readout")),
        };
        if !(slope_floor.is_finite() && slope_floor >= 0.0) {
            let reason = format!("must be finite and not negative, got {slope_floor}");
            return Err(raise(lif_core::DescriptionError::new("slope_floor", reason)));
        }
        let plan = Plan { goal, backend, threads, slope_floor, constant_gradients };
        let inner = match precision {
            "f32" => Inner::F32(plan.engine(&network.built)?),
            "f64" => Inner::F64(plan.engine(&network.built)?),
            other => return Err(no_precision(other)),
        };
        let engine = Self { inner, description: format!("{backend}, {precision}") };
        let initial = &network.config;
        match &engine.inner {
            Inner::F32(typed) => typed.set(initial.initial_parameters(seed).map_err(raise)?)?,
            Inner::F64(typed) => typed.set(initial.initial_parameters(seed).map_err(raise)?)?,
        }
        parameters.map_or(Ok(()), |parameters| engine.load(py, parameters))?;
        Ok(engine)
    }

    /// Runs a batch forward.
    ///
    /// Args:
    ///     spikes: the input, indices below the size of the first layer.
    ///     record: whether the spikes of the lif layers are wanted.
    #[pyo3(signature = (spikes, record=true))]
    fn run(&self, py: Python<'_>, spikes: &Spikes, record: bool) -> PyResult<Run> {
        call!(self, run(py, spikes, record))
    }

    /// Runs a batch forward and its adjoint backward: the gradient of the mean loss.
    ///
    /// Args:
    ///     spikes: the input.
    ///     labels: integers ``[samples]``: output neurons from 0.
    fn grad(
        &self,
        py: Python<'_>,
        spikes: &Spikes,
        labels: &Bound<'_, PyAny>,
    ) -> PyResult<Gradient> {
        call!(self, grad(py, spikes, labels))
    }

    /// The vector-Jacobian product: the gradient of the sum of ``by_outputs`` times outputs.
    ///
    /// Args:
    ///     spikes: the input.
    ///     by_outputs: ``[samples, outputs]``: derivatives of something by the outputs.
    fn pull_back(
        &self,
        py: Python<'_>,
        spikes: &Spikes,
        by_outputs: &Bound<'_, PyAny>,
    ) -> PyResult<Gradient> {
        call!(self, pull_back(py, spikes, by_outputs))
    }

    /// Replaces parameters: arrays by name; those not named stay.
    fn load(&self, py: Python<'_>, parameters: &Bound<'_, PyDict>) -> PyResult<()> {
        call!(self, load(py, parameters))
    }

    /// A copy of all parameters by name.
    fn parameters<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        call!(self, parameters(py))
    }

    /// Follows neurons and their adjoint variables over one sample, in double precision.
    ///
    /// Args:
    ///     spikes: one sample.
    ///     label: its label.
    ///     neurons: (layer's name, position in it).
    ///     step: a point at least every so many ms; without it 400 over the duration.
    ///
    /// Returns:
    ///     A dictionary a neuron: ``time`` (ms), ``v``, ``i`` forward; ``adjoint_time`` (ms, from the end
    ///     back), ``lambda_v``, ``lambda_i``; ``spikes`` (ms). At a jump there are two points.
    #[pyo3(signature = (spikes, label, neurons, step=None))]
    fn trace<'py>(
        &self,
        py: Python<'py>,
        spikes: &Spikes,
        label: u32,
        neurons: Vec<(String, usize)>,
        step: Option<f64>,
    ) -> PyResult<Bound<'py, PyList>> {
        call!(self, trace(py, spikes, label, &neurons, step))
    }

    fn __repr__(&self) -> String {
        format!("Engine({})", self.description)
    }
}

impl Engine {
    /// The engine that `config` asks for, with `parameters`.
    pub(crate) fn from_config(
        network: &lif_core::Network,
        config: &eventprop::Config,
        parameters: &lif_core::Parameters<f32>,
    ) -> PyResult<Self> {
        let training = config.training.for_engine(config.loss, network).map_err(raise)?;
        // The clock-driven model has none in one of its variants.
        let training = Training { input_gradients: config.grid.is_none(), ..training };
        let engine = engine_with(network, config, training).map_err(raise)?;
        let typed = Typed::new(engine, Task::Loss(config.loss), false);
        typed.set(parameters.clone())?;
        let description = format!("{}, f32", config.training.backend);
        Ok(Self { inner: Inner::F32(typed), description })
    }
}

/// What an engine is for.
#[derive(Clone, Copy)]
enum Goal {
    Loss(Loss),
    Readout(Readout),
}

/// An engine before its precision is known.
struct Plan<'a> {
    goal: Goal,
    backend: &'a str,
    threads: usize,
    slope_floor: f64,
    constant_gradients: bool,
}

impl Plan<'_> {
    fn engine<T: crate::arrays::Number>(&self, network: &lif_core::Network) -> PyResult<Typed<T>> {
        let (slope_floor, constant_gradients) = (self.slope_floor, self.constant_gradients);
        let exact = |loss| Training { slope_floor, constant_gradients, ..Training::exact(loss) };
        let (task, training) = match self.goal {
            Goal::Loss(loss) => (Task::Loss(loss), exact(loss)),
            Goal::Readout(readout) => {
                let pullback = Arc::new(Pullback::new(readout));
                // Any loss: the objective takes its place.
                let training = exact(Loss::SpikeTimeSum {});
                let training = Training { objective: pullback.clone(), ..training };
                (Task::Pullback(pullback), training)
            }
        };
        let threads = engine_threads("threads", self.threads).map_err(raise)?;
        let engine = backend::create(self.backend, network, training, threads).map_err(raise)?;
        Ok(Typed::new(engine, task, constant_gradients))
    }
}

/// A loss by its name, or with its constants.
fn read_loss(loss: &Bound<'_, PyAny>) -> PyResult<Loss> {
    let loss: Loss = if loss.is_instance_of::<PyString>() {
        let fields = PyDict::new(loss.py());
        fields.set_item("kind", loss)?;
        depythonize(&fields)
    } else {
        depythonize(loss)
    }
    .map_err(|error| refuse(format!("loss: {error}")))?;
    loss.check().map_err(raise)?;
    Ok(loss)
}

fn read_readout(name: &str) -> PyResult<Readout> {
    Readout::ALL.into_iter().find(|readout| readout.name() == name).ok_or_else(|| {
        let known = Readout::ALL.map(Readout::name).join(", ");
        refuse(format!("there is no readout \"{name}\" (there are: {known})"))
    })
}
