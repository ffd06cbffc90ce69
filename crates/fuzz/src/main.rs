//! The program behind `cargo xtask fuzz`.

use anyhow::{Context, Result, bail, ensure};
use clap::Parser;
use fuzz::{Report, TARGETS, Target};
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

/// Run malformed input through every parser: no panic, no hang, no memory beyond a bound.
///
/// Prints how many inputs ran, how many were taken for right, the slowest, and by how much the
/// process grew. An input that breaks a parser is written to `broken-NAME.bin`.
#[derive(Parser)]
#[command(name = "cargo xtask fuzz", bin_name = "cargo xtask fuzz")]
struct Args {
    /// Inputs of each target.
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    inputs: u64,
    /// Selects the inputs.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Threads.
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..))]
    threads: u64,
    /// Targets; all if none is given.
    #[arg(long, value_parser = TARGETS.map(|target| target.name))]
    target: Vec<String>,
}

/// The most by which the process may grow: inputs are at most 32 KiB.
const BOUND_MIB: u64 = 256;

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> Result<()> {
    // Panics are caught and reported; their own message would come once for each.
    std::panic::set_hook(Box::new(|_| {}));
    let chosen = |target: &&Target| {
        args.target.is_empty() || args.target.iter().any(|name| name == target.name)
    };
    for target in TARGETS.iter().filter(chosen) {
        let (start, before) = (Instant::now(), peak_mib()?);
        let Report { inputs, accepted, slowest } = on_all_threads(target, args)?;
        let grown = peak_mib()?.saturating_sub(before);
        println!(
            "{:<11} {inputs:>10} inputs, {accepted:>8} accepted, slowest {:.1} ms, memory +{grown} MiB, {:.0} s",
            target.name,
            1e3 * slowest.as_secs_f64(),
            start.elapsed().as_secs_f64(),
        );
        ensure!(grown <= BOUND_MIB, "{}: memory grew by {grown} MiB", target.name);
    }
    Ok(())
}

/// Each thread takes a range of the inputs.
fn on_all_threads(target: &Target, args: &Args) -> Result<Report> {
    let share = args.inputs.div_ceil(args.threads);
    let outcomes = thread::scope(|scope| {
        let parts = (0..args.threads).map(|part| {
            let first = (part * share).min(args.inputs);
            let count = share.min(args.inputs - first);
            scope.spawn(move || fuzz::run(target, args.seed, first, count))
        });
        let parts: Vec<_> = parts.collect();
        parts.into_iter().map(|part| part.join()).collect::<Vec<_>>()
    });
    let mut all = Report { inputs: 0, accepted: 0, slowest: Duration::ZERO };
    for outcome in outcomes {
        let Ok(outcome) = outcome else { bail!("{}: a thread panicked", target.name) };
        match outcome {
            Ok(report) => {
                all.inputs += report.inputs;
                all.accepted += report.accepted;
                all.slowest = all.slowest.max(report.slowest);
            }
            Err(broken) => {
                let path = format!("broken-{}.bin", target.name);
                std::fs::write(&path, &broken.input).context("cannot keep the input")?;
                bail!("{}: {} ({path})", target.name, broken.what);
            }
        }
    }
    Ok(all)
}

/// The most memory that the process ever had, 0 where the system does not say.
fn peak_mib() -> Result<u64> {
    let Ok(status) = std::fs::read_to_string("/proc/self/status") else { return Ok(0) };
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib: u64 = line.unwrap_or("0 kB").trim().trim_end_matches(" kB").parse()?;
    Ok(kib / 1024)
}
