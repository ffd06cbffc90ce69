//! Every command in the documents is run, and every configuration in them read.
//!
//! A block ```` ```console ```` holds commands after `$ `; outside of one a line that is a command of
//! `cargo xtask` counts too. What prose names in passing is parsed: commands as far as their `--help`,
//! flags in the help of some command. Each command runs in a folder with a small image set, a finished run of it and the
//! files that the documents name. `cargo xtask train` is run as what it starts, `eventprop train`.
//!
//! What would take minutes is made small: trainings have one epoch, and where they would train on
//! MNIST, a set of as many pixels and classes but few images. `eventprop data fetch` would need the
//! network: only its words are checked. The other commands of `cargo xtask` are read by a test of
//! xtask, examples are run by a test of eventprop.
#![cfg(feature = "cpu")]

mod common;

use common::{eventprop, stdout, workplace, write_set};
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
    let console = blocks(text, "console").into_iter().flat_map(str::lines);
    let plain = text.lines().filter(|line| line.starts_with("cargo xtask "));
    console.filter_map(|line| line.strip_prefix("$ ")).chain(plain)
}

#[test]
fn every_command_runs() {
    let folder = workplace();
    let at = folder.path();
    let train = ["train", "small.toml", "--epochs", "2", "--batch-size", "10", "--quiet"];
    stdout(&eventprop(at, &train));
    let mine = fs::read_to_string(at.join("small.toml")).unwrap();
    fs::write(at.join("my.toml"), mine.replace("/bars\"", "/my-images\"")).unwrap();
    std::os::unix::fs::symlink("bars", at.join("my-images")).unwrap();
    let digits = at.join("digits");
    fs::create_dir(&digits).unwrap();
    // One preset keeps 5,000 images for validation.
    write_set(&digits, "train", (5060, 28, 10), false);
    write_set(&digits, "t10k", (40, 28, 10), false);
    fs::write(at.join("problem.json"), PROBLEM).unwrap();
    let finished = fs::canonicalize(at.join("runs/latest")).unwrap();
    let mut count = 0;
    for (name, text) in documents() {
        for command in commands(&text) {
            let Some(mut arguments) = arguments(command) else { continue };
            if arguments[0] == "train" && !arguments.contains(&"--resume") {
                arguments = shortened(arguments);
            }
            let (arguments, file) = match arguments.iter().position(|word| *word == ">") {
                Some(place) => (&arguments[..place], arguments.get(place + 1)),
                None => (&arguments[..], None),
            };
            println!("{name}: {command}");
            let output = eventprop(at, arguments);
            let error = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{name}: {command}: {error}");
            if let Some(file) = file {
                fs::write(at.join(file), &output.stdout).unwrap();
            }
            // What follows looks at the run that was made for it.
            fs::remove_file(at.join("runs/latest")).unwrap();
            std::os::unix::fs::symlink(&finished, at.join("runs/latest")).unwrap();
            count += 1;
        }
    }
    assert!(count > 30, "only {count} commands were found");
}

/// The arguments of `eventprop`; none for other programs and for what is checked elsewhere.
fn arguments(command: &str) -> Option<Vec<&str>> {
    // What stands behind a pipe is for other programs.
    let command = command.split(" | ").next().unwrap();
    // Quoted is what a shell would take apart; there are no blanks in it.
    let words: Vec<_> = command.split_whitespace().map(|word| word.trim_matches('\'')).collect();
    let mut arguments = match words[..] {
        ["eventprop", ..] => words[1..].to_vec(),
        ["cargo", "xtask", "train", ..] => words[2..].to_vec(),
        ["cargo" | "pip" | "tensorboard", ..] => return None,
        _ => panic!("what is \"{command}\"?"),
    };
    if arguments.starts_with(&["data", "fetch"]) {
        arguments.push("--help");
    }
    Some(arguments)
}

/// One epoch, and no training on all of MNIST.
fn shortened(mut arguments: Vec<&str>) -> Vec<&str> {
    if let Some(place) = arguments.iter().position(|word| *word == "--epochs") {
        arguments.drain(place..place + 2);
    }
    let has = |word: &str| arguments.contains(&word);
    let stays =
        has("--data-folder") || has("yin-yang") || arguments.iter().any(|w| w.ends_with(".toml"));
    arguments.splice(1..1, ["--epochs", "1"]);
    if !stays {
        arguments.splice(1..1, ["--data-folder", "digits"]);
    }
    arguments
}

/// What stands between single backquotes, outside of blocks.
fn spans(text: &str) -> Vec<&str> {
    let prose = text.split("```").step_by(2);
    let lines = prose.flat_map(str::lines);
    lines.flat_map(|line| line.split('`').skip(1).step_by(2)).collect()
}

#[test]
fn what_prose_names_exists() {
    let folder = workplace();
    let at = folder.path();
    let help = |words: &[&str]| stdout(&eventprop(at, &[words, &["--help"]].concat()));
    let commands: &[&[&str]] = &[
        &["train"],
        &["eval"],
        &["grad"],
        &["plot", "curves"],
        &["plot", "raster"],
        &["plot", "trace"],
        &["plot", "weights"],
        &["watch"],
        &["info"],
        &["data", "fetch"],
    ];
    let known: String = commands.iter().map(|words| help(words)).collect();
    let user = ["README.md", "getting-started.md", "not-learning.md", "coming-from.md"];
    let (mut count, mut flags) = (0, 0);
    for (name, text) in documents() {
        for span in spans(&text) {
            if let Some(arguments) = span.strip_prefix("eventprop ") {
                // Up to the first word that stands for something else.
                let words: Vec<_> = arguments
                    .split_whitespace()
                    .take_while(|word| !word.chars().all(|c| c.is_ascii_uppercase()))
                    .collect();
                println!("{name}: {span}");
                help(&words);
                count += 1;
            }
            let own = user.iter().any(|file| name.ends_with(file));
            if let Some(flag) = span.strip_prefix("--").filter(|_| own) {
                let flag = format!("--{}", flag.split([' ', '=']).next().unwrap());
                assert!(known.contains(&flag) || CARGO.contains(&flag.as_str()), "{name}: {flag}");
                flags += 1;
            }
        }
    }
    assert!(count > 10 && flags > 8, "only {count} commands and {flags} flags were found");
}

/// Flags of cargo.
const CARGO: [&str; 2] = ["--features", "--no-default-features"];

#[test]
fn every_example_exists() {
    let mut count = 0;
    for (name, text) in documents() {
        for command in commands(&text) {
            if let Some((_, example)) = command.split_once("--example ") {
                let file =
                    format!("crates/eventprop/examples/{}.rs", example.split(' ').next().unwrap());
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
    for command in [
        "train",
        "eval",
        "grad",
        "plot",
        "watch",
        "import",
        "export",
        "info",
        "completions",
        "man",
        "data",
    ] {
        let help = stdout(&eventprop(folder.path(), &[command, "--help"]));
        let (_, examples) = help.split_once("Examples:").unwrap_or_else(|| panic!("{command}"));
        for line in examples.lines().filter(|line| line.starts_with("  eventprop ")) {
            // Two blanks end the command and begin what it is good for.
            let line = line.trim_start().split("  ").next().unwrap();
            let line = line.split([';', '|', '>', '<']).next().unwrap();
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
