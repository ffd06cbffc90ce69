//! What the commands about several ranks share.

use anyhow::{Context, Result, bail, ensure};
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// What is missing of what MPI needs is said by name.
pub(crate) fn check_installed() -> Result<()> {
    for (program, package) in [("mpirun", "openmpi-bin"), ("mpicc", "libopenmpi-dev")] {
        let found = Command::new(program).arg("--version").stdout(Stdio::null()).status();
        if !found.is_ok_and(|status| status.success()) {
            bail!(
                "there is no {program}: install libopenmpi-dev and libclang-dev ({package} has it)"
            );
        }
    }
    Ok(())
}

/// Seconds after which a job that goes on is taken to hang, and how `timeout` says so.
const LIMIT: &str = "600";
const TIMED_OUT: i32 = 124;

/// `mpirun -n RANKS PROGRAM` on this machine, be it root's and have it fewer cores than that; ended if it
/// hangs.
pub(crate) fn mpirun(ranks: usize, program: &Path) -> Command {
    let mut command = Command::new("timeout");
    command
        .args(["--kill-after=10", LIMIT])
        .args(["mpirun", "--oversubscribe", "-n", &ranks.to_string()])
        .arg(program)
        .env("OMPI_ALLOW_RUN_AS_ROOT", "1")
        .env("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1")
        // Containers forbid one process to copy from another's memory; shared memory is as good.
        .env("OMPI_MCA_btl_vader_single_copy_mechanism", "none")
        .stdin(Stdio::null());
    command
}

/// What a command printed; an error with its messages if it failed.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let name = format!("{command:?}");
    let output = command.output().with_context(|| format!("cannot run {name}"))?;
    ended(&output)?;
    if !output.status.success() {
        bail!("{name} failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8(output.stdout)?)
}

/// An error if it had to be ended.
pub(crate) fn ended(output: &Output) -> Result<()> {
    ensure!(
        output.status.code() != Some(TIMED_OUT),
        "a job did not end within {LIMIT} s; it said: {}",
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(())
}
