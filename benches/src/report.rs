//! `docs/BENCHMARKS.md`, made of what the benchmarks measured.

mod curves;
mod floors;
mod peers;
mod real;
mod section;
mod table;

pub use section::{COMPARISON, GPU, Section};
pub use table::{Table, rate, ratio};

use crate::estimates::Estimates;
use crate::machine::{self, Machine};
use anyhow::Result;

/// The share of its time in use by others up to which a machine counts as quiet.
const QUIET: f64 = 0.05;

/// The report on `estimates`, measured today on this machine; `used` are the shares of
/// its time that others used just before and after, where they are known. What other commands wrote into
/// the `old` report stays.
///
/// # Errors
/// If a benchmark is missing or an engine fails while its work is counted.
pub fn write(
    estimates: &Estimates,
    quick: bool,
    used: [Option<f64>; 2],
    old: &str,
) -> Result<String> {
    let machine = Machine::here();
    let sections = [
        head(&machine, quick, used),
        peers::section(estimates)?,
        COMPARISON.of(old),
        real::section(estimates)?,
        floors::section(estimates)?,
        curves::section(estimates)?,
        GPU.of(old),
    ];
    Ok(sections.join("\n"))
}

fn head(machine: &Machine, quick: bool, used: [Option<f64>; 2]) -> String {
    let Machine { processor, threads, built_for, has, caches: [l1, l2, l3] } = machine;
    let date = machine::today();
    let kilobytes = |bytes: &usize| bytes >> 10;
    let (l1, l2, l3) = (kilobytes(l1), kilobytes(l2), kilobytes(l3));
    let busy = if used.iter().flatten().any(|&share| share > QUIET) {
        "\n**The machine was busy with other work while this was measured: read these figures as lower \
         bounds of speed; those of two threads, which are of wall time, say next to nothing.**\n"
    } else {
        ""
    };
    let [before, after] =
        used.map(|share| share.map_or("unknown".into(), |share| format!("{:.0} %", 100.0 * share)));
    let quick =
        if quick { " This was a run with `--quick`: two or three samples each." } else { "" };
    format!(
        "# Benchmarks

Written by `cargo xtask bench` on {date}; run it to have the figures of another machine.
{busy}
| | |
|---|---|
| processor | {processor}, {threads} threads |
| caches (data, of a core) | L1 {l1} KiB, L2 {l2} KiB; L3 {l3} KiB |
| instruction set | built for {built_for}; the processor has {has} |
| used by other work | {before} of the machine before, {after} after |

Method: criterion; the median of ten samples of some 40 ms after a warm-up of 100 ms.{quick} Training steps \
are taken at learning rate 0: the optimiser does all its arithmetic, and every step has the same work. \
Batches change from step to step. *forward* is inference, *backward* the time of a differentiation less \
that of an inference, *update* the optimiser, *step* a whole training step, measured by itself. \
On one thread the time is the processor's, which other work on the machine disturbs less; on two threads, and \
before the first step, it is wall time. Ratios above 1 are in favour of this engine; all that was measured is \
shown.
"
    )
}
