//! Time against size.

use super::table::{Table, rate};
use crate::estimates::Estimates;
use crate::synthetic::{BASE, CURVES, Curve};
use anyhow::Result;

pub(super) fn section(estimates: &Estimates) -> Result<String> {
    let mut text = format!(
        "## Scaling

One thread, 784 inputs, one hidden layer of {} neurons that spike {} times a sample, a readout of 10, \
{} input spikes at different random times, batch {}; one quantity varies. Times are in microseconds a \
sample (update: a batch). *growth* is the factor by which a step's time a sample grew from the row above, \
and in brackets the factor of the quantity: linear growth has them equal, less has a smaller first.
",
        BASE.neurons, BASE.activity, BASE.input_spikes, BASE.batch
    );
    for curve in &CURVES {
        text += &format!("\n### {}\n\n{}", capitalised(curve.quantity), table(estimates, curve)?);
    }
    Ok(text)
}

fn table(estimates: &Estimates, curve: &Curve) -> Result<Table> {
    let mut table = Table::new([
        curve.quantity,
        "forward",
        "backward",
        "update",
        "step",
        "growth",
        "training samples/s",
    ]);
    let mut above: Option<(f64, f64)> = None;
    for &value in curve.values {
        let batch = (curve.size)(value).batch as f64;
        let of = |part| estimates.seconds(curve.name, part, &value.to_string());
        let (forward, both) = (of("forward")? / batch, of("differentiate")? / batch);
        let step = of("step")? / batch;
        let growth = match above {
            Some((earlier, time)) if earlier > 0.0 => {
                format!("{:.2} ({:.2})", step / time, value / earlier)
            }
            _ => String::new(),
        };
        above = Some((value, step));
        let micro = |seconds: f64| format!("{:.2}", seconds * 1e6);
        table.row([
            value.to_string(),
            micro(forward),
            micro(both - forward),
            micro(of("update")?),
            micro(step),
            growth,
            rate(step.recip()),
        ]);
    }
    Ok(table)
}

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
