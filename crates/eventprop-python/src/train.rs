mod events;
mod run_folder;

pub(crate) use events::Batch;
pub(crate) use run_folder::RunFolder;

use crate::arrays::to_dict;
use crate::checkpoint::Checkpoint;
use crate::config::Config;
use crate::data::Data;
use crate::error::{raise, refuse};
use eventprop::metrics::EpochRecord;
use eventprop::{Progress, TrainError};
use events::Listener;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyType};
use pythonize::pythonize;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, TryLockError};

/// Trains a network epoch by epoch, without the interpreter's lock: as the command's ``train`` does, to the
/// same bits.
///
/// Args:
///     config: what is trained.
///     data: the samples; without them those that ``config`` names.
///
/// Raises:
///     Error: if the data do not fit the network or the engine cannot compute it.
#[pyclass(frozen, module = "eventprop")]
pub(crate) struct Trainer {
    inner: Mutex<eventprop::Trainer>,
}

#[pymethods]
impl Trainer {
    #[new]
    #[pyo3(signature = (config, data=None))]
    fn new(py: Python<'_>, config: &Config, data: Option<&Data>) -> PyResult<Self> {
        let data = load(py, &config.inner, data)?;
        let config = config.inner.clone();
        Self::from(py.detach(|| eventprop::Trainer::new(config, data)))
    }

    /// Goes on from a checkpoint as if the training had never stopped.
    #[classmethod]
    #[pyo3(signature = (checkpoint, data=None))]
    fn resume(
        _: &Bound<'_, PyType>,
        py: Python<'_>,
        checkpoint: &Checkpoint,
        data: Option<&Data>,
    ) -> PyResult<Self> {
        let data = load(py, &checkpoint.inner.config, data)?;
        let checkpoint = checkpoint.inner.clone();
        Self::from(py.detach(|| eventprop::Trainer::resume(checkpoint, data)))
    }

    /// Trains to the end, or until a callback stops it. Ctrl-C stops at the next batch with
    /// ``KeyboardInterrupt``; nothing is lost, and ``train`` called again goes on there.
    ///
    /// Args:
    ///     on_batch: called with a ``Batch`` after each update; stops the training if it returns
    ///         ``False``. The trainer itself cannot be asked meanwhile.
    ///     on_epoch: called with the record of each epoch (a dictionary as in ``metrics.jsonl``); stops
    ///         the training if it returns ``False``.
    ///
    /// Returns:
    ///     Whether all epochs are done.
    #[pyo3(signature = (on_batch=None, on_epoch=None))]
    fn train(
        &self,
        py: Python<'_>,
        on_batch: Option<Py<PyAny>>,
        on_epoch: Option<Py<PyAny>>,
    ) -> PyResult<bool> {
        while !self.lock()?.is_finished() {
            let Some(record) = self.train_epoch(py, on_batch.as_ref())? else { return Ok(false) };
            if let Some(on_epoch) = &on_epoch {
                let answer = on_epoch.bind(py).call1((pythonize(py, &record)?,))?;
                if stops(&answer) {
                    return Ok(self.lock()?.is_finished());
                }
            }
        }
        Ok(true)
    }

    /// Trains to the end of the epoch under way and returns its record; ``None`` if ``on_batch`` stopped it
    /// or all epochs are done.
    #[pyo3(signature = (on_batch=None))]
    fn run_epoch<'py>(
        &self,
        py: Python<'py>,
        on_batch: Option<Py<PyAny>>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let record = self.train_epoch(py, on_batch.as_ref())?;
        record.map(|record| Ok(pythonize(py, &record)?)).transpose()
    }

    /// All that is needed to go on from here.
    fn checkpoint(&self) -> PyResult<Checkpoint> {
        Ok(Checkpoint { inner: self.lock()?.checkpoint() })
    }

    /// Writes ``checkpoint()`` to a file, in one piece.
    fn save(&self, py: Python<'_>, path: PathBuf) -> PyResult<()> {
        let checkpoint = self.lock()?.checkpoint();
        py.detach(|| checkpoint.save(&path)).map_err(raise)
    }

    /// A copy of the parameters by name.
    fn parameters<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let trainer = self.lock()?;
        to_dict(py, trainer.network(), trainer.checkpoint().parameters, |_| true)
    }

    /// The configuration.
    #[getter]
    fn config(&self) -> PyResult<Config> {
        Ok(Config { inner: self.lock()?.config().clone() })
    }

    /// The records of the epochs that are done.
    #[getter]
    fn history<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        Ok(pythonize(py, &self.lock()?.progress().history)?)
    }

    /// The epochs that are done.
    #[getter(epoch)]
    fn epochs_done(&self) -> PyResult<u32> {
        Ok(self.lock()?.progress().epoch)
    }

    /// Whether all epochs are done.
    #[getter]
    fn finished(&self) -> PyResult<bool> {
        Ok(self.lock()?.is_finished())
    }

    fn __repr__(&self) -> PyResult<String> {
        let trainer = self.lock()?;
        let (Progress { epoch, batch, .. }, config) = (trainer.progress(), trainer.config());
        let (name, epochs) = (&config.name, config.training.epochs);
        Ok(format!("Trainer(\"{name}\", {epoch} of {epochs} epochs and {batch} batches)"))
    }
}

impl Trainer {
    fn from(trainer: Result<eventprop::Trainer, TrainError>) -> PyResult<Self> {
        Ok(Self { inner: Mutex::new(trainer.map_err(raise)?) })
    }

    fn train_epoch(
        &self,
        py: Python<'_>,
        on_batch: Option<&Py<PyAny>>,
    ) -> PyResult<Option<EpochRecord>> {
        let mut lock = self.lock()?;
        // The lock belongs to this thread, the trainer need not.
        let (trainer, mut listener) = (&mut *lock, Listener::new(on_batch));
        let outcome = py.detach(|| trainer.run_epoch(|event| listener.hear(event)));
        listener.outcome()?;
        outcome.map_err(raise)
    }

    /// Waiting could be for ever: a callback may ask in the middle of a batch.
    fn lock(&self) -> PyResult<MutexGuard<'_, eventprop::Trainer>> {
        match self.inner.try_lock() {
            Ok(trainer) => Ok(trainer),
            Err(TryLockError::Poisoned(poisoned)) => Ok(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => {
                Err(refuse("the trainer is at work: ask it between epochs, in on_epoch"))
            }
        }
    }
}

/// Whether a callback's answer is ``False``.
fn stops(answer: &Bound<'_, PyAny>) -> bool {
    answer.cast::<PyBool>().is_ok_and(|answer| !answer.is_true())
}

fn load(
    py: Python<'_>,
    config: &eventprop::Config,
    data: Option<&Data>,
) -> PyResult<eventprop::Data> {
    match data {
        Some(data) => Ok(data.inner.clone()),
        None => py.detach(|| eventprop::Data::load(config)).map_err(raise),
    }
}
