use crate::arrays::list;
use crate::config::Config;
use crate::error::{raise, refuse};
use crate::spikes::Spikes;
use eventprop::lif_core::SpikeBatch;
use eventprop::mnist_spikes::{self, ImageSet, SpikeData, TrainTest, folder};
use numpy::{IntoPyArray, PyArray1, PyArray3, PyArrayMethods, ToPyArray};
use pyo3::prelude::*;
use std::path::PathBuf;

/// Spike trains with their labels: what training and evaluation consume. Single precision.
///
/// Args:
///     spikes: one train a sample.
///     labels: integers ``[samples]``, from 0.
///     classes: the number of classes; without it the largest label decides.
///     inputs: the number of input neurons; without it the largest index decides.
///     shape: the inputs as ``(channels, height, width)``, for what augments events.
#[pyclass(frozen, module = "eventprop")]
pub(crate) struct Samples {
    pub(crate) inner: eventprop::Samples,
}

#[pymethods]
impl Samples {
    #[new]
    #[pyo3(signature = (spikes, labels, classes=None, inputs=None, shape=None))]
    fn new(
        py: Python<'_>,
        spikes: &Spikes,
        labels: &Bound<'_, PyAny>,
        classes: Option<usize>,
        inputs: Option<usize>,
        shape: Option<[usize; 3]>,
    ) -> PyResult<Self> {
        let (spikes, labels) = (spikes.to_batch(py)?, list::<u32>(labels, "labels")?);
        let above = |indices: &mut dyn Iterator<Item = u32>| {
            indices.max().map_or(1, |largest| largest as usize + 1)
        };
        let classes = classes.unwrap_or_else(|| above(&mut labels.iter().copied()));
        let indices = || spikes.iter().flat_map(|train| train.indices()).copied();
        let inputs = inputs.unwrap_or_else(|| above(&mut indices()));
        let shape = shape.unwrap_or([1, 1, inputs]);
        let data = SpikeData { spikes, labels, classes, inputs, shape };
        data.check().map_err(raise)?;
        Ok(Self { inner: eventprop::Samples::new(data) })
    }

    /// The number of samples.
    fn __len__(&self) -> usize {
        self.inner.len()
    }

    /// The number of input neurons.
    #[getter]
    fn inputs(&self) -> usize {
        self.inner.inputs()
    }

    /// The number of classes.
    #[getter]
    fn classes(&self) -> usize {
        self.inner.classes()
    }

    /// The inputs as ``(channels, height, width)``.
    #[getter]
    fn shape(&self) -> (usize, usize, usize) {
        self.inner.shape().into()
    }

    /// The samples from ``start`` to ``stop`` (all without them): their trains and uint32 labels.
    #[pyo3(signature = (start=0, stop=None))]
    fn batch<'py>(
        &self,
        py: Python<'py>,
        start: usize,
        stop: Option<usize>,
    ) -> PyResult<(Spikes, Bound<'py, PyArray1<u32>>)> {
        let (samples, stop) = (self.inner.len(), stop.unwrap_or(self.inner.len()));
        if start > stop || stop > samples {
            return Err(refuse(format!("samples {start} to {stop} of {samples}")));
        }
        let mut spikes = SpikeBatch::new();
        (start..stop).for_each(|sample| spikes.push_train(self.inner.spikes(sample)));
        let labels: Vec<_> = (start..stop).map(|sample| self.inner.label(sample)).collect();
        Ok((Spikes::from_batch(py, spikes), labels.into_pyarray(py)))
    }

    fn __repr__(&self) -> String {
        let (samples, inputs, classes) =
            (self.inner.len(), self.inner.inputs(), self.inner.classes());
        format!("Samples({samples} of {inputs} inputs, {classes} classes)")
    }
}

/// Samples to train on, to test on and, if there are any, to choose a recipe by.
#[pyclass(frozen, module = "eventprop")]
pub(crate) struct Data {
    pub(crate) inner: eventprop::Data,
}

#[pymethods]
impl Data {
    #[new]
    #[pyo3(signature = (train, test, validation=None))]
    fn new(train: &Samples, test: &Samples, validation: Option<&Samples>) -> Self {
        let samples = |samples: &Samples| samples.inner.clone();
        let validation = validation.map(samples);
        Self { inner: eventprop::Data { train: samples(train), validation, test: samples(test) } }
    }

    /// The data that a configuration names, read (or decoded, or drawn) and encoded; augmentation is part of
    /// them.
    #[staticmethod]
    fn load(py: Python<'_>, config: &Config) -> PyResult<Self> {
        let inner = py.detach(|| eventprop::Data::load(&config.inner)).map_err(raise)?;
        Ok(Self { inner })
    }

    /// Those to train on.
    #[getter]
    fn train(&self) -> Samples {
        Samples { inner: self.inner.train.clone() }
    }

    /// Those to test on.
    #[getter]
    fn test(&self) -> Samples {
        Samples { inner: self.inner.test.clone() }
    }

    /// Those to choose a recipe by.
    #[getter]
    fn validation(&self) -> Option<Samples> {
        self.inner.validation.clone().map(|inner| Samples { inner })
    }

    fn __repr__(&self) -> String {
        let validation = self.inner.validation.as_ref().map_or(0, eventprop::Samples::len);
        let (train, test) = (self.inner.train.len(), self.inner.test.len());
        format!("Data({train} training, {validation} validation, {test} test samples)")
    }
}

type Images<'py> = (Bound<'py, PyArray3<u8>>, Bound<'py, PyArray1<u32>>);

/// MNIST (LeCun, Cortes & Burges), which is part of the package.
///
/// Returns:
///     (images, labels) to train on and (images, labels) to test on: uint8 ``[images, 28, 28]``, 0 black,
///     and uint32 ``[images]``.
#[pyfunction]
pub(crate) fn mnist(py: Python<'_>) -> PyResult<(Images<'_>, Images<'_>)> {
    both(py, &py.detach(mnist_spikes::mnist::load))
}

/// IDX files in a folder, under the names of MNIST's, plain or gzipped.
///
/// Args:
///     folder: where they are.
///     name: which of several sets, ``"emnist-letters"`` say.
///
/// Returns:
///     As ``mnist``.
#[pyfunction]
#[pyo3(signature = (folder, name=None))]
pub(crate) fn idx_images<'py>(
    py: Python<'py>,
    folder: PathBuf,
    name: Option<&str>,
) -> PyResult<(Images<'py>, Images<'py>)> {
    both(py, &py.detach(|| folder::load(&folder, name)).map_err(raise)?)
}

fn both<'py>(py: Python<'py>, sets: &TrainTest) -> PyResult<(Images<'py>, Images<'py>)> {
    let one = |set: &ImageSet| {
        let pixels = set.pixels().to_pyarray(py);
        let images = pixels.reshape([set.len(), set.height(), set.width()])?;
        Ok::<_, PyErr>((images, set.labels().to_pyarray(py)))
    };
    Ok((one(&sets.train)?, one(&sets.test)?))
}
