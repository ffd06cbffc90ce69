use crate::arrays::{Number, to_dict};
use crate::error::{no_precision, raise};
use eventprop::config::{NetworkConfig, read_values};
use eventprop::lif_core;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use pythonize::{Depythonizer, pythonize};

/// A network: layers, connections and how their weights start. Its shapes and constants are checked
/// when it is made.
///
/// Args:
///     duration: the simulated time in ms.
///     layers: the input first, the output last: what ``input``, ``lif`` and ``li`` return, or
///         dictionaries with the fields of the TOML file.
///     connections: what ``dense``, ``conv2d`` and ``sum_pool2d`` return, or dictionaries.
///
/// Raises:
///     Error: naming the first field that makes no valid network.
#[pyclass(frozen, module = "eventprop")]
pub(crate) struct Network {
    pub(crate) config: NetworkConfig,
    pub(crate) built: lif_core::Network,
}

#[pymethods]
impl Network {
    #[new]
    fn new(
        duration: f64,
        layers: &Bound<'_, PyAny>,
        connections: &Bound<'_, PyAny>,
    ) -> PyResult<Self> {
        let fields = PyDict::new(layers.py());
        fields.set_item("duration", duration)?;
        fields.set_item("layers", layers)?;
        fields.set_item("connections", connections)?;
        let config = read_values(&mut Depythonizer::from_object(&fields), "network");
        Self::from_config(config.map_err(raise)?)
    }

    /// The simulated time in ms.
    #[getter]
    fn duration(&self) -> f64 {
        self.config.duration
    }

    /// Names and sizes of the layers, the input first.
    #[getter]
    fn layers(&self) -> Vec<(&str, usize)> {
        self.built.layers().iter().map(|layer| (layer.name.as_str(), layer.size)).collect()
    }

    /// The parameters that training starts with, by name: arrays of ``precision`` ``"f32"`` or ``"f64"``,
    /// dense weights ``[source, target]``, convolutions ``[out_channel, in_channel, ky, kx]``, delays and time constants
    /// in ms.
    #[pyo3(signature = (seed=0, precision="f32"))]
    fn initial_parameters<'py>(
        &self,
        py: Python<'py>,
        seed: u64,
        precision: &str,
    ) -> PyResult<Bound<'py, PyDict>> {
        match precision {
            "f32" => self.drawn::<f32>(py, seed),
            "f64" => self.drawn::<f64>(py, seed),
            other => Err(no_precision(other)),
        }
    }

    /// The fields of the TOML file's ``network``.
    pub(crate) fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        Ok(pythonize(py, &self.config)?)
    }

    /// For pickle and copy.
    fn __getnewargs__<'py>(
        &self,
        py: Python<'py>,
    ) -> PyResult<(f64, Bound<'py, PyAny>, Bound<'py, PyAny>)> {
        let fields = self.to_dict(py)?;
        Ok((self.duration(), fields.get_item("layers")?, fields.get_item("connections")?))
    }

    fn __repr__(&self) -> String {
        let sizes: Vec<_> =
            self.built.layers().iter().map(|layer| layer.size.to_string()).collect();
        format!("Network({}, {} ms)", sizes.join("-"), self.config.duration)
    }
}

impl Network {
    pub(crate) fn from_config(config: NetworkConfig) -> PyResult<Self> {
        let built = config.build().map_err(raise)?;
        Ok(Self { config, built })
    }

    fn drawn<'py, T: Number>(&self, py: Python<'py>, seed: u64) -> PyResult<Bound<'py, PyDict>> {
        let parameters = self.config.initial_parameters::<T>(seed).map_err(raise)?;
        to_dict(py, &self.built, parameters, |_| true)
    }
}
