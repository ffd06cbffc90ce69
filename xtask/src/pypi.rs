//! Tools from PyPI, in virtual environments below `target`.

use crate::native::execute;
use anyhow::{Context, Result};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Makes sure that `target/<name>` is a virtual environment with exactly these packages, and returns
/// where it is.
pub(crate) fn environment(name: &str, packages: &[&str]) -> Result<PathBuf> {
    prepare(Path::new("python3"), name, packages, &[], &[])
}

/// The same beside the packages that are installed for `python`, without what the new ones depend on.
pub(crate) fn environment_with(python: &Path, name: &str, packages: &[&str]) -> Result<PathBuf> {
    prepare(python, name, packages, &["--system-site-packages"], &["--no-deps"])
}

fn prepare(
    python: &Path,
    name: &str,
    packages: &[&str],
    venv: &[&str],
    pip: &[&str],
) -> Result<PathBuf> {
    let home = crate::root()?.join("target").join(name);
    let installed = home.join("installed");
    let wanted = packages.join("\n");
    if fs::read_to_string(&installed).ok().as_deref() != Some(&wanted) {
        execute(Command::new(python).args(["-m", "venv", "--clear"]).args(venv).arg(&home))
            .context("python3 with venv is needed (Debian: python3-venv)")?;
        let program = home.join("bin/pip");
        execute(Command::new(program).args(["install", "--quiet"]).args(pip).args(packages))?;
        fs::write(&installed, wanted)?;
    }
    Ok(home)
}
