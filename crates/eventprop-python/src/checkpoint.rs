use crate::arrays::to_dict;
use crate::config::Config;
use crate::data::Samples;
use crate::engine::Engine;
use crate::error::raise;
use eventprop::engine_for;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyType};
use pythonize::pythonize;
use std::path::PathBuf;

/// A training at one moment, complete: parameters, the optimiser's state, configuration, how far it came.
/// The file is the command's, in the safetensors format.
#[pyclass(frozen, module = "eventprop")]
pub(crate) struct Checkpoint {
    pub(crate) inner: eventprop::Checkpoint,
}

#[pymethods]
impl Checkpoint {
    /// Reads a checkpoint, or the one in a run's folder.
    #[classmethod]
    fn load(_: &Bound<'_, PyType>, py: Python<'_>, path: PathBuf) -> PyResult<Self> {
        let path = if path.is_dir() { path.join("checkpoint.safetensors") } else { path };
        let inner = py.detach(|| eventprop::Checkpoint::load(&path)).map_err(raise)?;
        Ok(Self { inner })
    }

    /// Writes the file in one piece: whoever opens ``path`` sees the old file or the new one.
    fn save(&self, py: Python<'_>, path: PathBuf) -> PyResult<()> {
        py.detach(|| self.inner.save(&path)).map_err(raise)
    }

    /// The bytes of the file.
    fn to_bytes(&self) -> Vec<u8> {
        self.inner.to_bytes()
    }

    /// The configuration of the run.
    #[getter]
    fn config(&self) -> Config {
        Config { inner: self.inner.config.clone() }
    }

    /// A copy of the parameters by name: float32 arrays, dense weights ``[source, target]``, convolutions
    /// ``[out_channel, in_channel, ky, kx]``, delays and time constants in ms.
    fn parameters<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        to_dict(py, &self.inner.network, self.inner.parameters.clone(), |_| true)
    }

    /// The epochs that are done.
    #[getter]
    fn epoch(&self) -> u32 {
        self.inner.progress.epoch
    }

    /// The records of the epochs that are done, as in ``metrics.jsonl``.
    #[getter]
    fn history<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        Ok(pythonize(py, &self.inner.progress.history)?)
    }

    /// An engine with these parameters, computing as the run did, unless told otherwise.
    #[pyo3(signature = (*, backend=None, threads=0))]
    fn engine(&self, backend: Option<&str>, threads: usize) -> PyResult<Engine> {
        let config = self.config_on(backend, threads);
        Engine::from_config(&self.inner.network, &config, &self.inner.parameters)
    }

    fn __repr__(&self) -> String {
        format!("Checkpoint(\"{}\", {} epochs)", self.inner.config.name, self.epoch())
    }
}

impl Checkpoint {
    fn config_on(&self, backend: Option<&str>, threads: usize) -> eventprop::Config {
        let mut config = self.inner.config.clone();
        config.training.threads = threads;
        if let Some(backend) = backend {
            config.training.backend = backend.into();
        }
        config
    }
}

/// Measures a trained network: the command's ``eval``.
///
/// Args:
///     checkpoint: what was trained.
///     samples: what it is measured on; without it the run's test set.
///
/// Returns:
///     ``samples``, ``score`` (``loss``, ``accuracy``), ``layers`` (spikes a sample, silent neurons) and
///     ``confusion`` (uint64 ``[label][prediction]``; the last column counts samples without one).
#[pyfunction]
#[pyo3(signature = (checkpoint, samples=None, *, backend=None, threads=0))]
pub(crate) fn evaluate<'py>(
    py: Python<'py>,
    checkpoint: &Checkpoint,
    samples: Option<&Samples>,
    backend: Option<&str>,
    threads: usize,
) -> PyResult<Bound<'py, PyAny>> {
    let config = checkpoint.config_on(backend, threads);
    let samples = match samples {
        Some(samples) => samples.inner.clone(),
        None => py.detach(|| eventprop::Samples::load_test(&config.data)).map_err(raise)?,
    };
    let eventprop::Checkpoint { network, parameters, .. } = &checkpoint.inner;
    samples.check(network).map_err(raise)?;
    let mut engine = engine_for(network, &config).map_err(raise)?;
    let evaluation = py
        .detach(|| {
            engine.load(parameters)?;
            eventprop::evaluate(engine.as_mut(), &config.loss, &samples)
        })
        .map_err(raise)?;
    Ok(pythonize(py, &evaluation)?)
}
