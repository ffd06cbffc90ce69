//! CONTRIBUTING.md names the files that a change touches.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

fn text() -> String {
    fs::read_to_string(root().join("CONTRIBUTING.md")).unwrap()
}

/// What stands between backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

fn is_file(name: &str) -> bool {
    name.contains('/') && !name.contains(' ') && name.rsplit('/').next().unwrap().contains('.')
}

#[test]
fn every_file_named_is_there() {
    let text = text();
    let files: Vec<_> = quoted(&text).filter(|name| is_file(name)).collect();
    assert!(files.len() > 50, "{}", files.len());
    for file in files {
        // What is run is a path too.
        assert!(root().join(file).exists(), "CONTRIBUTING.md names {file}");
    }
}

/// What the lists are about: the library, its engines, the command and its tools.
const FOLDERS: [&str; 7] = [
    "crates/conformance",
    "crates/eventprop",
    "crates/eventprop-cli",
    "crates/eventprop-cpu",
    "crates/eventprop-cuda",
    "crates/lif-core",
    "xtask",
];

/// Sources and manifests below a folder, without builds.
fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let extension = path.extension().and_then(|extension| extension.to_str());
        if path.is_dir() {
            sources(&path, found);
        } else if matches!(extension, Some("rs" | "toml")) {
            found.push(path);
        }
    }
}

#[test]
fn the_lists_are_complete() {
    let text = text();
    let mut paths = Vec::new();
    FOLDERS.iter().for_each(|folder| sources(&root().join(folder), &mut paths));
    let mut lists = 0;
    let paragraphs: Vec<_> = text.split("\n\n").collect();
    for pair in paragraphs.windows(2) {
        let head = pair[0].replace('\n', " ");
        let Some((_, words)) = head.split_once("very file that says `") else { continue };
        let words = format!("`{words}");
        let words: Vec<_> = quoted(&words).collect();
        let named: BTreeSet<_> =
            quoted(pair[1]).filter(|name| is_file(name)).map(str::to_owned).collect();
        let found: BTreeSet<_> = paths
            .iter()
            .filter(|path| {
                let text = fs::read_to_string(path).unwrap();
                words.iter().any(|word| text.contains(word))
            })
            .map(|path| path.strip_prefix(root()).unwrap().to_string_lossy().into_owned())
            // Examples are not touched by what is new, and tests only if they say so.
            .filter(|path| {
                named.contains(path) || !(path.contains("/tests/") || path.contains("/examples/"))
            })
            .collect();
        assert_eq!(named, found, "files that say {words:?}");
        lists += 1;
    }
    assert_eq!(lists, 4);
}
