use super::Trainer;
use crate::config::Config;
use crate::error::raise;
use pyo3::prelude::*;
use pyo3::types::PyType;
use std::path::PathBuf;

/// Where a run is written, as the command does: configuration, metrics, log, pictures, checkpoint. The
/// command's ``watch``, ``eval``, ``plot`` and ``train --resume`` read it.
#[pyclass(frozen, module = "eventprop")]
pub(crate) struct RunFolder {
    inner: eventprop::RunFolder,
}

#[pymethods]
impl RunFolder {
    /// Makes ``<parent>/<date>-<name>-<n>`` and points ``<parent>/latest`` to it.
    #[new]
    fn new(parent: PathBuf, config: &Config) -> PyResult<Self> {
        let inner = eventprop::RunFolder::create(&parent, &config.inner).map_err(raise)?;
        Ok(Self { inner })
    }

    /// Opens the folder of a run that was started before.
    #[classmethod]
    fn open(_: &Bound<'_, PyType>, path: PathBuf) -> PyResult<Self> {
        Ok(Self { inner: eventprop::RunFolder::open(path).map_err(raise)? })
    }

    /// Where it is.
    #[getter]
    fn path(&self) -> PathBuf {
        self.inner.path().into()
    }

    /// Writes how far a training has come: between epochs, or when it was stopped.
    fn save(&self, py: Python<'_>, trainer: &Trainer) -> PyResult<()> {
        let trainer = trainer.lock()?;
        let (checkpoint, tested) = (trainer.checkpoint(), trainer.tested().cloned());
        drop(trainer);
        py.detach(|| {
            tested.map_or(Ok(()), |tested| self.inner.draw_confusion(&tested))?;
            self.inner.save(&checkpoint)
        })
        .map_err(raise)
    }

    fn __repr__(&self) -> String {
        format!("RunFolder({})", self.inner.path().display())
    }
}
