use anyhow::{Context, Result, bail, ensure};
use ::fuzz::{TARGETS, Target};
use std::process::ExitCode;
use std::thread;
use std::time::Instant;

/// Run malformed input through every parser: no panic, no hang, no memory beyond a bound.
///
/// Prints how many inputs ran, how many were taken for right, the slowest, and by how much the
/// process grew. An input that breaks a parser is written to `broken-NAME.bin`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Inputs of each target.
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    inputs: u64,
    /// Selects the inputs.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Threads.
    #[arg(long, value_name = "N", default_value_t = 2)]
    threads: u64,
    /// Targets; all if none is given.
    #[arg(long, value_parser = TARGETS.map(|target| target.name))]
    target: Vec<String>,
}

/// The most by which the process may grow: inputs are at most 16 KiB.
const BOUND_MIB: u64 = 256;

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    // Panics are caught and reported; their own message would come once for each.
    std::panic::set_hook(Box::new(|_| {}));
    let chosen = |target: &&Target| {
        args.target.is_empty() || args.target.iter().any(|name| name == target.name)
    };
    for target in TARGETS.iter().filter(chosen) {
        let (start, before) = (Instant::now(), peak_mib()?);
        let share = args.inputs.div_ceil(args.threads.max(1));
        let reports = thread::scope(|scope| {
            let parts = (0..args.threads.max(1)).map(|part| {
                let first = (part * share).min(args.inputs);
                let count = share.min(args.inputs - first);
                scope.spawn(move || ::fuzz::run(target, args.seed, first, count))
            });
            let parts: Vec<_> = parts.collect();
            parts.into_iter().map(|part| part.join()).collect::<Vec<_>>()
        });
        let (mut inputs, mut accepted, mut slowest) = (0, 0, std::time::Duration::ZERO);
        for report in reports {
            let Ok(report) = report else { bail!("{}: a thread panicked", target.name) };
            match report {
                Ok(report) => {
                    inputs += report.inputs;
                    accepted += report.accepted;
                    slowest = slowest.max(report.slowest);
                }
                Err(broken) => {
                    let path = format!("broken-{}.bin", target.name);
                    std::fs::write(&path, &broken.input).context("cannot keep the input")?;
                    bail!("{}: {} ({path})", target.name, broken.what);
                }
            }
        }
        let grown = peak_mib()?.saturating_sub(before);
        println!(
            "{:<11} {inputs:>10} inputs, {accepted:>8} accepted, slowest {:.1} ms, memory +{grown} MiB, {:.0} s",
            target.name,
            1e3 * slowest.as_secs_f64(),
            start.elapsed().as_secs_f64(),
        );
        ensure!(grown <= BOUND_MIB, "{}: memory grew by {grown} MiB", target.name);
    }
    Ok(ExitCode::SUCCESS)
}

/// The most memory that the process ever had, 0 where the system does not say.
fn peak_mib() -> Result<u64> {
    let Ok(status) = std::fs::read_to_string("/proc/self/status") else { return Ok(0) };
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib: u64 = line.unwrap_or("0 kB").trim().trim_end_matches(" kB").parse()?;
    Ok(kib / 1024)
}
