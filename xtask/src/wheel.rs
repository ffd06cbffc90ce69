use crate::{built, native, pypi, root};
use anyhow::{Context, Result, bail, ensure};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

/// Build the Python package as a wheel (manylinux, x86-64-v3, Python 3.10 and later), install it in a
/// fresh virtual environment and test it there.
///
/// maturin and what the tests need come from PyPI into `target`. The tests of eventprop.torch run in a
/// second environment, on the PyTorch of the system's Python (Debian: python3-torch).
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only build it.
    #[arg(long)]
    without_tests: bool,
    /// Fail where there is no PyTorch, in place of leaving out the tests that need it.
    #[arg(long)]
    with_torch: bool,
}

const MATURIN: &str = "maturin==1.16.0";

/// What the tests and the notebook need beside the package.
const TEST_PACKAGES: [&str; 5] =
    ["ipykernel==7.4.0", "matplotlib==3.11.2", "mypy==2.4.1", "nbclient==0.11.0", "pytest==9.2.0"];

/// pytest with what it needs.
const PYTEST: [&str; 5] = ["pytest==9.2.0", "iniconfig", "packaging", "pluggy", "pygments"];

/// What can only be tested with PyTorch.
const TORCH_TESTS: [&str; 2] =
    ["tests/test_torch.py", "tests/test_package.py::test_the_document_runs"];

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let wheel = build()?;
    eprintln!("{}", wheel.display());
    if args.without_tests {
        return Ok(ExitCode::SUCCESS);
    }
    let command = command()?;
    let python = environment("wheel-test", Path::new("python3"), &[])?;
    install(&python, &[], &wheel, &TEST_PACKAGES)?;
    test(&python, &command, &["tests"])?;
    match python_with_torch() {
        Some(system) => {
            let python = environment("wheel-torch", &system, &["--system-site-packages"])?;
            // The system's numpy is the one that its PyTorch was built for.
            install(&python, &["--no-deps"], &wheel, &PYTEST)?;
            test(&python, &command, &TORCH_TESTS)?;
        }
        None if args.with_torch => bail!("no Python here has PyTorch (Debian: python3-torch)"),
        None => eprintln!("eventprop.torch was not tested: no PyTorch (Debian: python3-torch)"),
    }
    Ok(ExitCode::SUCCESS)
}

/// The wheel, built anew with the flags of `.cargo/config.toml`.
fn build() -> Result<PathBuf> {
    let home = pypi::environment("maturin", &[MATURIN])?;
    let wheels = root()?.join("target").join("wheels");
    if wheels.exists() {
        fs::remove_dir_all(&wheels)?;
    }
    let mut maturin = Command::new(home.join("bin/maturin"));
    maturin
        .args(["build", "--release", "--strip", "--manifest-path"])
        .arg(package()?.join("Cargo.toml"))
        .arg("--interpreter")
        .arg(home.join("bin/python"))
        .arg("--out")
        .arg(&wheels)
        .env_remove("RUSTFLAGS")
        .current_dir(root()?);
    native::succeed(&mut maturin, "the build of the wheel")?;
    let built = fs::read_dir(&wheels)?.next().context("maturin made no wheel")?;
    let wheel = built.context("cannot list wheels")?.path();
    let name = wheel.file_name().unwrap_or_default().to_string_lossy();
    let linux = !cfg!(target_os = "linux") || name.contains("manylinux");
    ensure!(name.contains("-cp310-abi3-") && linux, "{name} is not for every Python on manylinux");
    Ok(wheel)
}

/// The program `eventprop`, which tests compare with bit by bit. That of the development profile: bits do
/// not depend on it, and `cargo test` builds the same dependencies.
fn command() -> Result<PathBuf> {
    let mut build = built::cargo(&["build", "--quiet", "--bin", "eventprop"])?;
    let programs =
        built::executables(build.args(built::AS_FOR_TESTS).env_remove("RUSTFLAGS"), &[])?;
    Ok(built::named(&programs, "eventprop")?.path.clone())
}

/// A new virtual environment `target/<name>`; its Python.
fn environment(name: &str, python: &Path, flags: &[&str]) -> Result<PathBuf> {
    let home = root()?.join("target").join(name);
    let mut make = Command::new(python);
    make.args(["-m", "venv", "--clear"]).args(flags).arg(&home);
    native::succeed(&mut make, "making a virtual environment (Debian: python3-venv)")?;
    Ok(home.join("bin/python"))
}

fn install(python: &Path, flags: &[&str], wheel: &Path, packages: &[&str]) -> Result<()> {
    let mut pip = Command::new(python);
    pip.args(["-m", "pip", "install", "--quiet"]).args(flags).arg(wheel).args(packages);
    native::succeed(&mut pip, "installing the wheel")
}

fn test(python: &Path, command: &Path, tests: &[&str]) -> Result<()> {
    let mut pytest = Command::new(python);
    pytest
        .args(["-m", "pytest"])
        .args(tests)
        .env("EVENTPROP", command)
        // Nothing is to be left beside the tests.
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .current_dir(package()?);
    native::succeed(&mut pytest, "the test of the wheel")
}

/// The first Python that has PyTorch.
fn python_with_torch() -> Option<PathBuf> {
    ["python3", "/usr/bin/python3"].map(PathBuf::from).into_iter().find(|python| {
        let import = Command::new(python).args(["-c", "import torch"]).output();
        import.is_ok_and(|output| output.status.success())
    })
}

/// The folder of the Python package.
fn package() -> Result<PathBuf> {
    Ok(root()?.join("crates").join("eventprop-python"))
}
