//! Arrays of Python as lists of Rust, and parameters as dictionaries of arrays.

use crate::error::refuse;
use eventprop::backend::Precision;
use eventprop::lif_core::{Network, ParameterId, Parameters};
use eventprop::{parameter_name, parameter_shape};
use numpy::{
    Element, IntoPyArray, PyArray1, PyArrayDyn, PyArrayMethods, PyUntypedArrayMethods,
    get_array_module,
};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyDict;

/// The numbers an engine computes in, which are those of its arrays.
pub(crate) trait Number: Precision + Element {}

impl Number for f32 {}
impl Number for f64 {}

/// What is counted: neurons, labels, places in a list.
pub(crate) trait Count: Element + Copy {
    /// The largest.
    const MAX: u64;
}

impl Count for u32 {
    const MAX: u64 = u32::MAX as u64;
}
impl Count for usize {
    const MAX: u64 = usize::MAX as u64;
}

/// `object` as an array of numbers `T`: itself, if it is one.
pub(crate) fn array<'py, T: Element>(
    object: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyArrayDyn<T>>> {
    let py = object.py();
    let array = get_array_module(py)?.call_method1("asarray", (object, T::get_dtype(py)))?;
    Ok(array.cast_into()?)
}

/// The same of one dimension.
pub(crate) fn flat_array<'py, T: Element>(
    object: &Bound<'py, PyAny>,
    name: &str,
) -> PyResult<Bound<'py, PyArray1<T>>> {
    let array = array::<T>(object)?;
    match array.ndim() {
        1 => Ok(array.into_any().cast_into()?),
        dimensions => Err(refuse(format!("{name} must have one dimension, not {dimensions}"))),
    }
}

/// A copy of an array's numbers, row-major.
pub(crate) fn values<T: Element + Copy>(array: &Bound<'_, PyArrayDyn<T>>) -> Vec<T> {
    array.readonly().as_array().iter().copied().collect()
}

/// `object` as an array of counts, of one dimension: itself, if it is one. numpy would cut 1.7 to 1 and
/// wrap -1 to the largest number; here they are errors.
pub(crate) fn counts<'py, T: Count>(
    object: &Bound<'py, PyAny>,
    name: &str,
) -> PyResult<Bound<'py, PyArray1<T>>> {
    if object.cast::<PyArrayDyn<T>>().is_err() {
        let py = object.py();
        let array = get_array_module(py)?.call_method1("asarray", (object,))?;
        // An empty list has no type of its own.
        if array.getattr("size")?.extract::<usize>()? > 0 {
            check_counts(&array, name, T::MAX)?;
        }
        return flat_array(&array, name);
    }
    flat_array(object, name)
}

fn check_counts(array: &Bound<'_, PyAny>, name: &str, largest: u64) -> PyResult<()> {
    let dtype = array.getattr("dtype")?;
    let kind: String = dtype.getattr("kind")?.extract()?;
    if kind != "i" && kind != "u" {
        return Err(PyTypeError::new_err(format!("{name} must be integers, they are {dtype}")));
    }
    for end in ["min", "max"] {
        let value: i128 = array.call_method0(end)?.call_method0("item")?.extract()?;
        if !(0..=i128::from(largest)).contains(&value) {
            let text = format!("{name} must be from 0 to {largest}, one is {value}");
            return Err(PyValueError::new_err(text));
        }
    }
    Ok(())
}

/// A copy of the counts of an object that is, or can become, an array of one dimension.
pub(crate) fn list<T: Count>(object: &Bound<'_, PyAny>, name: &str) -> PyResult<Vec<T>> {
    let array = counts::<T>(object, name)?;
    Ok(array.readonly().as_array().iter().copied().collect())
}

/// Every list that is `wanted`, by its name, in the shape that files have. The lists are moved, not
/// copied.
pub(crate) fn to_dict<'py, T: Number>(
    py: Python<'py>,
    network: &Network,
    mut parameters: Parameters<T>,
    wanted: impl Fn(ParameterId) -> bool,
) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    for (id, len) in ids(&parameters).into_iter().filter(|(id, _)| wanted(*id)) {
        let list = std::mem::take(parameters.list_mut(id));
        let shape = parameter_shape(network, id, len);
        dict.set_item(parameter_name(network, id), list.into_pyarray(py).reshape(shape)?)?;
    }
    Ok(dict)
}

/// Replaces the lists that `given` names; the others stay.
pub(crate) fn replace<T: Number>(
    network: &Network,
    parameters: &mut Parameters<T>,
    given: &Bound<'_, PyDict>,
) -> PyResult<()> {
    let named: Vec<_> = ids(parameters)
        .into_iter()
        .map(|(id, len)| (parameter_name(network, id), id, parameter_shape(network, id, len)))
        .collect();
    for (name, own) in given.iter() {
        let name: String = name.extract()?;
        let Some((_, id, wanted)) = named.iter().find(|(known, ..)| *known == name) else {
            let known: Vec<_> = named.iter().map(|(known, ..)| known.as_str()).collect();
            let known = known.join(", ");
            return Err(refuse(format!("there are no parameters \"{name}\" (there are: {known})")));
        };
        let own = array::<T>(&own)?;
        if own.shape() != wanted {
            let shape = own.shape();
            return Err(refuse(format!("{name}: must be of shape {wanted:?}, is {shape:?}")));
        }
        *parameters.list_mut(*id) = values(&own);
    }
    Ok(())
}

/// The lists that are not empty, with their lengths.
fn ids<T: Number>(parameters: &Parameters<T>) -> Vec<(ParameterId, usize)> {
    let mut ids = Vec::new();
    parameters.for_each(|id, values| {
        if !values.is_empty() {
            ids.push((id, values.len()));
        }
    });
    ids
}
