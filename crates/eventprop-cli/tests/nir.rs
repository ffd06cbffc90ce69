//! `eventprop export` and `eventprop import` as a user meets them.
#![cfg(all(feature = "cpu", feature = "nir"))]

mod common;

use common::{eventprop, refusal, stdout, workplace};
use eventprop::Checkpoint;
use eventprop::problem::Problem;
use std::fs;

#[test]
fn a_network_goes_to_nir_and_comes_back() {
    let folder = workplace();
    let at = folder.path();
    stdout(&eventprop(at, &["train", "small.toml", "--epochs", "2", "--quiet"]));
    assert_eq!(stdout(&eventprop(at, &["export", "runs/latest"])), "small.nir\n");
    let import = ["import", "small.nir", "--config", "small.toml"];
    assert_eq!(stdout(&eventprop(at, &import)), "small.safetensors: 36-24-3\n");
    let load = |path: &str| Checkpoint::load(&at.join(path)).unwrap();
    let (before, after) = (load("runs/latest/checkpoint.safetensors"), load("small.safetensors"));
    assert!(before.parameters == after.parameters);
    assert_eq!(before.network.layers(), after.network.layers());

    // It is measured, and trained on, like any other.
    let eval = |path| stdout(&eventprop(at, &["eval", path]));
    assert_eq!(eval("small.safetensors"), eval("runs/latest"));
    let resume = ["train", "--resume", "small.safetensors", "--run-dir", "more", "--print-config"];
    assert!(stdout(&eventprop(at, &resume)).contains("name = \"small\""));

    // What only the network of its configuration has does not learn in it.
    let small = fs::read_to_string(at.join("small.toml")).unwrap();
    let delayed = small
        .replace("\ndelays = 0.0", "\ndelays = 2.0")
        .replace("kind = \"dense\"", "kind = \"dense\"\ndelays.constant = 0.0");
    fs::write(at.join("delayed.toml"), delayed).unwrap();
    let out = ["--out", "plain.safetensors"];
    let import = ["import", "small.nir", "--config", "delayed.toml"];
    stdout(&eventprop(at, &[&import[..], &out].concat()));
    assert_eq!(load("plain.safetensors").config.training.learning_rates.delays, 0.0);

    // For a simulator with steps, and back: to rounding.
    stdout(&eventprop(at, &["export", "runs/latest", "--dt", "0.1", "--out", "steps.nir"]));
    let import = ["import", "steps.nir", "--config", "small.toml", "--dt", "0.1"];
    stdout(&eventprop(at, &import));
    let steps = load("steps.safetensors").parameters;
    let weights = |p: &eventprop::lif_core::Parameters<f32>| p.connections[0].weights.clone();
    for (own, other) in weights(&steps).iter().zip(weights(&before.parameters)) {
        assert!((own - other).abs() <= 1e-6 * other.abs(), "{own} {other}");
    }

    // In double precision, with samples.
    let json =
        ["import", "small.nir", "--config", "small.toml", "--out", "p.json", "--samples", "3"];
    stdout(&eventprop(at, &json));
    let problem = Problem::parse(&fs::read(at.join("p.json")).unwrap()).unwrap();
    assert!(problem.parameters == before.parameters.cast());
    assert_eq!(problem.samples.len(), 3);
    assert!(!problem.samples[0].spikes.is_empty());
    assert_eq!(stdout(&eventprop(at, &["export", "p.json"])), "p.nir\n");
    stdout(&eventprop(at, &["import", "p.nir", "--out", "again.json"]));
    let again = Problem::parse(&fs::read(at.join("again.json")).unwrap()).unwrap();
    assert!(again.parameters == problem.parameters && again.network == problem.network);
}

#[test]
fn numbers_out_of_range_are_named() {
    let folder = workplace();
    for (arguments, expected) in [
        (&["import", "x.nir", "--dt", "-1"][..], "a step is a positive number of ms"),
        (&["export", "mnist", "--dt", "-1"], "a step is a positive number of ms"),
        (&["import", "x.nir", "--out", "y.json", "--samples", "0"], "at least 1"),
    ] {
        let message = refusal(folder.path(), arguments);
        assert!(message.contains(expected), "{message}");
    }
}

#[test]
fn what_has_no_equal_is_refused_in_one_line() {
    let folder = workplace();
    let at = folder.path();
    let fixture = |name: &str| {
        let data = concat!(env!("CARGO_MANIFEST_DIR"), "/../eventprop-nir/tests/data");
        fs::copy(format!("{data}/{name}"), at.join(name)).unwrap();
    };
    fixture("recurrent.nir");
    for (arguments, expected) in [
        (&["import", "missing.nir"][..], "cannot read missing.nir"),
        (&["import", "small.toml"], "small.toml: this is no usable NIR file"),
        (&["import", "recurrent.nir"], "give a duration"),
        (&["import", "recurrent.nir", "--duration=-1"], "duration: must be positive"),
        (&["import", "recurrent.nir", "--duration", "9", "--preset", "seed"], "clock-driven"),
        (&["import", "recurrent.nir", "--duration", "9", "--preset", "yin-yang"], "needs a lif"),
        (
            &["import", "recurrent.nir", "--duration", "9", "--out", "x.json", "--samples", "1"],
            "3 neurons",
        ),
        (&["export", "missing"], "there is no file missing"),
        (&["export", "seed"], "clock-driven"),
    ] {
        let message = refusal(at, arguments);
        assert!(message.contains(expected), "{arguments:?}: {message}");
    }
    let help = eventprop(at, &["import", "recurrent.nir", "--dt", "0"]);
    assert!(String::from_utf8_lossy(&help.stderr).contains("a positive number of ms"));
    let output = eventprop(at, &["import", "recurrent.nir", "--duration", "9"]);
    assert!(String::from_utf8_lossy(&output.stderr).starts_with("note: node \"fc\": its bias"));
}
