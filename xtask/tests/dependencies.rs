//! docs/DEPENDENCIES.md says what is true.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap()
}

/// The cells of the tables' rows.
fn rows(text: &str) -> impl Iterator<Item = Vec<&str>> {
    let rows = text.lines().filter_map(|line| line.strip_prefix("| "));
    rows.map(|row| row.split('|').map(str::trim).collect())
}

/// All crates below a package, without those of the workspace.
fn crates(package: &str) -> usize {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--locked", "--edges", "normal,build", "--prefix", "none"])
        .args(["--package", package])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    // Name, version; a folder behind them is one of the workspace's.
    let lines = text.lines().filter(|line| !line.contains(" (/") && !line.is_empty());
    let named = lines.map(|line| line.split(' ').take(2).collect::<Vec<_>>());
    named.collect::<BTreeSet<_>>().len()
}

#[test]
fn the_counts_are_right() {
    let text = read("docs/DEPENDENCIES.md");
    let mut counted = 0;
    for row in rows(&text) {
        if let [package, count, ..] = row[..]
            && let Ok(count) = count.parse::<usize>()
        {
            assert_eq!(crates(package.trim_matches('`')), count, "crates below {package}");
            counted += 1;
        }
    }
    assert_eq!(counted, 9);
}

#[test]
fn every_dependency_is_justified() {
    let text = read("docs/DEPENDENCIES.md");
    let named: BTreeSet<_> = rows(&text)
        .flat_map(|row| row[0].split(", ").map(|name| name.trim_matches('`')).collect::<Vec<_>>())
        .collect();
    let manifest = read("Cargo.toml");
    let (_, dependencies) = manifest.split_once("[workspace.dependencies]\n").unwrap();
    let dependencies = dependencies.lines().take_while(|line| !line.starts_with('['));
    for line in dependencies.filter(|line| !line.contains("path = ")) {
        let Some((name, _)) = line.split_once(" = ") else { continue };
        assert!(named.contains(name), "docs/DEPENDENCIES.md says nothing of {name}");
    }
}
