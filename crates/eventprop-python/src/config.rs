use crate::error::raise;
use crate::network::Network;
use eventprop::config::Overrides;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple, PyType};
use pythonize::{Depythonizer, depythonize, pythonize};
use std::path::PathBuf;

/// What errors call a configuration that was built in Python.
const ORIGIN: &str = "configuration";

/// Everything that determines a training: data, network, loss, training. The same configuration gives
/// the same weights to the bit, here and on the command line.
///
/// The fields are those of the TOML file, as keywords; their values are dictionaries, lists, numbers
/// and strings, the network a ``Network`` or a dictionary.
///
/// Raises:
///     Error: naming the field that is unknown or out of its range.
#[pyclass(frozen, module = "eventprop", eq)]
#[derive(PartialEq)]
pub(crate) struct Config {
    pub(crate) inner: eventprop::Config,
}

#[pymethods]
impl Config {
    #[new]
    #[pyo3(signature = (**fields))]
    fn new(py: Python<'_>, fields: Option<&Bound<'_, PyDict>>) -> PyResult<Self> {
        let fields = fields.map_or_else(|| Ok(PyDict::new(py)), |fields| fields.copy())?;
        if let Some(network) = fields.get_item("network")?
            && let Ok(network) = network.cast::<Network>()
        {
            fields.set_item("network", network.get().to_dict(py)?)?;
        }
        let inner = eventprop::Config::read(&mut Depythonizer::from_object(&fields), ORIGIN);
        Ok(Self { inner: inner.map_err(raise)? })
    }

    /// The names of the presets, the default first.
    #[staticmethod]
    fn presets() -> Vec<&'static str> {
        eventprop::Config::presets().collect()
    }

    /// The preset of that name.
    #[classmethod]
    fn preset(_: &Bound<'_, PyType>, name: &str) -> PyResult<Self> {
        Ok(Self { inner: eventprop::Config::preset(name).map_err(raise)? })
    }

    /// Reads a file: JSON if its name ends in ``.json``, else TOML.
    #[classmethod]
    fn load(_: &Bound<'_, PyType>, path: PathBuf) -> PyResult<Self> {
        Ok(Self { inner: eventprop::Config::load(&path).map_err(raise)? })
    }

    /// Reads TOML; ``origin`` is what errors call it.
    #[classmethod]
    #[pyo3(signature = (text, origin=ORIGIN))]
    fn parse(_: &Bound<'_, PyType>, text: &str, origin: &str) -> PyResult<Self> {
        Ok(Self { inner: eventprop::Config::parse(text, origin).map_err(raise)? })
    }

    /// The same configuration with single values replaced, by the names of the command's flags:
    /// ``epochs``, ``lr``, ``batch_size``, ``seed``, ``backend``, ``threads``, ``data_folder``, ``xi``,
    /// ``alpha``, ``beta``, ``duration``, ``dt``, ``tau_mem``, ``tau_syn``, ``t_min``, ``t_max``.
    #[pyo3(name = "override", signature = (**values))]
    fn override_with(&self, values: Option<&Bound<'_, PyDict>>) -> PyResult<Self> {
        let overrides = values.map_or_else(|| Ok(Overrides::default()), |v| depythonize(v));
        let mut inner = self.inner.clone();
        overrides.map_err(raise)?.apply(&mut inner).map_err(raise)?;
        inner.check().map_err(raise)?;
        Ok(Self { inner })
    }

    /// What runs are called after.
    #[getter]
    fn name(&self) -> &str {
        &self.inner.name
    }

    /// The network with its initialisers.
    #[getter]
    fn network(&self) -> PyResult<Network> {
        Network::from_config(self.inner.network.clone())
    }

    /// The configuration as TOML, every value spelled out.
    fn to_toml(&self) -> String {
        self.inner.to_toml()
    }

    /// The configuration as dictionaries, lists, numbers and strings: what ``Config(**fields)`` takes.
    fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        Ok(pythonize(py, &self.inner)?)
    }

    /// For pickle and copy.
    fn __getnewargs_ex__<'py>(
        &self,
        py: Python<'py>,
    ) -> PyResult<(Bound<'py, PyTuple>, Bound<'py, PyAny>)> {
        Ok((PyTuple::empty(py), self.to_dict(py)?))
    }

    fn __repr__(&self) -> String {
        let layers = self.inner.network.layers.iter();
        let sizes: Vec<_> = layers.map(|layer| layer.size.to_string()).collect();
        format!("Config(\"{}\", {})", self.inner.name, sizes.join("-"))
    }
}
