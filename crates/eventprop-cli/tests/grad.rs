//! `eventprop grad` as a user meets it.

use std::io::Write;
use std::process::{Command, Output, Stdio};

const PROBLEM: &str = r#"{
  "duration": 30.0,
  "layers": [
    {"name": "input", "kind": "input", "size": 2},
    {"name": "out", "kind": "lif", "size": 2, "tau_mem": 20.0, "tau_syn": 5.0}
  ],
  "connections": [{"from": "input", "to": "out", "kind": "dense", "weights": [[9, 2.5], [1, 8]]}],
  "samples": [{"spikes": [[4.5, 1], [2.0, 0]], "label": 1}],
  "loss": {"kind": "spike_time_sum"}
}"#;

#[test]
fn result_has_the_promised_shape() {
    let output = grad(PROBLEM, &[]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let result: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let fields: Vec<_> = result.as_object().unwrap().keys().collect();
    assert_eq!(fields, ["gradients", "loss", "losses", "spikes"]);
    let gradients = &result["gradients"];
    assert_eq!(gradients["connections"][0]["weights"][1].as_array().unwrap().len(), 2);
    assert_eq!(gradients["connections"][0].as_object().unwrap().len(), 1);
    let layer: Vec<_> = gradients["layers"]["out"].as_object().unwrap().keys().collect();
    assert_eq!(layer, ["bias", "tau_mem", "tau_syn", "threshold"]);
    // All spikes later by 1 ms are all outputs later by 1 ms, so the gradients by input times add up
    // to the number of output spikes.
    let by_time: f64 =
        gradients["samples"][0].as_array().unwrap().iter().map(|g| g.as_f64().unwrap()).sum();
    let spikes = result["spikes"][0]["out"].as_array().unwrap().len();
    assert!((by_time - spikes as f64).abs() < 1e-12 && spikes > 0, "{by_time} {spikes}");
    // They come in the file's order, whatever the order in time.
    let sorted = PROBLEM.replace("[4.5, 1], [2.0, 0]", "[2.0, 0], [4.5, 1]");
    let sorted: serde_json::Value = serde_json::from_slice(&grad(&sorted, &[]).stdout).unwrap();
    assert_eq!(gradients["samples"][0][0], sorted["gradients"]["samples"][0][1]);
    assert_ne!(gradients["samples"][0][0], gradients["samples"][0][1]);
}

#[test]
fn finite_differences_are_the_same() {
    let exact: serde_json::Value = serde_json::from_slice(&grad(PROBLEM, &[]).stdout).unwrap();
    let output = grad(PROBLEM, &["--method", "finite-difference"]);
    let found: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let weight = |result: &serde_json::Value| {
        result.pointer("/gradients/connections/0/weights/0/0").unwrap().as_f64().unwrap()
    };
    assert!((weight(&exact) - weight(&found)).abs() < 1e-8);
}

/// At an output whose voltage only falls the loss has a kink: no spike is to blame there.
#[test]
fn a_kink_is_named_by_its_parameter() {
    let kinked = r#"{
      "duration": 30.0,
      "layers": [
        {"name": "i", "kind": "input", "size": 1},
        {"name": "o", "kind": "li", "size": 2, "tau_mem": 20.0, "tau_syn": 5.0}
      ],
      "connections": [{"from": "i", "to": "o", "kind": "dense", "weights": [[1, -1]]}],
      "samples": [{"spikes": [[4.5, 0]], "label": 1}],
      "loss": {"kind": "vmax_cross_entropy"}
    }"#;
    let output = grad(kinked, &["--method", "finite-difference"]);
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{message}");
    assert!(message.contains("do not converge at layers.o.bias[1]: "), "{message}");
    assert!(message.contains("kink"), "{message}");
}

#[test]
fn what_cannot_be_done_is_one_line_and_status_2() {
    let broken = PROBLEM.replace("\"tau_mem\": 20.0", "\"tau_mem\": -3");
    let misspelt = PROBLEM.replace("tau_syn", "tau_sin");
    let delayed = PROBLEM.replace("[[9, 2.5]", "[[9, 2.5, 1]");
    let cases: [(&str, &[&str], &str); 6] = [
        (&broken, &[], "layers[1].tau_mem: must be positive and finite, got -3"),
        (&misspelt, &[], "did you mean `tau_syn`?"),
        (&delayed, &[], "connections[0].weights[1]: has 2 entries, the lists before it 3"),
        (&PROBLEM[..200], &[], "EOF"),
        (
            PROBLEM,
            &["--precision", "f32"],
            "backend reference: precision f32 (it computes in f64 only) is not supported",
        ),
        (PROBLEM, &["--method", "finite-difference", "--precision", "f32"], "in f64"),
    ];
    for (problem, args, expected) in cases {
        refused(&grad(problem, args), expected);
    }
    if !cfg!(feature = "cuda") {
        let expected = "backend cuda: this build has no CUDA engine; rebuild with --features cuda";
        refused(&grad(PROBLEM, &["--backend", "cuda"]), expected);
    }
    let mut missing = Command::new(env!("CARGO_BIN_EXE_eventprop"));
    refused(&missing.args(["grad", "no/such.json"]).output().unwrap(), "cannot read no/such.json");
}

fn refused(output: &Output, expected: &str) {
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{error}");
    assert!(error.starts_with("error: ") && error.contains(expected), "{error}");
    assert_eq!(error.lines().count(), 1, "{error}");
    assert!(output.stdout.is_empty());
}

fn grad(problem: &str, args: &[&str]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_eventprop"))
        .args(["grad", "-"])
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A refusal may come before the input is read.
    let _ = child.stdin.take().unwrap().write_all(problem.as_bytes());
    child.wait_with_output().unwrap()
}
