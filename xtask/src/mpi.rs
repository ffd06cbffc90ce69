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

/// Seconds after which a job that goes on is taken to hang, and what `timeout` prints then: its status may be that of
/// a job that lost a rank.
const LIMIT: &str = "600";
const TIMED_OUT: &str = "timeout: sending signal";

/// `mpirun -n RANKS PROGRAM` on this machine, be it root's and have it fewer cores than that; ended if it
/// hangs.
pub(crate) fn mpirun(ranks: usize, program: &Path) -> Command {
    let mut command = limited(LIMIT, "10");
    command
        .args(["mpirun", "--oversubscribe", "-n", &ranks.to_string()])
        .arg(program)
        .env("OMPI_ALLOW_RUN_AS_ROOT", "1")
        .env("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1")
        // Containers forbid one process to copy from another's memory; shared memory is as good.
        .env("OMPI_MCA_btl_vader_single_copy_mechanism", "none")
        .stdin(Stdio::null());
    command
}

/// The start of a command line that is asked to end after some seconds, and made to after some more.
fn limited(limit: &str, more: &str) -> Command {
    let mut command = Command::new("timeout");
    command.args(["--verbose", "--kill-after", more, limit]).env("LC_ALL", "C");
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
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(
        !said.contains(TIMED_OUT),
        "a job did not end within {LIMIT} s; it said: {}",
        said.trim()
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_that_hangs_is_noticed() {
        // That it is asked to end does not end it, as with a starter that hangs.
        let deaf = "trap '' TERM; while :; do sleep 0.1; done";
        let mut command = limited("0.2", "0.2");
        let output = command.args(["sh", "-c", deaf]).output().unwrap();
        assert!(ended(&output).unwrap_err().to_string().contains("did not end"));
        let output = limited("10", "10").args(["sh", "-c", "kill -KILL $$"]).output().unwrap();
        ended(&output).unwrap();
    }
}
