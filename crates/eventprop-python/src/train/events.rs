//! What Python hears of a training.

use super::stops;
use eventprop::Event;
use pyo3::prelude::*;
use std::ops::ControlFlow;

/// A batch that led to an update, and the epoch so far.
#[pyclass(frozen, get_all, module = "eventprop")]
pub(crate) struct Batch {
    /// The epoch, from 0.
    epoch: u32,
    /// The batch, from 0.
    batch: usize,
    /// The batches of the epoch.
    batches: usize,
    /// The learning rate used.
    lr: f64,
    /// Mean loss of the epoch so far.
    loss: f64,
    /// Fraction of the epoch's samples so far that were predicted right.
    accuracy: f64,
    /// Samples of the epoch so far.
    samples: usize,
    /// Wall time of the epoch so far in s.
    seconds: f64,
}

#[pymethods]
impl Batch {
    fn __repr__(&self) -> String {
        let Self { epoch, batch, batches, loss, .. } = self;
        format!("Batch(epoch {epoch}, {batch} of {batches}, loss {loss:.4})")
    }
}

/// Passes batches on to a callback, and looks for Ctrl-C after each.
pub(super) struct Listener<'a> {
    on_batch: Option<&'a Py<PyAny>>,
    /// Whether it wanted the training to stop.
    stopped: bool,
    raised: Option<PyErr>,
}

impl<'a> Listener<'a> {
    pub(super) fn new(on_batch: Option<&'a Py<PyAny>>) -> Self {
        Self { on_batch, stopped: false, raised: None }
    }

    /// Called without the interpreter's lock.
    pub(super) fn hear(&mut self, event: Event<'_>) -> ControlFlow<()> {
        if self.stopped {
            // Of a batch that was made together with one before: who said stop is not asked again.
            return ControlFlow::Break(());
        }
        let heard = Python::attach(|py| {
            py.check_signals()?;
            match (event, self.on_batch) {
                (Event::Batch { epoch, batch, batches, lr, sums }, Some(on_batch)) => {
                    let batch = Batch {
                        epoch,
                        batch,
                        batches,
                        lr,
                        loss: sums.mean_loss(),
                        accuracy: sums.accuracy(),
                        samples: sums.samples,
                        seconds: sums.seconds,
                    };
                    Ok(stops(&on_batch.bind(py).call1((batch,))?))
                }
                _ => Ok(false),
            }
        });
        self.stopped = heard.unwrap_or_else(|raised| {
            self.raised = Some(raised);
            true
        });
        if self.stopped { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    /// What was raised, by a callback or by Ctrl-C.
    pub(super) fn outcome(self) -> PyResult<()> {
        self.raised.map_or(Ok(()), Err)
    }
}
