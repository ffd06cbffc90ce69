//! Tools from PyPI, in virtual environments below `target`.

use crate::native::execute;
use anyhow::{Context, Result};
use std::fs;
use std::path::PathBuf;
use std::process::Command;

/// Makes sure that `target/<name>` is a virtual environment with exactly these packages, and returns
/// where it is.
pub(crate) fn environment(name: &str, packages: &[&str]) -> Result<PathBuf> {
    let home = crate::root()?.join("target").join(name);
    let installed = home.join("installed");
    let wanted = packages.join("\n");
    if fs::read_to_string(&installed).ok().as_deref() != Some(&wanted) {
        execute(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&home))
            .context("python3 with venv is needed (Debian: python3-venv)")?;
        let pip = home.join("bin/pip");
        execute(Command::new(pip).args(["install", "--quiet"]).args(packages))?;
        fs::write(&installed, wanted)?;
    }
    Ok(home)
}
