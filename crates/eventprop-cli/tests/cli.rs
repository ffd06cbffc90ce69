//! The command as a user meets it, on a small image set that the test writes.
#![cfg(feature = "cpu")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use tempfile::TempDir;

/// Images of 6 x 6, a third of each bright: which third is the class.
fn write_set(folder: &Path, half: &str, count: usize, gzip: bool) {
    let (mut images, mut labels) = (vec![0, 0, 8, 3], vec![0, 0, 8, 1]);
    for size in [count, 6, 6] {
        images.extend((size as u32).to_be_bytes());
    }
    labels.extend((count as u32).to_be_bytes());
    for image in 0..count {
        let class = image % 3;
        labels.push(class as u8);
        for pixel in 0..36 {
            let noise = ((image * 7 + pixel * 13) % 60) as u8;
            images.push(if pixel / 12 == class { 195 + noise } else { noise });
        }
    }
    for (kind, bytes) in [("images-idx3", images), ("labels-idx1", labels)] {
        let name = format!("{half}-{kind}-ubyte");
        if gzip {
            let file = fs::File::create(folder.join(name + ".gz")).unwrap();
            let mut encoder = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
            std::io::Write::write_all(&mut encoder, &bytes).unwrap();
            encoder.finish().unwrap();
        } else {
            fs::write(folder.join(name), bytes).unwrap();
        }
    }
}

/// A folder with the set `bars` and the configuration `small.toml`.
fn workplace() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let bars = folder.path().join("bars");
    fs::create_dir(&bars).unwrap();
    write_set(&bars, "train", 150, false);
    write_set(&bars, "t10k", 30, true);
    let print = ["train", "--preset", "mnist-paper", "--print-config", "--data-folder", "bars"];
    let text = stdout(&eventprop(folder.path(), &print));
    let small = text
        .replace("name = \"mnist-paper\"", "name = \"small\"")
        .replace("validation = 5000", "validation = 0")
        .replace("size = 784", "size = 36")
        .replace("size = 350", "size = 24")
        .replace("size = 10", "size = 3")
        .replace("mean = 0.078", "mean = 0.6");
    fs::write(folder.path().join("small.toml"), small).unwrap();
    folder
}

fn eventprop(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_eventprop"));
    command.args(arguments).current_dir(folder).output().unwrap()
}

#[track_caller]
fn stdout(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{}", text(&output.stderr));
    text(&output.stdout)
}

/// The one line that a refusal prints.
#[track_caller]
fn refusal(folder: &Path, arguments: &[&str]) -> String {
    let output = eventprop(folder, arguments);
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {message}");
    let errors: Vec<_> = message.lines().filter(|line| !line.starts_with("warning: ")).collect();
    assert!(errors.len() == 1 && errors[0].starts_with("error: "), "{arguments:?}: {message}");
    errors[0].to_string()
}

#[test]
fn trains_evaluates_and_resumes() {
    let folder = workplace();
    let at = folder.path();
    let small = ["train", "small.toml", "--epochs", "4", "--batch_size", "5", "--print_freq", "10"];
    let text = stdout(&eventprop(at, &small));
    assert!(text.contains("small (36-24-3), 150 training and 30 test samples"), "{text}");
    assert_eq!(text.lines().filter(|line| line.contains("batch    10/30")).count(), 4, "{text}");
    let epochs: Vec<_> = text.lines().filter(|line| line.contains("  test ")).collect();
    assert_eq!(epochs.len(), 4, "{text}");
    assert!(epochs[3].contains("hidden") && epochs[3].contains("silent"), "{text}");
    let last = text.lines().last().unwrap();
    assert!(last.starts_with("test accuracy ") && last.contains("-small-1"), "{text}");

    let run = at.join("runs/latest");
    assert_eq!(fs::read_to_string(run.join("metrics.jsonl")).unwrap().lines().count(), 4);
    assert_eq!(fs::read_to_string(run.join("metrics.csv")).unwrap().lines().count(), 5);

    // The same accuracy from the checkpoint, on the folder and on the pair of files.
    let accuracy = last.split(' ').nth(2).unwrap();
    let text = stdout(&eventprop(at, &["eval", "runs/latest"]));
    assert!(text.contains(&format!("accuracy  {accuracy} %")), "{text} is not {last}");
    let (images, labels) = ("bars/t10k-images-idx3-ubyte.gz", "bars/t10k-labels-idx1-ubyte.gz");
    let checkpoint = "runs/latest/checkpoint.safetensors";
    let pair = ["eval", checkpoint, "--images", images, "--labels", labels];
    assert_eq!(stdout(&eventprop(at, &pair)), text);

    // The written configuration makes the same weights again; a run resumed after its end is done.
    let parameters = |path: &str| eventprop::Checkpoint::load(&at.join(path)).unwrap().parameters;
    stdout(&eventprop(at, &["train", "runs/latest/config.toml", "--quiet", "--run-dir", "again"]));
    assert!(parameters("again/latest/checkpoint.safetensors") == parameters(checkpoint));
    let text = stdout(&eventprop(at, &["train", "--resume", "runs/latest", "--quiet"]));
    assert!(text.starts_with(&format!("test accuracy {accuracy} %")), "{text}");
}

#[test]
fn bad_input_is_refused_in_one_line() {
    let folder = workplace();
    let at = folder.path();
    for (arguments, expected) in [
        (&["train", "--preset", "mnits"][..], "did you mean \"mnist\"?"),
        (&["train", "missing.toml"], "cannot read configuration missing.toml"),
        (&["train", "--xi", "0.5"], "--xi means nothing for \"mnist\""),
        (&["train", "--dt", "0.5"], "--dt means nothing for \"mnist\""),
        (&["train", "--lr=-1"], "training.lr: must be positive"),
        (&["train", "--tau_m", "nan"], "network.layers[1].tau_mem"),
        (&["train", "small.toml", "--device", "cuda"], "backend cuda"),
        (&["train", "small.toml", "--backend", "reference"], "backend reference"),
        (&["train", "small.toml", "--data-folder", "missing"], "missing"),
        (&["train", "--data-folder", "bars"], "has 784 neurons, the data 36 inputs"),
        (&["train", "small.toml", "--run-dir", "small.toml"], "cannot write run folder"),
        (&["train", "--resume", "missing"], "cannot read checkpoint missing"),
        (&["eval", "missing"], "cannot read checkpoint missing"),
        (&["eval", "small.toml"], "small.toml: this is no usable checkpoint"),
    ] {
        let message = refusal(at, arguments);
        assert!(message.contains(expected), "{arguments:?}: {message}");
    }
    assert!(!at.join("runs").exists(), "a refused run must leave nothing behind");
}

#[test]
fn bad_files_are_refused_in_one_line() {
    let folder = workplace();
    let at = folder.path();
    let (images, labels) = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte");
    type Damage = fn(&mut Vec<u8>);
    let damages: [(&str, Damage); 6] = [
        (images, |bytes| bytes.truncate(100)),
        (images, |bytes| bytes[2] = 9),
        (images, |bytes| bytes[4..8].fill(0xff)),
        (images, |bytes| bytes.push(0)),
        (labels, |bytes| bytes.truncate(60)),
        (labels, |bytes| bytes[20] = 200),
    ];
    for (file, damage) in damages {
        let path = at.join("bars").join(file);
        let whole = fs::read(&path).unwrap();
        let mut bytes = whole.clone();
        damage(&mut bytes);
        fs::write(&path, bytes).unwrap();
        let message = refusal(at, &["train", "small.toml"]);
        fs::write(&path, whole).unwrap();
        assert!(message.contains("bars") || message.contains("classes"), "{message}");
    }
    let text = fs::read_to_string(at.join("small.toml")).unwrap();
    fs::write(at.join("wrong.toml"), text.replace("epochs =", "epoch =")).unwrap();
    let message = refusal(at, &["train", "wrong.toml"]);
    assert!(message.contains("wrong.toml:"), "{message}");
    assert!(message.contains("did you mean \"epochs\"?"), "{message}");
}
