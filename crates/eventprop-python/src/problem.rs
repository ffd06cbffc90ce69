use crate::error::{no_precision, raise, refuse};
use eventprop::backend::{self, Precision};
use eventprop::lif_core::engine::Training;
use eventprop::problem::{Problem, Solution, solve, solve_by_finite_differences};
use pyo3::prelude::*;
use pythonize::pythonize;
use std::path::PathBuf;

/// Where a problem comes from.
#[derive(FromPyObject)]
pub(crate) enum Origin {
    /// JSON.
    Text(Vec<u8>),
    /// A file of it.
    File(PathBuf),
}

/// Solves a problem; the package's ``grad`` makes arrays of what comes back.
#[pyfunction]
pub(crate) fn solve_problem<'py>(
    py: Python<'py>,
    problem: Origin,
    backend: &str,
    precision: &str,
    method: &str,
) -> PyResult<Bound<'py, PyAny>> {
    let problem = match problem {
        Origin::Text(json) => Problem::parse(&json),
        Origin::File(path) => Problem::load(&path),
    };
    let problem = problem.map_err(raise)?;
    let solution = match (method, precision) {
        ("finite-difference", "f64") if backend == "reference" => {
            py.detach(|| solve_by_finite_differences(&problem)).map_err(raise)?
        }
        ("finite-difference", _) => {
            let text = "finite differences are taken of the reference engine in f64; leave out \
                        backend and precision";
            return Err(refuse(text));
        }
        ("eventprop", "f32") => by_engine::<f32>(py, &problem, backend)?,
        ("eventprop", "f64") => by_engine::<f64>(py, &problem, backend)?,
        ("eventprop", _) => return Err(no_precision(precision)),
        _ => {
            let known = "give \"eventprop\" or \"finite-difference\"";
            return Err(refuse(format!("method \"{method}\" is none; {known}")));
        }
    };
    Ok(pythonize(py, &solution)?)
}

fn by_engine<T: Precision>(py: Python<'_>, problem: &Problem, name: &str) -> PyResult<Solution> {
    let solved = py.detach(|| {
        let training = Training::<T>::exact(problem.loss);
        let mut engine = backend::create(name, &problem.network, training, None)?;
        solve(problem, engine.as_mut())
    });
    solved.map_err(raise)
}
