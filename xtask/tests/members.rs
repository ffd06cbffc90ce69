//! `cargo test` tests every crate but those that need more than Rust.

use std::collections::BTreeSet;
use std::path::Path;

/// The crates that continuous integration builds with what they need.
const APART: [&str; 2] = ["crates/eventprop-mpi", "crates/eventprop-python"];

#[test]
fn every_other_crate_is_a_default_member() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let manifest = std::fs::read_to_string(root.join("Cargo.toml")).unwrap();
    let (_, list) = manifest.split_once("default-members = [").unwrap();
    let (list, _) = list.split_once(']').unwrap();
    let listed: BTreeSet<String> = list.split('"').skip(1).step_by(2).map(String::from).collect();
    let mut wanted = BTreeSet::from(["benches", "xtask"].map(String::from));
    for entry in std::fs::read_dir(root.join("crates")).unwrap() {
        let entry = entry.unwrap();
        if entry.path().join("Cargo.toml").is_file() {
            wanted.insert(format!("crates/{}", entry.file_name().to_string_lossy()));
        }
    }
    for apart in APART {
        assert!(wanted.remove(apart), "{apart} is gone");
    }
    assert_eq!(listed, wanted);
}
