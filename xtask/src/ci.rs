use crate::root;
use anyhow::{Context, Result};
use std::process::{Command, ExitCode};
use std::time::Instant;

/// Run what continuous integration runs: formatting, lints, documentation, gradients,
/// instructions a training sample, CUDA kernels without a GPU, several ranks, packages, the Python
/// package, dependencies, tests.
///
/// Needs what `.ci/run` installs: libopenmpi-dev and libclang-dev, python3-torch, valgrind.
///
/// The tests come last, so that their summary is what is read last.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// All but the tests: `.ci/run` calls the README's test command itself.
    #[arg(long)]
    without_tests: bool,
}

/// The test command of the README and of `.ci/run`.
const TESTS: &str = "cargo test";

/// What comes before it: environment and command.
const CHECKS: [(&[(&str, &str)], &str); 12] = [
    (&[], "cargo fmt --all --check"),
    (
        &[],
        "cargo clippy --workspace --all-targets --features xtask/gradcheck,eventprop-cli/mpi -- -D warnings",
    ),
    (&[("RUSTDOCFLAGS", "-D warnings")], "cargo doc --workspace --no-deps"),
    (&[], "cargo xtask gradcheck"),
    (&[], "cargo xtask bench --instructions"),
    (&[], "cargo xtask cuda-check"),
    (&[], "cargo xtask cuda-emulate"),
    (&[], "cargo xtask gpu-pack --emulator --run --out target/gpu-pack-toy"),
    (&[], "cargo xtask mpi-check"),
    (&[], "cargo xtask publish-check"),
    (&[], "cargo xtask wheel --with-torch"),
    (&[], "cargo xtask deny"),
];

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let tests: (&[(&str, &str)], &str) = (&[], TESTS);
    for (environment, command) in CHECKS.into_iter().chain((!args.without_tests).then_some(tests)) {
        eprintln!("\n$ {command}");
        let start = Instant::now();
        let mut words = command.split(' ').skip(1);
        let status = Command::new(env!("CARGO"))
            .args(&mut words)
            .envs(environment.iter().copied())
            .current_dir(root()?)
            .status()
            .with_context(|| format!("cannot run {command}"))?;
        if !status.success() {
            eprintln!("error: {command} failed");
            return Ok(ExitCode::FAILURE);
        }
        eprintln!("{command}: {:.0} s", start.elapsed().as_secs_f64());
    }
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_test_command_is_the_same_everywhere() {
        for file in ["README.md", ".ci/run"] {
            let text = std::fs::read_to_string(root().unwrap().join(file)).unwrap();
            let found = text.lines().any(|line| line.trim() == TESTS);
            assert!(found, "{file} does not have the line \"{TESTS}\"");
        }
    }
}
