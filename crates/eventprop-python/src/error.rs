use pyo3::PyErr;

pyo3::create_exception!(
    eventprop,
    Error,
    pyo3::exceptions::PyException,
    "What eventprop cannot do, or what is wrong with what it was given: the line that the command \
     `eventprop` prints, without its \"error: \"."
);

/// The exception for an error of the library.
pub(crate) fn raise(error: impl std::error::Error + 'static) -> PyErr {
    Error::new_err(eventprop::one_line(&error))
}

/// The exception for something that only Python can get wrong.
pub(crate) fn refuse(text: impl Into<String>) -> PyErr {
    Error::new_err(text.into())
}

/// The exception for a precision that engines do not compute in.
pub(crate) fn no_precision(name: &str) -> PyErr {
    refuse(format!("precision \"{name}\" is none; give \"f32\" or \"f64\""))
}
