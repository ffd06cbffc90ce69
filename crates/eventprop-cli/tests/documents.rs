//! Every command in the documents is run, and every configuration in them read.
//!
//! A block ```` ```console ```` holds commands after `$ `. Each runs in a folder with a small image
//! set, a finished run of it and the files that the documents name. A training on full-size data would
//! take minutes: `eventprop train` gets `--print-config`, which reads and checks everything and stops
//! before the first batch, unless it trains or resumes the small set. Commands of cargo are checked by
//! a test of xtask, examples by their name.
#![cfg(feature = "cpu")]

mod common;

use common::{eventprop, stdout, workplace};
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// README.md and docs/*.md: their names and texts.
fn documents() -> Vec<(String, String)> {
    let folder = fs::read_dir(root().join("docs")).unwrap();
    let mut paths: Vec<_> = folder.map(|entry| entry.unwrap().path()).collect();
    paths.push(root().join("README.md"));
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "md"));
    paths.sort();
    let read = |path: PathBuf| (path.display().to_string(), fs::read_to_string(&path).unwrap());
    paths.into_iter().map(read).collect()
}

/// The text of each block of `language`.
fn blocks<'a>(text: &'a str, language: &str) -> Vec<&'a str> {
    let open = format!("```{language}\n");
    let mut blocks: Vec<_> = text.split(&open).skip(1).collect();
    blocks.iter_mut().for_each(|block| *block = block.split("\n```").next().unwrap());
    blocks
}

fn commands(text: &str) -> impl Iterator<Item = &str> {
    blocks(text, "console").into_iter().flat_map(str::lines).filter_map(|l| l.strip_prefix("$ "))
}

#[test]
fn every_command_runs() {
    let folder = workplace();
    let at = folder.path();
    let train = ["train", "small.toml", "--epochs", "2", "--batch-size", "10", "--quiet"];
    stdout(&eventprop(at, &train));
    fs::copy(at.join("small.toml"), at.join("my.toml")).unwrap();
    fs::rename(at.join("bars"), at.join("my-images")).unwrap();
    std::os::unix::fs::symlink("my-images", at.join("bars")).unwrap();
    fs::write(at.join("problem.json"), PROBLEM).unwrap();
    let mut count = 0;
    for (name, text) in documents() {
        for command in commands(&text) {
            // What follows would be for the shell; nothing of it is needed.
            let words: Vec<_> = command.split_whitespace().collect();
            let Some((&"eventprop", mut arguments)) =
                words.split_first().map(|(program, rest)| (program, rest.to_vec()))
            else {
                assert_eq!(words[0], "cargo", "{name}: {command}");
                continue;
            };
            if arguments[0] == "train" && !arguments.contains(&"--resume") {
                arguments.push("--print-config");
                arguments.dedup();
            }
            if command.contains(" mnist") && arguments[0] == "plot" {
                // Of the full-size network, whose data the program carries with it.
                arguments.extend(["--out", "full.svg"]);
            }
            println!("{name}: {command}");
            let output = eventprop(at, &arguments);
            let error = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{name}: {command}: {error}");
            count += 1;
        }
    }
    assert!(count > 30, "only {count} commands were found");
}

#[test]
fn every_example_exists() {
    let mut count = 0;
    for (name, text) in documents() {
        for command in commands(&text) {
            if let Some((_, example)) = command.split_once("--example ") {
                let file = format!("crates/eventprop/examples/{}.rs", example.split(' ').next().unwrap());
                assert!(root().join(&file).exists(), "{name}: {command}: there is no {file}");
                count += 1;
            }
        }
    }
    assert!(count >= 5, "{count}");
}

#[test]
fn every_configuration_is_one() {
    let mut count = 0;
    for (name, text) in documents() {
        for block in blocks(&text, "toml") {
            if let Err(error) = eventprop::Config::parse(block, &name) {
                panic!("{error}:\n{block}");
            }
            count += 1;
        }
    }
    assert!(count >= 1);
}

#[test]
fn every_command_has_examples_that_parse() {
    let folder = workplace();
    for command in ["train", "eval", "grad", "plot", "watch", "info", "completions", "man"] {
        let help = stdout(&eventprop(folder.path(), &[command, "--help"]));
        let (_, examples) = help.split_once("Examples:").unwrap_or_else(|| panic!("{command}"));
        for line in examples.lines().filter(|line| line.starts_with("  eventprop ")) {
            // Two blanks end the command and begin what it is good for.
            let line = line.trim_start().split("  ").next().unwrap();
            let line = line.split([';', '|', '>']).next().unwrap();
            let mut words: Vec<_> = line.split_whitespace().skip(1).collect();
            assert_eq!(words[0], command);
            // Known flags and values of the right form get as far as the help that is asked for last.
            words.push("--help");
            stdout(&eventprop(folder.path(), &words));
        }
    }
}

const PROBLEM: &str = r#"{
  "duration": 40.0,
  "layers": [
    {"name": "input", "kind": "input", "size": 2},
    {"name": "hidden", "kind": "lif", "size": 2, "tau_mem": 20.0, "tau_syn": 5.0},
    {"name": "output", "kind": "li", "size": 2, "tau_mem": 20.0, "tau_syn": 5.0}
  ],
  "connections": [
    {"from": "input", "to": "hidden", "kind": "dense", "weights": [[3.1, 2.7], [2.9, 3.3]]},
    {"from": "hidden", "to": "output", "kind": "dense", "weights": [[0.4, -0.3], [0.2, 0.7]]}
  ],
  "samples": [{"spikes": [[0.5, 0], [2.0, 1], [3.0, 0], [9.0, 1]], "label": 1}],
  "loss": {"kind": "vmax_cross_entropy"}
}"#;
