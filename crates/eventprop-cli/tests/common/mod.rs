//! A folder with a small image set and a configuration, and the command in it.
// Each test file uses a part of it.
#![allow(dead_code)]

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;

/// Square images with one bright band each: which band is the class.
pub(crate) fn write_set(
    folder: &Path,
    half: &str,
    (count, side, classes): (usize, usize, usize),
    gzip: bool,
) {
    let (mut images, mut labels) = (vec![0, 0, 8, 3], vec![0, 0, 8, 1]);
    for size in [count, side, side] {
        images.extend((size as u32).to_be_bytes());
    }
    labels.extend((count as u32).to_be_bytes());
    for image in 0..count {
        let class = image % classes;
        labels.push(class as u8);
        for pixel in 0..side * side {
            let noise = ((image * 7 + pixel * 13) % 60) as u8;
            images.push(if pixel * classes / (side * side) == class { 195 + noise } else { noise });
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
pub(crate) fn workplace() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let bars = folder.path().join("bars");
    fs::create_dir(&bars).unwrap();
    write_set(&bars, "train", (150, 6, 3), false);
    write_set(&bars, "t10k", (30, 6, 3), true);
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

pub(crate) fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_eventprop"));
    command.args(arguments).current_dir(folder).stdin(Stdio::null());
    command
}

pub(crate) fn eventprop(folder: &Path, arguments: &[&str]) -> Output {
    command(folder, arguments).output().unwrap()
}

#[track_caller]
pub(crate) fn stdout(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{}", text(&output.stderr));
    text(&output.stdout)
}

/// The one line that a refusal prints.
#[track_caller]
pub(crate) fn refusal(folder: &Path, arguments: &[&str]) -> String {
    let output = eventprop(folder, arguments);
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {message}");
    let errors: Vec<_> = message.lines().filter(|line| !line.starts_with("warning: ")).collect();
    assert!(errors.len() == 1 && errors[0].starts_with("error: "), "{arguments:?}: {message}");
    errors[0].to_string()
}
