//! Counts instructions a training sample and compares them with the committed bounds.

use anyhow::{Context, Result, anyhow, bail};
use eventprop_benches::instructions::{self, COUNTED, Counted};
use eventprop_benches::{machine, root};
use std::path::Path;
use std::process::ExitCode;
use std::thread;

/// With `--accept` the bounds are written anew; `pass NAME SAMPLES PASSES` is the run that is counted. Exit status 1 above a
/// bound.
fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match run(&arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn run(arguments: &[&str]) -> Result<bool> {
    match arguments {
        [] => compare(false),
        ["--accept"] => compare(true),
        ["pass", name, samples, passes] => {
            let passes = passes.parse().context("how many passes?")?;
            Counted::named(name)?.train(Path::new(samples), passes)?;
            Ok(true)
        }
        _ => bail!("it takes --accept, or nothing"),
    }
}

/// Whether all counts are within their bounds.
fn compare(accept: bool) -> Result<bool> {
    let program = std::env::current_exe().context("where is this program?")?;
    let path = root().join("benches/instructions.toml");
    let bounds =
        if accept { instructions::Bounds::new() } else { instructions::read_bounds(&path)? };
    let (mut counts, mut within) = (Vec::new(), true);
    for (workload, count) in COUNTED.iter().zip(count_all(&program)) {
        let (name, count) = (workload.name, count?);
        counts.push((name, count));
        print!("{name}: {count} instructions a training sample");
        if accept {
            println!();
            continue;
        }
        let bound = bounds.get(name).with_context(|| format!("no bound for {name}"))?;
        let change = 100.0 * (count as f64 / bound.measured as f64 - 1.0);
        println!(
            "; bound {}, {change:+.1} % against {} on {}",
            bound.bound, bound.measured, bound.date
        );
        if count > bound.bound {
            eprintln!(
                "broken: {name} takes more instructions than its bound; make it cheaper, or accept it: \
                 cargo xtask bench --instructions --accept"
            );
            within = false;
        }
    }
    if accept {
        instructions::write_bounds(&path, &counts, &machine::today())?;
        println!("wrote benches/instructions.toml");
    }
    Ok(within)
}

/// The counts of all workloads, side by side: instructions are as many however busy the machine is.
fn count_all(program: &Path) -> Vec<Result<u64>> {
    thread::scope(|scope| {
        let started = COUNTED.each_ref().map(|workload| scope.spawn(|| workload.count(program)));
        let ended = started.into_iter().map(|counting| {
            counting.join().unwrap_or_else(|_| Err(anyhow!("a count ended before its time")))
        });
        ended.collect()
    })
}
