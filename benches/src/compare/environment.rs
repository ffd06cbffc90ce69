use anyhow::{Context, Result};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A virtual environment of Python with the peers in it, under `target/`.
pub struct Environment {
    python: PathBuf,
}

impl Environment {
    /// Makes it with `python`, or takes what an earlier run made. With `system_torch`, PyTorch, NumPy
    /// and what else is installed for `python` serve, and only the small peers are added.
    ///
    /// # Errors
    /// If Python or a package cannot be had.
    pub fn prepare(python: &Path, system_torch: bool) -> Result<Self> {
        let folder = crate::root().join("target/compare");
        let folder = folder.join(if system_torch { "system" } else { "own" });
        let mut make = Command::new(python);
        make.args(["-m", "venv"]).args(system_torch.then_some("--system-site-packages"));
        succeed(make.arg(&folder), "making a virtual environment (Debian: python3-venv)")?;
        let python = folder.join("bin/python");
        let mut install = Command::new(&python);
        install.args(["-m", "pip", "install", "--quiet"]);
        let file = if system_torch { "requirements-system.txt" } else { "requirements.txt" };
        install.args(system_torch.then_some("--no-deps")).arg("--requirement");
        install.arg(crate::root().join("benches/compare").join(file));
        succeed(&mut install, "installing the peers")?;
        Ok(Self { python })
    }

    /// Its Python.
    pub fn python(&self) -> Command {
        let mut python = Command::new(&self.python);
        // The peers' scripts lie in the repository: nothing is to be left beside them.
        python.env("PYTHONDONTWRITEBYTECODE", "1");
        python
    }

    /// Names and versions of what is compared, as a sentence without its full stop.
    ///
    /// # Errors
    /// If a package is not there.
    pub fn versions(&self) -> Result<String> {
        let ask = "import platform; from importlib.metadata import version as v; \
                   print(f\"Python {platform.python_version()}, PyTorch {v('torch')}, \
                   snnTorch {v('snntorch')}, SpikingJelly {v('spikingjelly')}\")";
        let output = self.python().args(["-c", ask]).output().context("cannot run Python")?;
        anyhow::ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }
}

fn succeed(command: &mut Command, what: &str) -> Result<()> {
    let status = command.status().with_context(|| format!("{what}: cannot run {command:?}"))?;
    anyhow::ensure!(status.success(), "{what} failed");
    Ok(())
}
