//! The worked problems: networks of every kind with their spikes and gradients, found elsewhere by
//! converged finite differences.

use eventprop::backend;
use eventprop::problem::{Problem, Solution, solve, solve_by_finite_differences};
use lif_core::engine::Training;
use serde_json::Value;
use std::path::PathBuf;

/// The accuracy of the files' finite differences, relative to the largest number of a list.
const GRADIENT: f64 = 1e-7;

/// The accuracy of their losses, and of their spike times in ms.
const FORWARD: f64 = 1e-9;

#[test]
fn reference_engine_agrees() {
    for (name, problem, expected) in worked() {
        let training = Training::exact(problem.loss);
        let mut engine =
            backend::create::<f64>("reference", &problem.network, training, None).unwrap();
        compare(&name, &solve(&problem, engine.as_mut()).unwrap(), &expected);
    }
}

#[cfg(feature = "cpu")]
#[test]
fn cpu_engine_agrees() {
    for (name, problem, expected) in worked() {
        let training = Training::exact(problem.loss);
        let mut engine =
            backend::create::<f64>("cpu", &problem.network, training, Some(2)).unwrap();
        compare(&name, &solve(&problem, engine.as_mut()).unwrap(), &expected);
    }
}

#[test]
fn finite_differences_agree() {
    for (name, problem, expected) in worked() {
        compare(&name, &solve_by_finite_differences(&problem).unwrap(), &expected);
    }
}

fn worked() -> Vec<(String, Problem, Value)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/problems");
    let mut worked = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let mut file: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        let problem = serde_json::to_vec(&file["problem"]).unwrap();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        worked.push((name, Problem::parse(&problem).unwrap(), file["result"].take()));
    }
    assert_eq!(worked.len(), 6);
    worked
}

fn compare(name: &str, found: &Solution, expected: &Value) {
    let found = serde_json::to_value(found).unwrap();
    for key in ["loss", "losses", "spikes"] {
        let difference = difference(&found[key], &expected[key], key);
        assert!(difference <= FORWARD, "{name}: {key} differs by {difference:e}");
    }
    // The files have no gradient by a bias that their problem does not give.
    for list in lists(&expected["gradients"], String::new()) {
        let (found, expected) = (&found["gradients"], &expected["gradients"]);
        let (found, expected) = (found.pointer(&list).unwrap(), expected.pointer(&list).unwrap());
        let scale = numbers(expected).into_iter().fold(0.0, |a: f64, b| a.max(b.abs()));
        let difference = difference(found, expected, &list);
        println!("{name}{list}: {:.1e}", difference / scale);
        assert!(difference <= GRADIENT * scale, "{name}{list}: {difference:e} of {scale:e}");
    }
}

/// The JSON pointers of all gradients: objects are entered, and the lists of connections and
/// samples.
fn lists(value: &Value, path: String) -> Vec<String> {
    match value {
        Value::Object(fields) => {
            let inner = fields.iter().map(|(key, value)| lists(value, format!("{path}/{key}")));
            inner.flatten().collect()
        }
        Value::Array(values) if path == "/connections" || path == "/samples" => {
            let inner = values.iter().enumerate();
            inner.flat_map(|(key, value)| lists(value, format!("{path}/{key}"))).collect()
        }
        _ => vec![path],
    }
}

/// The largest difference between two trees of numbers of the same shape.
fn difference(found: &Value, expected: &Value, path: &str) -> f64 {
    match (found, expected) {
        (Value::Array(found), Value::Array(expected)) => {
            assert_eq!(found.len(), expected.len(), "{path}");
            let pairs = found.iter().zip(expected);
            pairs.map(|(found, expected)| difference(found, expected, path)).fold(0.0, f64::max)
        }
        (Value::Object(found), Value::Object(expected)) => {
            let inner = expected.iter().map(|(key, value)| difference(&found[key], value, key));
            inner.fold(0.0, f64::max)
        }
        _ => (found.as_f64().expect(path) - expected.as_f64().expect(path)).abs(),
    }
}

fn numbers(value: &Value) -> Vec<f64> {
    match value {
        Value::Array(values) => values.iter().flat_map(numbers).collect(),
        _ => value.as_f64().into_iter().collect(),
    }
}
