//! A training that was killed, interrupted or that could not write, and what becomes of it.
#![cfg(all(feature = "cpu", unix))]

mod common;

use common::{command, eventprop, refusal, stdout, workplace, write_set};
use eventprop::Checkpoint;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

const KILLS: u32 = 20;

/// A training of 3 epochs of 30 batches.
const TRAIN: [&str; 8] =
    ["train", "small.toml", "--epochs", "3", "--batch-size", "5", "--checkpoint-every", "1"];

/// What a run left that wall time has no part in.
#[derive(PartialEq)]
struct Left {
    checkpoint: Checkpoint,
    jsonl: Vec<String>,
    csv: Vec<String>,
    log: String,
    config: String,
    files: Vec<String>,
}

impl Left {
    fn read(run: &Path) -> Self {
        let text = |name: &str| fs::read_to_string(run.join(name)).unwrap();
        let mut checkpoint = Checkpoint::load(&run.join("checkpoint.safetensors")).unwrap();
        checkpoint.progress.sums.seconds = 0.0;
        checkpoint.progress.history.iter_mut().for_each(|record| record.seconds = 0.0);
        let cut = |name: &str, before: &str| {
            let text = text(name);
            let lines = text.lines().map(|line| line.rsplit_once(before).unwrap().0.to_string());
            lines.collect()
        };
        let mut files: Vec<_> = fs::read_dir(run)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        files.sort();
        Self {
            checkpoint,
            jsonl: cut("metrics.jsonl", "\"seconds\":"),
            csv: cut("metrics.csv", ","),
            log: text("log.txt"),
            config: text("config.toml"),
            files,
        }
    }

    #[track_caller]
    fn assert_equals(&self, other: &Self) {
        assert_eq!(self.files, other.files);
        assert_eq!(self.jsonl, other.jsonl);
        assert_eq!(self.csv, other.csv);
        assert_eq!(self.log, other.log);
        assert_eq!(self.config, other.config);
        assert!(self.checkpoint == other.checkpoint, "weights or optimiser differ");
    }
}

fn spawn(mut command: Command) -> Child {
    command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Waits until the run in `folder` has a checkpoint.
fn wait_for_checkpoint(folder: &Path) -> PathBuf {
    let start = Instant::now();
    let latest = folder.join("runs/latest");
    while !latest.join("checkpoint.safetensors").exists() {
        assert!(start.elapsed() < Duration::from_secs(60), "no checkpoint appeared");
        sleep(Duration::from_millis(2));
    }
    fs::canonicalize(latest).unwrap()
}

fn uninterrupted(at: &Path) -> (Left, Duration) {
    let start = Instant::now();
    stdout(&eventprop(at, &[&TRAIN[..], &["--run-dir", "whole"]].concat()));
    (Left::read(&at.join("whole/latest")), start.elapsed())
}

#[test]
fn killed_at_twenty_moments_and_resumed_it_ends_with_the_same_bits() {
    let folder = workplace();
    let at = folder.path();
    let (whole, time) = uninterrupted(at);
    // Moments spread over a third of a training by the golden ratio: about seven trainings' worth.
    let mut moment = 0.1_f64;
    let (mut kills, mut rounds, mut half_written) = (0, 0, 0);
    while kills < KILLS {
        rounds += 1;
        assert!(rounds < 40, "the trainings end before they are killed");
        let run_dir = format!("killed-{rounds}");
        let latest = at.join(&run_dir).join("latest");
        let mut resumed = false;
        loop {
            let arguments = match resumed {
                true => vec!["train", "--resume", latest.to_str().unwrap(), "--checkpoint-every=1"],
                false => [&TRAIN[..], &["--run-dir", &run_dir]].concat(),
            };
            let mut child = spawn(command(at, &arguments));
            moment = (moment + 0.618_033_988_75).fract();
            if kills < KILLS {
                sleep(time.mul_f64(0.35 * moment));
                child.kill().unwrap();
            }
            let output = child.wait_with_output().unwrap();
            if output.status.success() {
                break;
            }
            let message = String::from_utf8_lossy(&output.stderr);
            assert!(!message.contains("error"), "{arguments:?}: {message}");
            kills += 1;
            // Killed before there was anything: the next training is as new.
            resumed = latest.join("config.toml").exists();
            if let Ok(entries) = fs::read_dir(&latest) {
                let half =
                    |name: std::ffi::OsString| name.to_string_lossy().starts_with(".writing");
                half_written +=
                    entries.filter(|entry| half(entry.as_ref().unwrap().file_name())).count();
            }
        }
        Left::read(&latest).assert_equals(&whole);
    }
    println!(
        "{kills} kills in {rounds} runs, {half_written} of them while a file was being written"
    );
}

#[test]
fn ctrl_c_ends_with_a_checkpoint_and_says_how_to_go_on() {
    let folder = workplace();
    let at = folder.path();
    let (whole, _) = uninterrupted(at);
    for signal in ["INT", "TERM"] {
        let child = spawn(command(at, &TRAIN));
        wait_for_checkpoint(at);
        let id = child.id().to_string();
        assert!(Command::new("kill").args(["-s", signal, &id]).status().unwrap().success());
        let output = child.wait_with_output().unwrap();
        let message = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(130), "{message}");
        let (_, way) = message.split_once("to go on: eventprop ").unwrap();
        stdout(&eventprop(at, &way.split_whitespace().collect::<Vec<_>>()));
        Left::read(&at.join("runs/latest")).assert_equals(&whole);
        fs::remove_dir_all(at.join("runs")).unwrap();
    }
}

#[test]
fn a_disk_that_is_full_leaves_the_last_good_checkpoint() {
    let folder = workplace();
    let at = folder.path();
    // Files grow with each epoch past what this shell lets a file hold: as if the disk were full.
    let long = fs::read_to_string(at.join("small.toml")).unwrap();
    let long = long.replace("\"hidden\"", &format!("\"{}\"", "h".repeat(9000)));
    fs::write(at.join("long.toml"), long.replace("name = \"small\"", "name = \"long\"")).unwrap();
    let one = ["train", "long.toml", "--epochs", "1", "--run-dir", "one", "--quiet"];
    stdout(&eventprop(at, &one));
    let checkpoint = fs::metadata(at.join("one/latest/checkpoint.safetensors")).unwrap().len();
    let blocks = (checkpoint + 5 * 9000) / 1024;
    let script = format!(
        "trap '' XFSZ; ulimit -f {blocks}; exec {} train long.toml --epochs 30 --checkpoint-every 1",
        env!("CARGO_BIN_EXE_eventprop")
    );
    let output = Command::new("bash").args(["-c", &script]).current_dir(at).output().unwrap();
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{message}");
    assert!(message.contains("cannot write") && message.contains("File too large"), "{message}");
    assert!(message.contains("the last good checkpoint (epoch"), "{message}");
    // It is whole, and a training goes on from it once there is room.
    let run = at.join("runs/latest");
    let left = Checkpoint::load(&run.join("checkpoint.safetensors")).unwrap();
    assert!(left.progress.epoch < 30);
    stdout(&eventprop(at, &["train", "--resume", "runs/latest", "--quiet"]));
    let files = fs::read_dir(&run).unwrap().map(|entry| entry.unwrap().file_name());
    assert!(files.into_iter().all(|name| !name.to_string_lossy().starts_with(".writing")));
}

#[test]
fn a_loss_that_is_not_finite_names_its_place_and_leaves_the_last_good_checkpoint() {
    let folder = workplace();
    let at = folder.path();
    let good = |place: &str, batch: usize, message: &str| {
        assert!(
            message.contains(&format!("; the last good checkpoint ({place}) is ")),
            "{message}"
        );
        let left = Checkpoint::load(&at.join("runs/latest/checkpoint.safetensors")).unwrap();
        assert_eq!((left.progress.epoch, left.progress.batch), (0, batch));
    };
    // Voltages of the readout overflow.
    let text = fs::read_to_string(at.join("small.toml")).unwrap();
    fs::write(at.join("huge.toml"), text.replace("mean = 0.2", "mean = 3e38")).unwrap();
    let message = refusal(at, &["train", "huge.toml"]);
    for part in ["error: epoch 1, batch 1, training sample ", "layer \"output\"", "not finite"] {
        assert!(message.contains(part), "{part} is missing: {message}");
    }
    good("after epoch 0", 0, &message);
    // An update makes neurons spike without bound.
    let message = refusal(at, &[&TRAIN[..], &["--lr", "3e37"]].concat());
    let part = "error: epoch 1, batch 2, training sample ";
    assert!(message.contains(part) && message.contains("layer \"hidden\" ran away"), "{message}");
    good("epoch 1, batch 1", 1, &message);
}

/// A finished run of two epochs in `runs/latest`.
fn finished(at: &Path) {
    stdout(&eventprop(at, &["train", "small.toml", "--epochs", "2", "--quiet"]));
}

#[test]
fn a_configuration_that_was_changed_is_refused() {
    let folder = workplace();
    let at = folder.path();
    finished(at);
    let path = at.join("runs/latest/config.toml");
    let text = fs::read_to_string(&path).unwrap();
    let resume = ["train", "--resume", "runs/latest", "--quiet"];
    fs::write(&path, text.replace("lr = 0.005", "lr = 0.5")).unwrap();
    let message = refusal(at, &resume);
    let expected = "training.lr is 0.5, the run was made with 0.005";
    assert!(message.contains(expected), "{message}");
    assert!(message.contains("eventprop train runs/latest/config.toml"), "{message}");
    let longer = ["train", "--resume", "runs/latest", "--epochs", "9"];
    assert!(refusal(at, &longer).contains(expected));
    fs::write(&path, "no configuration").unwrap();
    assert!(refusal(at, &resume).contains("config.toml:1:"));
    fs::remove_file(&path).unwrap();
    stdout(&eventprop(at, &resume));
}

#[test]
fn a_run_goes_on_with_its_data_elsewhere_and_other_threads() {
    let folder = workplace();
    let at = folder.path();
    finished(at);
    fs::rename(at.join("bars"), at.join("moved")).unwrap();
    let resume = ["train", "--resume", "runs/latest", "--quiet", "--data-folder"];
    let moved = [&resume[..], &["moved", "--threads", "1"]].concat();
    stdout(&eventprop(at, &moved));
    // It has them there from now on.
    stdout(&eventprop(at, &resume[..4]));
    fs::create_dir(at.join("others")).unwrap();
    write_set(&at.join("others"), "train", (90, 6, 3), false);
    write_set(&at.join("others"), "t10k", (30, 6, 3), false);
    let message = refusal(at, &[&resume[..], &["others"]].concat());
    assert!(message.contains("90 training samples where the run has had 150"), "{message}");
}

#[test]
fn more_epochs_are_a_new_run_and_the_same_as_all_at_once() {
    let folder = workplace();
    let at = folder.path();
    finished(at);
    let message = refusal(at, &["train", "--resume", "runs/latest", "--epochs", "2"]);
    assert!(message.contains("has 2 behind it"), "{message}");
    // The old run can lie anywhere: the new one is beside others.
    let longer = ["train", "--resume", "runs/latest", "--epochs", "4", "--run-dir", "more"];
    stdout(&eventprop(at, &longer));
    let text = fs::read_to_string(at.join("more/latest/config.toml")).unwrap();
    assert!(text.contains("epochs = 4"), "{text}");
    let old = Checkpoint::load(&at.join("runs/latest/checkpoint.safetensors")).unwrap();
    assert_eq!(old.progress.epoch, 2, "the old run must stay as it was");
    // Its schedule knows nothing of the number of epochs.
    let whole = ["train", "small.toml", "--epochs", "4", "--quiet", "--run-dir", "whole"];
    stdout(&eventprop(at, &whole));
    Left::read(&at.join("more/latest")).assert_equals(&Left::read(&at.join("whole/latest")));
}

#[test]
fn a_finished_run_that_is_resumed_tells_the_same_of_itself() {
    let folder = workplace();
    let at = folder.path();
    finished(at);
    let watch = || stdout(&eventprop(at, &["watch", "--once"]));
    let before = watch();
    stdout(&eventprop(at, &["train", "--resume", "runs/latest", "--quiet"]));
    let end = |line: &str| line.split(", ").take(4).map(String::from).collect::<Vec<_>>();
    assert_eq!(end(&watch()), end(&before));
}

#[test]
fn a_training_whose_output_is_not_read_says_how_to_go_on() {
    let folder = workplace();
    let at = folder.path();
    // More lines than a pipe holds.
    let mut command = command(at, &["train", "small.toml", "--epochs", "4000"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // What is trained, and the first epoch.
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert_eq!(lines.take(2).filter_map(Result::ok).count(), 2);
    let output = child.wait_with_output().unwrap();
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{message}");
    assert!(message.contains("cannot write to standard output"), "{message}");
    assert!(message.contains("to go on: eventprop train --resume runs/"), "{message}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_under_standard_output_is_named() {
    let folder = workplace();
    for arguments in [&["info"][..], &["train", "small.toml"], &["data", "list"]] {
        let full = fs::File::options().write(true).open("/dev/full").unwrap();
        let output = command(folder.path(), arguments).stdout(full).output().unwrap();
        let message = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{message}");
        assert!(message.contains("cannot write to standard output: No space"), "{message}");
    }
}

#[test]
fn a_folder_that_vanishes_is_an_error() {
    let folder = workplace();
    let at = folder.path();
    let child = spawn(command(at, &TRAIN));
    let run = wait_for_checkpoint(at);
    fs::rename(&run, at.join("elsewhere")).unwrap();
    let output = child.wait_with_output().unwrap();
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{message}");
    assert!(message.contains("error: cannot write checkpoint"), "{message}");
    assert!(!run.exists());
    // What was moved away is as good as ever.
    stdout(&eventprop(at, &["train", "--resume", "elsewhere", "--quiet"]));
}

#[test]
fn a_run_has_one_training_at_a_time_and_a_checkpoint_elsewhere_begins_a_new_one() {
    let folder = workplace();
    let at = folder.path();
    let mut child = spawn(command(at, &TRAIN));
    let run = wait_for_checkpoint(at);
    let message = refusal(at, &["train", "--resume", run.to_str().unwrap()]);
    assert!(message.contains("is in use"), "{message}");
    child.kill().unwrap();
    child.wait().unwrap();

    fs::copy(run.join("checkpoint.safetensors"), at.join("kept.safetensors")).unwrap();
    let branch = ["train", "--resume", "kept.safetensors", "--run-dir", "branch", "--quiet"];
    stdout(&eventprop(at, &branch));
    stdout(&eventprop(at, &["train", "--resume", "runs/latest", "--quiet"]));
    let (one, two) = (Left::read(&at.join("branch/latest")), Left::read(&run));
    one.assert_equals(&two);
}
