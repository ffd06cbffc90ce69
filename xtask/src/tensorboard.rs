use crate::{native, pypi, root};
use anyhow::{Context, Result};
use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode};

/// Train with `--tensorboard`, read the event file with the real TensorBoard, and compare every scalar
/// with metrics.jsonl.
///
/// TensorBoard comes from PyPI into `target/tensorboard`.
#[derive(clap::Args)]
pub(crate) struct Args {}

const PACKAGES: [&str; 2] = ["tensorboard==2.20.0", "setuptools<81"];

/// Reads both files of a run and compares them.
const COMPARE: &str = r#"
import json, math, sys
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

run = sys.argv[1]
events = EventAccumulator(run, size_guidance={"scalars": 0})
events.Reload()
records = [json.loads(line) for line in open(f"{run}/metrics.jsonl")]
wanted = {
    "loss/training": lambda r: r["train_loss"],
    "loss/test": lambda r: r["test"]["loss"],
    "loss/validation": lambda r: r["validation"]["loss"],
    "accuracy/training": lambda r: r["train_accuracy"],
    "accuracy/test": lambda r: r["test"]["accuracy"],
    "accuracy/validation": lambda r: r["validation"]["accuracy"],
    "learning_rate": lambda r: r["lr"],
    "grazing_spikes": lambda r: r["grazing"],
    "clipped_gradients": lambda r: r["clipped"],
    "samples_per_second": lambda r: r["samples"] / r["seconds"],
}
for position, layer in enumerate(records[0]["layers"]):
    name = layer["layer"]
    wanted[f"spikes_per_sample/{name}"] = lambda r, p=position: r["layers"][p]["spikes_per_sample"]
    wanted[f"silent_neurons/{name}"] = lambda r, p=position: r["layers"][p]["silent"]
assert sorted(events.Tags()["scalars"]) == sorted(wanted), events.Tags()["scalars"]
count = 0
for tag, value in wanted.items():
    scalars = events.Scalars(tag)
    assert [scalar.step for scalar in scalars] == [record["epoch"] for record in records], tag
    for scalar, record in zip(scalars, records):
        assert math.isclose(scalar.value, value(record), rel_tol=1e-6), (tag, scalar, record)
        count += 1
print(f"TensorBoard reads {count} values of {len(wanted)} curves, all as in metrics.jsonl")
"#;

pub(crate) fn run(Args {}: &Args) -> Result<ExitCode> {
    let python = pypi::environment("tensorboard", &PACKAGES)?.join("bin/python");
    let runs = root()?.join("target").join("tensorboard-runs");
    if runs.exists() {
        fs::remove_dir_all(&runs)?;
    }
    let program = native::eventprop()?;
    train(&program, &runs, &["--preset", "yin-yang", "--epochs", "2", "--tensorboard"])?;
    let latest = fs::canonicalize(runs.join("latest")).context("there is no run")?;
    native::pass_on(Command::new(python).args(["-c", COMPARE]).arg(latest))
}

fn train(program: &Path, runs: &Path, arguments: &[&str]) -> Result<()> {
    let mut train = Command::new(program);
    train.args(["train", "--quiet", "--run-dir"]).arg(runs).args(arguments);
    native::execute(&mut train)
}
