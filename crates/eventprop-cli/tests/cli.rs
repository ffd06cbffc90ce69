//! The command as a user meets it, on a small image set that the test writes.
#![cfg(feature = "cpu")]

mod common;

use common::{eventprop, refusal, stdout, workplace};
use std::fs;

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

/// A link is not replaced, and what is no file is written to.
#[cfg(unix)]
#[test]
fn outputs_go_where_their_path_leads() {
    let folder = workplace();
    let at = folder.path();
    std::os::unix::fs::symlink("fields.svg", at.join("link.svg")).unwrap();
    stdout(&eventprop(at, &["plot", "weights", "small.toml", "--out", "link.svg"]));
    assert!(at.join("link.svg").is_symlink() && at.join("fields.svg").is_file());
    let pipe = at.join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let from = pipe.clone();
    let reader = std::thread::spawn(move || fs::read(from).unwrap());
    stdout(&eventprop(at, &["plot", "weights", "small.toml", "--out", "pipe"]));
    assert_eq!(reader.join().unwrap(), fs::read(at.join("fields.svg")).unwrap());
    assert!(!pipe.is_file());
}

#[test]
fn eval_refuses_a_folder_of_data_that_are_drawn() {
    let folder = workplace();
    let at = folder.path();
    let draws = "data.draws.train={size=32,seed=1}";
    let train = ["train", "--preset", "yin-yang", "--set", draws, "--epochs", "1", "--quiet"];
    stdout(&eventprop(at, &train));
    let message = refusal(at, &["eval", "runs/latest", "--data-folder", "/nonexistent"]);
    assert!(message.contains("data.folder: yin_yang is drawn, not read"), "{message}");
}

#[test]
fn json_configurations_are_drawn_like_others() {
    let folder = workplace();
    let at = folder.path();
    let config = eventprop::Config::load(&at.join("small.toml")).unwrap();
    fs::write(at.join("small.json"), serde_json::to_string(&config).unwrap()).unwrap();
    stdout(&eventprop(at, &["plot", "weights", "small.json"]));
    assert!(refusal(at, &["eval", "small.json"]).contains("small.json is no checkpoint"));
}

#[test]
fn json_is_json_and_nothing_else() {
    let folder = workplace();
    let at = folder.path();
    let text = stdout(&eventprop(at, &["train", "small.toml", "--epochs", "2", "--json"]));
    let lines: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 3, "{text}");
    assert_eq!(lines[1]["epoch"], 2);
    assert_eq!(lines[1]["test"]["accuracy"], lines[2]["test_accuracy"]);
    for command in [&["eval", "runs/latest", "--json"][..], &["info", "--json"]] {
        let text = stdout(&eventprop(at, command));
        assert!(serde_json::from_str::<serde_json::Value>(&text).is_ok(), "{text}");
    }
}

#[test]
fn pages_and_completions_are_written_for_every_command() {
    let folder = workplace();
    let at = folder.path();
    stdout(&eventprop(at, &["man", "man1"]));
    for page in ["eventprop", "eventprop-train", "eventprop-plot-trace", "eventprop-data-fetch"] {
        let text = fs::read_to_string(at.join("man1").join(page).with_extension("1")).unwrap();
        assert!(text.contains(".SH NAME"), "{page}");
    }
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let text = stdout(&eventprop(at, &["completions", shell]));
        assert!(text.contains("checkpoint-every"), "{shell}");
    }
}

#[test]
fn nothing_is_coloured_where_no_terminal_is() {
    let folder = workplace();
    for arguments in [&["train", "--help"][..], &["train", "--no-such-flag"], &["info"]] {
        let output = eventprop(folder.path(), arguments);
        assert!(!output.stdout.contains(&0x1b) && !output.stderr.contains(&0x1b), "{arguments:?}");
    }
}

#[cfg(feature = "fetch")]
#[test]
fn a_data_set_that_cannot_be_fetched_says_why() {
    let folder = workplace();
    let at = folder.path();
    let fetch = |name: &'static str| ["data", "fetch", name, "--from", "http://127.0.0.1:1/"];
    for (name, expected) in [
        (
            "kmnist",
            "cannot fetch http://127.0.0.1:1/train-images-idx3-ubyte.gz; the same command goes on",
        ),
        ("shd", "https://zenkelab.org/datasets"),
        ("mnits", "there are: fashion-mnist, kmnist"),
    ] {
        let output = common::command(at, &fetch(name))
            .env("EVENTPROP_DATA", at.join("cache"))
            .output()
            .unwrap();
        let message = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{message}");
        assert!(message.contains(expected), "{message}");
    }
    assert!(!at.join("cache/kmnist").exists(), "nothing came, and something stays");
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
        (&["train", "--resume", "bars"], "bars is no run"),
        (&["train", "--resume", "bars", "--run-dir", "x"], "leave --run-dir out"),
        (&["train", "--resume", "bars", "--lr", "1"], "keeps its configuration"),
        (&["eval", "missing"], "cannot read checkpoint missing"),
        (&["eval", "small.toml"], "small.toml is no checkpoint"),
        (&["eval", "bars/t10k-images-idx3-ubyte.gz"], "gz: this is no usable checkpoint"),
        (&["train", "--resume", "small.toml"], "small.toml is no checkpoint"),
        (&["train", "--resume", "bars", "--epochs", "9"], "cannot read checkpoint bars/"),
        (&["train", "small.toml", "--threads", "100000"], "training.threads: at most "),
        (
            &["train", "--preset", "seed", "--t-max", "1e39"],
            "encoding.two_time.t_max: must be at most",
        ),
        (&["info", "--data-folder", "missing"], "missing: cannot be read"),
        (&["plot", "confusion", "yin-yang", "--data-folder", "bars"], "yin_yang is drawn"),
        (&["plot", "raster", "small.toml", "--data-folder", "missing"], "missing"),
        (&["plot", "raster", "small.toml", "--sample", "-1"], "a whole number from 0 on"),
        (&["train", "bars"], "bars is a folder, not a configuration"),
        (&["train", "bars/t10k-images-idx3-ubyte.gz"], "is no text, and so no configuration"),
        (
            &["train", "small.toml", "--set", "training.slop_floor=1"],
            "did you mean \"slope_floor\"?",
        ),
        (&["train", "small.toml", "--set", "network.layers.9.size=1"], "none of 3 entries"),
        (&["train", "small.toml", "--set", "training.epochs.x=1"], "\"epochs\" is one value"),
        (
            &["train", "small.toml", "--set", "training.epochs=many"],
            "training.epochs=many: invalid type",
        ),
        (&["train", "small.toml", "--set", "training.epochs"], "give KEY=VALUE"),
        (&["train", "small.toml", "--set", "training.lr=-1"], "training.lr: must be positive"),
        (&["train", "--resume", "bars", "--set", "training.lr=1"], "keeps its configuration"),
        (&["train", "small.toml", "--epoch", "3"], "'--epochs'; see eventprop train --help"),
        (&["train", "small.toml", "--backend", "gpu"], "[possible values: reference, cpu, cuda]"),
        (&["train", "small.toml", "--lr", "-1"], "training.lr: must be positive"),
        (&["train", "small.toml", "--duration", "-5"], "network.duration: must be positive"),
        (&["train", "small.toml", "--print-freq", "0"], "must be at least 1"),
        (&["train", "small.toml", "--checkpoint-every", "5d"], "give a number of batches as 500"),
        (&["eval"], "<CHECKPOINT>; see eventprop eval --help"),
        (&["grad", "small.toml"], "small.toml: this is not JSON"),
        (&["grad", "missing.json"], "cannot read missing.json"),
        (&["plot", "curve", "x"], "'curves'; see eventprop plot --help"),
        (&["plot", "curves", "bars"], "bars is not the folder of a run"),
        (&["plot", "raster", "bars"], "bars is no run: it holds no checkpoint"),
        (&["plot", "raster", "missing.safetensors"], "there is no file missing.safetensors"),
        (&["plot", "raster", "mnits"], "did you mean \"mnist\"?"),
        (&["plot", "raster", "small.toml", "--sample", "30"], "the test set has 30 samples"),
        (&["plot", "trace", "small.toml", "--neurons", "hiden:0"], "hidden (0 to 23)"),
        (&["plot", "trace", "small.toml", "--neurons", "hidden"], "not of the form layer:position"),
        (&["plot", "weights", "small.toml", "--connection", "2"], "has 2 connections"),
        (&["plot", "weights", "small.toml", "--count", "0"], "must be at least 1"),
        (
            &["plot", "weights", "small.toml", "--out", "missing/x.svg"],
            "cannot write missing/x.svg",
        ),
        (&["watch", "missing"], "there is no run folder missing"),
        (&["watch", "bars"], "bars is not the folder of a run"),
        (&["man", "small.toml"], "cannot make small.toml"),
        (&["completions", "tcsh"], "see eventprop completions --help"),
        (&["trian"], "'train'; see eventprop --help"),
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

/// A picture of a network on a clock is of what its engine computes.
#[test]
fn pictures_of_clock_driven_networks_are_of_their_steps() {
    let folder = workplace();
    let config = eventprop::Config::preset("seed-deep").unwrap();
    let network = config.network.build().unwrap();
    let mut engine = eventprop::engine_for(&network, &config).unwrap();
    engine.load(&config.network.initial_parameters(config.training.seed).unwrap()).unwrap();
    let samples = eventprop::Samples::load_test(&config.data).unwrap();
    // With exact times both are taken for 6.
    for sample in [2, 6] {
        let mut spikes = eventprop::lif_core::SpikeBatch::new();
        spikes.push_train(samples.spikes(sample));
        let class = engine.infer(&spikes).unwrap().predictions[0].unwrap();
        let label = samples.label(sample);
        let title = format!("test sample {sample}: label {label}, taken for {class}");
        for picture in ["raster", "trace"] {
            let sample = sample.to_string();
            let words = ["plot", picture, "seed-deep", "--sample", &sample, "--out", "-"];
            let svg = stdout(&eventprop(folder.path(), &words));
            assert!(svg.contains(&title), "{picture} without \"{title}\"");
        }
    }
}

#[cfg(not(feature = "mpi"))]
#[test]
fn several_ranks_need_a_build_that_knows_them() {
    let folder = workplace();
    let mut command = common::command(folder.path(), &["train", "small.toml"]);
    // As mpirun starts it.
    let output = command.env("OMPI_COMM_WORLD_SIZE", "2").output().unwrap();
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{message}");
    assert!(
        message.contains("started on 2 ranks") && message.contains("--features mpi"),
        "{message}"
    );
    assert!(!folder.path().join("runs").exists());
}

#[test]
fn shards_are_a_value_of_the_configuration() {
    let folder = workplace();
    let print = ["train", "small.toml", "--shards", "4", "--print-config"];
    let text = stdout(&eventprop(folder.path(), &print));
    assert!(text.lines().any(|line| line == "shards = 4"), "{text}");
    let message = refusal(folder.path(), &["train", "small.toml", "--shards", "0"]);
    assert!(message.contains("training.shards: must be at least 1"), "{message}");
}
