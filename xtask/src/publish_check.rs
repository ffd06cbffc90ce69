use crate::{native, root};
use anyhow::{Context, Result, bail, ensure};
use std::fs;
use std::process::{Command, ExitCode};

/// Check that every crate could be published: what its package holds, its size and description, that it is
/// accepted in order (`cargo publish --dry-run`), and that its documentation builds as docs.rs would.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Build every package from what is in it alone: minutes. Needs what the crates need, MPI included.
    #[arg(long)]
    verify: bool,
    /// Leave out what needs an MPI library.
    #[arg(long)]
    without_mpi: bool,
}

/// What crates.io takes.
const LARGEST: u64 = 10 << 20;

/// What every package holds.
const FILES: [&str; 4] = ["Cargo.toml", "LICENSE-APACHE", "LICENSE-MIT", "README.md"];

/// What crates.io shows or asks for.
const FIELDS: [&str; 8] = [
    "description",
    "license",
    "repository",
    "readme",
    "keywords",
    "categories",
    "rust-version",
    "[package.metadata.docs.rs]",
];

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let packages = packages()?;
    let mut publish = Command::new(env!("CARGO"));
    publish.args(["publish", "--dry-run", "--workspace", "--allow-dirty"]).current_dir(root()?);
    if !args.verify {
        publish.arg("--no-verify");
    }
    native::succeed(&mut publish, "cargo publish --dry-run")?;
    for package in &packages {
        check(package)?;
    }
    for package in packages.iter().filter(|name| !(args.without_mpi && *name == "eventprop-mpi")) {
        let mut doc = Command::new(env!("CARGO"));
        doc.args(["doc", "--no-deps", "--package", package])
            .env("RUSTDOCFLAGS", "--cfg docsrs -D warnings")
            .current_dir(root()?);
        // The program's documentation is its library's: none, whatever its features.
        if package != "eventprop-cli" {
            doc.arg("--all-features");
        }
        native::succeed(&mut doc, "cargo doc")?;
    }
    println!("{} crates could be published: {}", packages.len(), packages.join(", "));
    Ok(ExitCode::SUCCESS)
}

/// The crates that are meant for others.
fn packages() -> Result<Vec<String>> {
    let mut packages = Vec::new();
    for entry in fs::read_dir(root()?.join("crates"))? {
        let entry = entry?;
        let manifest = fs::read_to_string(entry.path().join("Cargo.toml"))?;
        if !manifest.contains("publish = false") {
            packages.push(entry.file_name().to_string_lossy().into_owned());
            if let Some(field) = FIELDS.iter().find(|field| !manifest.contains(**field)) {
                bail!("{} has no {field}", entry.path().join("Cargo.toml").display());
            }
        }
    }
    packages.sort();
    Ok(packages)
}

fn check(package: &str) -> Result<()> {
    let mut list = Command::new(env!("CARGO"));
    list.args(["package", "--list", "--allow-dirty", "--package", package]).current_dir(root()?);
    let output = list.output().context("cannot run cargo package --list")?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let files = String::from_utf8(output.stdout)?;
    for file in FILES {
        ensure!(files.lines().any(|line| line == file), "the package {package} holds no {file}");
    }
    let folder = root()?.join("target/package/tmp-crate");
    let archive = fs::read_dir(&folder)?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| {
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
            let rest = name.as_deref().and_then(|name| name.strip_prefix(package));
            rest.is_some_and(|rest| {
                rest.ends_with(".crate") && rest[1..].starts_with(|c: char| c.is_ascii_digit())
            })
        })
        .with_context(|| format!("there is no package of {package} in {}", folder.display()))?;
    let size = fs::metadata(&archive)?.len();
    ensure!(size <= LARGEST, "{} has {size} bytes: more than crates.io takes", archive.display());
    println!("{package}: {} files, {} KiB", files.lines().count(), size.div_ceil(1024));
    Ok(())
}
