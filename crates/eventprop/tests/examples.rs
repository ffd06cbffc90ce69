//! The examples run and print what they promise. `cargo test` builds them before it runs this.
#![cfg(all(feature = "cpu", feature = "plot"))]

use std::path::{Path, PathBuf};
use std::process::Command;

/// Beside the folder of this test's own program.
fn program(example: &str) -> PathBuf {
    let own = std::env::current_exe().unwrap();
    let folder = own.ancestors().nth(2).unwrap().join("examples");
    folder.join(example).with_extension(std::env::consts::EXE_EXTENSION)
}

fn run(at: &Path, example: &str, arguments: &[&str]) -> String {
    let program = program(example);
    assert!(program.exists(), "build it first: cargo build --profile test --examples");
    let output = Command::new(program).args(arguments).current_dir(at).output().unwrap();
    assert!(output.status.success(), "{example}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The test accuracy in percent of the last epoch that was printed.
fn accuracy(text: &str) -> f64 {
    let line = text.lines().rfind(|line| line.starts_with("epoch ")).unwrap();
    let (_, test) = line.split_once("  test ").unwrap();
    test.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn trainings_learn() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let text = run(at, "train_from_code", &["3", "2000", "kept.safetensors"]);
    assert!(accuracy(&text) > 60.0, "{text}");
    assert!(eventprop::Checkpoint::load(&at.join("kept.safetensors")).is_ok());
    for example in ["own_data", "own_loss"] {
        let text = run(at, example, &[]);
        assert!(accuracy(&text) > 90.0, "{example}: {text}");
    }
}

#[test]
fn gradients_agree_with_differences() {
    let folder = tempfile::tempdir().unwrap();
    let text = run(folder.path(), "gradients", &[]);
    let pairs = text.lines().filter_map(|line| line.split_once(", by differences "));
    let mut count = 0;
    for (exact, difference) in pairs {
        let exact: f64 = exact.rsplit(' ').next().unwrap().parse().unwrap();
        let difference: f64 = difference.parse().unwrap();
        assert!((exact - difference).abs() < 1e-6, "{text}");
        count += 1;
    }
    assert_eq!(count, 8, "{text}");
}

#[test]
fn a_raster_is_drawn() {
    let folder = tempfile::tempdir().unwrap();
    run(folder.path(), "raster", &["picture.svg"]);
    let svg = std::fs::read_to_string(folder.path().join("picture.svg")).unwrap();
    assert!(svg.starts_with("<svg") && svg.matches("<circle").count() > 100);
}
