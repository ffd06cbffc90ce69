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
    fs::create_dir(at.join("docs")).unwrap();
    fs::copy(root().join("docs/problem.json"), at.join("docs/problem.json")).unwrap();
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

/// The words of an error that lists what would have been known: as configurations list it, or as serde
/// does.
fn known_words(error: &str) -> Vec<String> {
    let list = match error.split_once("(known: ") {
        Some((_, list)) => list.trim_end_matches([')', '\n']).replace(", ", "`"),
        None => error.split_once("expected ").unwrap_or_else(|| panic!("{error}")).1.to_string(),
    };
    let is_name = |word: &&str| {
        !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    let words: Vec<_> = list.split('`').filter(is_name).map(String::from).collect();
    assert!(!words.is_empty(), "{error}");
    words
}

/// Whether `word` stands in a document between backquotes, as a word of its own.
fn is_described(text: &str, word: &str) -> bool {
    let same = |part: &str| part == word;
    spans(text)
        .iter()
        .any(|span| span.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).any(same))
}

/// Every key and every word for a value that a configuration may have.
#[test]
fn every_key_of_a_configuration_is_described() {
    let text = fs::read_to_string(root().join("docs/config.md")).unwrap();
    let base = eventprop::Config::preset("mnist").unwrap();
    let mut words = Vec::new();
    for assignment in [
        "zzz=1",
        "data.zzz=1",
        "data.name=zzz",
        "data.encoding={zzz={}}",
        "data.encoding={latency={zzz=1}}",
        "data.encoding={two_time={zzz=1}}",
        "data.encoding={points={zzz=1}}",
        "data.augmentation.zzz=1",
        "data.draws.zzz=1",
        "data.draws.train={zzz=1}",
        "data.camera.zzz=1",
        "network.zzz=1",
        "network.layers.1.zzz=1",
        "network.layers.1.kind=zzz",
        "network.layers.1.adaptation={zzz=1}",
        "network.connections.0.zzz=1",
        "network.connections.0.kind=zzz",
        "network.connections.0.weights={zzz=1}",
        "network.connections.0.weights={normal={zzz=1}}",
        "network.connections.0.weights={uniform={zzz=1}}",
        "loss={kind=\"zzz\"}",
        "loss={kind=\"ttfs_cross_entropy\",zzz=1}",
        "training.zzz=1",
        "training.schedule={zzz={}}",
        "training.schedule={step={zzz=1}}",
        "training.schedule={exponential={zzz=1}}",
        "training.schedule={cosine={zzz=1}}",
        "training.silent={zzz=1}",
        "training.clip={zzz=1}",
        "training.optimiser={kind=\"zzz\"}",
        "training.optimiser={kind=\"adam\",zzz=1}",
        "training.optimiser={kind=\"sgd\",zzz=1}",
        "training.learning_rates.zzz=1",
        "training.rate_targets=[{zzz=1}]",
        "grid={zzz=1}",
        "grid={dt=1.0,variant=\"zzz\"}",
    ] {
        words.extend(known_words(&base.with(assignment).unwrap_err().to_string()));
    }
    words.extend(eventprop::backend::NAMES.map(String::from));
    for preset in eventprop::Config::presets() {
        let config = eventprop::Config::preset(preset).unwrap();
        keys(&serde_json::to_value(&config).unwrap(), &mut words);
    }
    for word in &words {
        assert!(is_described(&text, word), "docs/config.md does not describe \"{word}\"");
    }
    assert!(words.len() > 150, "only {} words were found", words.len());
}

fn keys(value: &serde_json::Value, found: &mut Vec<String>) {
    use serde_json::Value;
    match value {
        Value::Object(map) => map.iter().for_each(|(key, value)| {
            found.push(key.clone());
            keys(value, found);
        }),
        Value::Array(values) => values.iter().for_each(|value| keys(value, found)),
        _ => {}
    }
}

/// Where a table of the document gives a number, a word or a truth value as default, it is that.
#[test]
fn the_defaults_described_are_those() {
    let text = fs::read_to_string(root().join("docs/config.md")).unwrap();
    let config = "data = { name = \"moving_mnist\", encoding = \"recorded\", camera = {} }\n\
                  loss = { kind = \"spike_time_sum\" }\ngrid = { dt = 1.0 }\nnetwork = { duration = 9.0, \n\
                  connections = [{ from = \"a\", to = \"b\", weights = \"zeros\" }], layers = [\n\
                  { name = \"a\", kind = \"input\", size = 1 },\n\
                  { name = \"b\", kind = \"lif\", size = 1, tau_mem = 1.0, tau_syn = 1.0 }] }";
    let config = eventprop::Config::parse(config, "defaults").unwrap();
    let values = serde_json::to_value(&config).unwrap();
    let mut count = 0;
    for (title, path) in [
        ("## data", "/data"),
        ("### camera", "/data/camera"),
        ("## training", "/training"),
        ("### Learning rates", "/training/learning_rates"),
        ("## grid", "/grid"),
    ] {
        let (_, section) = text.split_once(&format!("\n{title}\n")).unwrap();
        let section = section.split("\n#").next().unwrap();
        let mut rows = section
            .lines()
            .filter(|line| line.starts_with('|'))
            .map(|line| line.split('|').map(str::trim).collect::<Vec<_>>());
        let column = rows.next().unwrap().iter().position(|cell| *cell == "default").unwrap();
        for row in rows.skip(1) {
            for key in spans(row[1]) {
                let default = row[column].split(':').next().unwrap().trim_matches('`');
                let (Ok(default), Some(own)) = (
                    serde_json::from_str::<serde_json::Value>(default),
                    values.pointer(&format!("{path}/{key}")),
                ) else {
                    continue;
                };
                // The configuration above names another data set than the default's.
                if key != "name" {
                    let same = default == *own
                        || default.as_f64().is_some_and(|d| own.as_f64() == Some(d));
                    assert!(same, "{path}/{key}: {default} is described, it is {own}");
                    count += 1;
                }
            }
        }
    }
    assert!(count >= 25, "{count}");
}

/// Every key and every word for a value that a problem may have.
#[test]
fn every_key_of_a_problem_is_described() {
    let text = fs::read_to_string(root().join("docs/problem-format.md")).unwrap();
    let problem = fs::read_to_string(root().join("docs/problem.json")).unwrap();
    let mut words = Vec::new();
    for (from, to) in [
        ("\"duration\": 40.0", "\"duration\": 40.0, \"zzz\": 1"),
        ("\"name\": \"hidden\"", "\"zzz\": 1"),
        ("\"kind\": \"li\"", "\"kind\": \"zzz\""),
        ("\"kind\": \"li\"", "\"kind\": \"lif\", \"adaptation\": {\"zzz\": 1}"),
        ("\"from\": \"input\"", "\"zzz\": 1"),
        ("\"kind\": \"dense\"", "\"kind\": \"zzz\""),
        ("\"label\": 1", "\"zzz\": 1"),
        ("\"kind\": \"vmax_cross_entropy\"", "\"kind\": \"zzz\""),
        ("{\"kind\": \"vmax_cross_entropy\"", "{\"kind\": \"ttfs_cross_entropy\", \"zzz\": 1"),
    ] {
        assert!(problem.contains(from), "{from}");
        let broken = problem.replacen(from, to, 1);
        let error = eventprop::problem::Problem::parse(broken.as_bytes()).unwrap_err();
        words.extend(known_words(&error.to_string()));
    }
    for word in &words {
        assert!(is_described(&text, word), "docs/problem-format.md does not describe \"{word}\"");
    }
    assert!(words.len() > 40, "only {} words were found", words.len());
}

/// The example in the text is the file, and its result what both engines find.
#[test]
fn the_example_problem_has_the_result_described() {
    use serde_json::Value;
    let read = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    let text = fs::read_to_string(root().join("docs/problem-format.md")).unwrap();
    let [problem, result] = blocks(&text, "json")[..] else { panic!("there are two JSON blocks") };
    let file = root().join("docs/problem.json");
    assert_eq!(read(problem), read(&fs::read_to_string(&file).unwrap()));
    let file = file.to_str().unwrap();
    let mut numbers = Vec::new();
    let folder = workplace();
    for (arguments, tolerance) in [
        (["--backend", "reference", "--precision", "f64"], 1e-5),
        (["--backend", "cpu", "--precision", "f64"], 1e-5),
        (["--backend", "cpu", "--precision", "f32"], 2e-4),
    ] {
        let found =
            read(&stdout(&eventprop(folder.path(), &[&["grad", file], &arguments[..]].concat())));
        numbers.clear();
        compare(&read(result), &found, tolerance, &mut numbers);
        assert!(numbers.len() > 30, "{}", numbers.len());
    }
}

/// The same tree, with numbers that differ by no more than `tolerance` of them.
fn compare(
    described: &serde_json::Value,
    found: &serde_json::Value,
    tolerance: f64,
    numbers: &mut Vec<f64>,
) {
    use serde_json::Value;
    match (described, found) {
        (Value::Array(one), Value::Array(other)) => {
            assert_eq!(one.len(), other.len(), "{described} {found}");
            one.iter().zip(other).for_each(|(one, other)| compare(one, other, tolerance, numbers));
        }
        (Value::Object(one), Value::Object(other)) => {
            assert!(one.keys().eq(other.keys()), "{described} {found}");
            one.values().zip(other.values()).for_each(|(a, b)| compare(a, b, tolerance, numbers));
        }
        _ => {
            let (one, other) = (described.as_f64().unwrap(), found.as_f64().unwrap());
            assert!((one - other).abs() <= tolerance * one.abs(), "{one} {other}");
            numbers.push(one);
        }
    }
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
