//! Real data, exact and clock-driven.

use super::table::{Table, rate, ratio};
use crate::estimates::Estimates;
use crate::real::{GRID_PRESETS, TASKS};
use crate::work::Work;
use anyhow::Result;

pub(super) fn section(estimates: &Estimates) -> Result<String> {
    Ok(format!(
        "## Real data

Weights are the initial ones of the recipe, scaled where a number of hidden spikes is given.

{}
Inference is the forward part of a step, to the bit, so it cannot be faster than training by more than the other parts take: where \
a batch is small the optimiser is most of a step, where it is large forward is, for backward costs no more than the \
neurons were active.

Forward, backward and update are in microseconds a sample, on one thread:

{}
### Clock-driven (`seed`, `seed-readme`)

784-10 on a grid of 1 ms, batch 128. *step* takes samples that were prepared once, as training does; the \
other columns take spikes as they come.

{}
### Before the first step

{}",
        rates(estimates)?,
        parts(estimates)?,
        grid(estimates)?,
        setup(estimates)?
    ))
}

fn rates(estimates: &Estimates) -> Result<String> {
    let mut table = Table::new([
        "work",
        "input / hidden spikes a sample",
        "training samples/s, 1 thread",
        "2 threads",
        "2 against 1",
        "inference samples/s, 1 thread",
        "inference against training",
    ]);
    for task in &TASKS {
        let work = Work::count(&task.workload()?)?;
        let batch = task.batch_size as f64;
        let of = |part, threads| {
            Ok::<_, anyhow::Error>(batch / estimates.seconds(task.name, part, threads)?)
        };
        let (step, forward) = (of("step", "1")?, of("forward", "1")?);
        let two = of("step", "2").ok();
        table.row([
            task.description.into(),
            format!("{:.0} / {:.0}", work.input_spikes, work.hidden_spikes),
            rate(step),
            two.map_or("-".into(), rate),
            two.map_or("-".into(), |two| ratio(two / step)),
            rate(forward),
            ratio(forward / step),
        ]);
    }
    Ok(table.to_string())
}

fn parts(estimates: &Estimates) -> Result<String> {
    let mut table = Table::new(["work", "forward", "backward", "update", "step"]);
    for task in &TASKS {
        let of = |part| {
            let seconds = estimates.seconds(task.name, part, "1")?;
            Ok::<_, anyhow::Error>(seconds * 1e6 / task.batch_size as f64)
        };
        let (forward, both) = (of("forward")?, of("differentiate")?);
        table.row([
            task.description.into(),
            format!("{forward:.2}"),
            format!("{:.2}", both - forward),
            format!("{:.2}", of("update")?),
            format!("{:.2}", of("step")?),
        ]);
    }
    Ok(table.to_string())
}

fn grid(estimates: &Estimates) -> Result<String> {
    let mut table = Table::new([
        "preset",
        "threads",
        "step: samples/s",
        "forward: samples/s",
        "forward and backward: samples/s",
        "update: microseconds a batch",
    ]);
    for preset in GRID_PRESETS {
        let batch = eventprop::Config::preset(preset)?.training.batch_size as f64;
        for threads in ["1", "2"] {
            let of = |part| estimates.seconds(preset, part, threads);
            let Ok(step) = of("step") else { continue };
            table.row([
                preset.into(),
                threads.into(),
                rate(batch / step),
                rate(batch / of("forward")?),
                rate(batch / of("differentiate")?),
                format!("{:.2}", of("update")? * 1e6),
            ]);
        }
    }
    Ok(table.to_string())
}

fn setup(estimates: &Estimates) -> Result<String> {
    let mut table = Table::new(["all cores", "ms"]);
    for (what, part) in [
        ("decode MNIST (70,000 images)", "decode"),
        ("encode its 60,000 training images as latencies", "encode"),
    ] {
        table.row([what.into(), format!("{:.0}", estimates.seconds("setup", part, "all")? * 1e3)]);
    }
    Ok(table.to_string())
}
