use crate::arrays::{Number, array, counts, flat_array, list, values};
use crate::error::{raise, refuse};
use eventprop::lif_core::SpikeBatch;
use numpy::{IntoPyArray, PyArray1, PyArrayDyn, PyUntypedArrayMethods};
use pyo3::exceptions::PyIndexError;
use pyo3::prelude::*;
use pyo3::types::PySlice;

/// Spike trains of several samples in three flat arrays: sample ``s`` owns the range
/// ``offsets[s]:offsets[s + 1]`` of ``times`` and ``indices``.
///
/// The arrays are plain. What comes from an engine was moved to numpy, not copied; what goes to an
/// engine is checked and copied once, because it reads while other threads of Python may write.
///
/// Args:
///     times: float32 or float64 ``[spikes]``, in ms, ascending within each sample, not negative.
///     indices: integers ``[spikes]``: the neuron that sends each spike, from 0.
///     offsets: integers ``[samples + 1]``, from 0 to the number of spikes; without it there is one sample.
///
/// Raises:
///     TypeError: if indices or offsets are no integers.
///     ValueError: if one is negative or too large.
///     Error: if they are no spike trains.
#[pyclass(frozen, module = "eventprop")]
pub(crate) struct Spikes {
    /// float32 or float64 ``[spikes]``, in ms.
    #[pyo3(get)]
    times: Py<PyAny>,
    /// uint32 ``[spikes]``: the neuron that sends each spike.
    #[pyo3(get)]
    indices: Py<PyArray1<u32>>,
    /// uint64 ``[samples + 1]``: where each sample begins.
    #[pyo3(get)]
    offsets: Py<PyArray1<usize>>,
}

#[pymethods]
impl Spikes {
    #[new]
    #[pyo3(signature = (times, indices, offsets=None))]
    fn new(
        py: Python<'_>,
        times: &Bound<'_, PyAny>,
        indices: &Bound<'_, PyAny>,
        offsets: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        // Single precision stays; whatever else there is becomes double.
        let times = match times.cast::<PyArrayDyn<f32>>() {
            Ok(_) => flat_array::<f32>(times, "times")?.into_any(),
            Err(_) => flat_array::<f64>(times, "times")?.into_any(),
        };
        let offsets = match offsets {
            Some(offsets) => counts(offsets, "offsets")?,
            None => vec![0, times.len()?].into_pyarray(py),
        };
        let indices = counts(indices, "indices")?.unbind();
        let spikes = Self { times: times.unbind(), indices, offsets: offsets.unbind() };
        // Whatever is wrong is said here, and not where they are used.
        spikes.to_batch::<f64>(py)?;
        Ok(spikes)
    }

    /// The number of samples.
    fn __len__(&self, py: Python<'_>) -> usize {
        self.offsets.bind(py).len() - 1
    }

    /// Times (ms) and neurons of a sample: views, not copies.
    fn __getitem__<'py>(
        &self,
        py: Python<'py>,
        sample: isize,
    ) -> PyResult<(Bound<'py, PyAny>, Bound<'py, PyAny>)> {
        let samples = self.__len__(py) as isize;
        let own = if sample < 0 { sample + samples } else { sample };
        if !(0..samples).contains(&own) {
            return Err(PyIndexError::new_err(format!("sample {sample} of {samples}")));
        }
        let offsets = self.offsets.bind(py);
        let at = |place: isize| offsets.get_item(place)?.extract::<isize>();
        let range = PySlice::new(py, at(own)?, at(own + 1)?, 1);
        Ok((self.times.bind(py).get_item(&range)?, self.indices.bind(py).get_item(&range)?))
    }

    /// For pickle and copy.
    fn __getnewargs__<'py>(
        &self,
        py: Python<'py>,
    ) -> (Bound<'py, PyAny>, Bound<'py, PyAny>, Bound<'py, PyAny>) {
        let (indices, offsets) = (self.indices.bind(py), self.offsets.bind(py));
        (self.times.bind(py).clone(), indices.as_any().clone(), offsets.as_any().clone())
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let (samples, spikes) = (self.__len__(py), self.indices.bind(py).len());
        let dtype = self.times.bind(py).getattr("dtype")?;
        Ok(format!("Spikes({samples} samples, {spikes} spikes, {dtype})"))
    }
}

impl Spikes {
    /// Moves a batch to numpy.
    pub(crate) fn from_batch<T: Number>(py: Python<'_>, batch: SpikeBatch<T>) -> Self {
        let (offsets, times, indices) = batch.into_parts();
        Self {
            times: times.into_pyarray(py).into_any().unbind(),
            indices: indices.into_pyarray(py).unbind(),
            offsets: offsets.into_pyarray(py).unbind(),
        }
    }

    /// A checked copy.
    pub(crate) fn to_batch<T: Number>(&self, py: Python<'_>) -> PyResult<SpikeBatch<T>> {
        let times = values(&array::<T>(self.times.bind(py))?);
        let indices: Vec<u32> = list(self.indices.bind(py), "indices")?;
        let offsets: Vec<usize> = list(self.offsets.bind(py), "offsets")?;
        let spikes = times.len();
        if spikes != indices.len() {
            let indices = indices.len();
            return Err(refuse(format!("{spikes} spike times, but {indices} indices")));
        }
        let ascend = offsets.windows(2).all(|pair| pair[0] <= pair[1]);
        if offsets.first() != Some(&0) || offsets.last() != Some(&spikes) || !ascend {
            let text = format!("offsets must ascend from 0 to the number of spikes, {spikes}");
            return Err(refuse(text));
        }
        SpikeBatch::from_parts(offsets, times, indices).map_err(raise)
    }
}
