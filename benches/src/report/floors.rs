//! What the machine could do, and how much of it the engine does.

use super::table::{Table, rate};
use crate::ceilings::{self, Level};
use crate::estimates::Estimates;
use crate::real::Task;
use crate::work::{FORMULAE, LayerWork, Work};
use anyhow::Result;

/// The tasks whose parts are held against the ceilings.
const HELD: [&str; 3] = ["mnist-64", "mnist-paper", "yin-yang"];

/// Below it the report says that something else holds a part.
const THIRD: f64 = 1.0 / 3.0;

pub(super) fn section(estimates: &Estimates) -> Result<String> {
    let ceilings = Ceilings::measured(estimates)?;
    let mut table = Table::new([
        "work",
        "part",
        "multiply-adds",
        "bytes",
        "at the machine's rates: arithmetic / memory, us",
        "measured, us",
        "of the nearer ceiling",
    ]);
    let mut low = Vec::new();
    for name in HELD {
        let task = Task::named(name)?;
        let work = Work::count(&task.workload()?)?;
        for part in ceilings.parts(estimates, task, &work)? {
            let Part { what, operations, bytes, arithmetic, memory, measured } = part;
            let fraction = arithmetic.max(memory) / measured;
            if fraction < THIRD {
                low.push(format!("{name} {what}"));
            }
            table.row([
                name.into(),
                what.into(),
                rate(operations),
                rate(bytes),
                format!("{:.2} / {:.2}", arithmetic * 1e6, memory * 1e6),
                format!("{:.2}", measured * 1e6),
                format!("{:.0} %", 100.0 * fraction),
            ]);
        }
    }
    let low = if low.is_empty() {
        "No part is under a third.".to_owned()
    } else {
        format!(
            "Under a third: {}. What is not counted (see the formulae) fills the time. {PROFILE}",
            low.join(", ")
        )
    };
    Ok(format!(
        "## Against the machine's ceilings

One thread, f32, measured in the same run:

{}
{FORMULAE}

Forward and backward are of a sample, update is of a batch.

{table}
{low}
",
        ceilings.table()
    ))
}

/// What holds the parts that are far from a ceiling.
const PROFILE: &str = "\
A profile of 784-350-10 at batch 64 (perf, 26 November 2026, EPYC of family 26, one thread, built for x86-64-v3) says with what. \
Forward: 51 % goes from interval to interval (two thirds of that on weights, decays and the bound on the \
voltage, a third on listing who may cross), 20 % solves crossings, 12 % is the readout, 10 % makes spikes into \
streams, 6 % sorts them. Backward: 67 % is the sweep, more than half of which stands at the rows of the gradient, read and written \
once an event and too large for the second cache; 14 % are jumps, each with an exponential and a division; 14 % is \
the readout's adjoint, with a sum over lanes for each event.";

/// Rates of this machine: operations and bytes a second.
struct Ceilings {
    multiply_adds: f64,
    /// On two threads at once, and the times of the work of one that this is; where there are two.
    together: Option<(f64, f64)>,
    /// Seconds for a cache line to the other core and back, before and after what two threads did; where there
    /// are two.
    exchange: Option<(f64, f64)>,
    roots: f64,
    /// By level: read, and read and written.
    levels: Vec<(Level, f64, f64)>,
}

/// A part of a step against the ceilings; times in seconds.
struct Part {
    what: &'static str,
    operations: f64,
    bytes: f64,
    arithmetic: f64,
    memory: f64,
    measured: f64,
}

impl Ceilings {
    fn measured(estimates: &Estimates) -> Result<Self> {
        let seconds = |function, value| estimates.seconds("ceiling", function, value);
        let levels = ceilings::levels().into_iter().map(|level| {
            let bytes = level.working_set as f64;
            let read = bytes / seconds("read", level.name)?;
            Ok((level, read, 2.0 * bytes / seconds("modify", level.name)?))
        });
        Ok(Self {
            multiply_adds: ceilings::MULTIPLY_ADDS as f64 / seconds("multiply-adds", "1")?,
            together: seconds("together", "2")
                .ok()
                .zip(seconds("together", "1").ok())
                .map(|(two, one)| (2.0 * ceilings::TOGETHER as f64 / two, 2.0 * one / two)),
            exchange: seconds("exchange", "before").ok().zip(seconds("exchange", "after").ok()),
            roots: ceilings::ROOTS as f64 / seconds("roots", "1")?,
            levels: levels.collect::<Result<_>>()?,
        })
    }

    fn table(&self) -> String {
        let mut table = Table::new(["ceiling", "billions a second"]);
        table.row(["multiply-adds".into(), giga(self.multiply_adds)]);
        if let Some((rate, times)) = self.together {
            let rate = format!("{}: {times:.2}x one thread by the same clock", giga(rate));
            table.row(["multiply-adds, two threads at once (wall time)".into(), rate]);
        }
        if let Some((before, after)) = self.exchange {
            let [before, after] =
                [before, after].map(|time| time * 1e9 / ceilings::EXCHANGES as f64);
            let times =
                format!("{before:.0} ns before the work of two threads, {after:.0} ns after");
            table.row(["a cache line to the other core and back".into(), times]);
        }
        table.row(["square roots, each with a division".into(), giga(self.roots)]);
        for (level, read, modify) in &self.levels {
            let size = level.working_set >> 10;
            table.row([format!("{} ({size} KiB): bytes read", level.name), giga(*read)]);
            let what = format!("{}: bytes read and written, in place", level.name);
            table.row([what, giga(*modify)]);
        }
        table.to_string()
    }

    fn parts(&self, estimates: &Estimates, task: &Task, work: &Work) -> Result<[Part; 3]> {
        let batch = task.batch_size as f64;
        let seconds = |part| estimates.seconds(task.name, part, "1");
        let forward = seconds("forward")? / batch;
        let sum = |of: &dyn Fn(&LayerWork) -> f64| work.layers.iter().map(of).sum::<f64>();
        let weights = work.weights as f64;
        let of = |layer: &LayerWork| self.of(layer.block_bytes);
        let (_, update) = self.of(work.update_working_set());
        Ok([
            Part {
                what: "forward",
                operations: sum(&|layer| layer.forward),
                bytes: sum(&|layer| layer.forward_bytes),
                arithmetic: sum(&|layer| layer.forward) / self.multiply_adds,
                memory: sum(&|layer| layer.forward_bytes / of(layer).0),
                measured: forward,
            },
            Part {
                what: "backward",
                operations: sum(&|layer| layer.backward),
                bytes: sum(&|layer| layer.backward_bytes),
                arithmetic: sum(&|layer| layer.backward) / self.multiply_adds,
                memory: sum(&|layer| layer.backward_bytes / of(layer).1),
                measured: seconds("differentiate")? / batch - forward,
            },
            Part {
                what: "update",
                operations: 7.0 * weights,
                bytes: work.update_bytes(),
                arithmetic: (7.0 * weights / self.multiply_adds).max(weights / self.roots),
                memory: work.update_bytes() / update,
                measured: seconds("update")?,
            },
        ])
    }

    /// Bytes a second, read and modified, where `bytes` live.
    fn of(&self, bytes: usize) -> (f64, f64) {
        let home = ceilings::level_of(bytes);
        let found = self.levels.iter().find(|(level, ..)| *level == home);
        found.map_or((f64::INFINITY, f64::INFINITY), |&(_, read, modify)| (read, modify))
    }
}

fn giga(value: f64) -> String {
    format!("{:.1}", value * 1e-9)
}
