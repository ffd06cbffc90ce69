use super::Out;
use super::one_sample::{self, OneSample};
use anyhow::Result;
use eventprop::lif_core::engine::{Batch, Engine};
use eventprop::plot::{self, Row};

/// Draw the input, hidden and output spikes of a sample, and the voltages of a readout.
///
/// Spikes are computed with exact event times, also for networks trained on a clock.
#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    sample: one_sample::Args,
    #[command(flatten)]
    out: Out,
}

pub(super) fn run(args: &Args) -> Result<()> {
    let OneSample { engine, spikes, label, title, .. } = args.sample.load()?;
    let network = engine.network();
    let duration = network.duration();
    let batch = Batch { spikes: &spikes, labels: &[label] };
    let mut rows = Vec::new();
    for (position, layer) in network.layers().iter().enumerate() {
        let (name, size) = (layer.name.clone(), layer.size);
        rows.push(if position == 0 || layer.is_lif() {
            let spikes = match position {
                0 => spikes.get(0).iter().collect(),
                _ => engine.spikes(position).get(0).iter().collect(),
            };
            Row::Spikes { name, size, spikes }
        } else {
            let neurons: Vec<_> = (0..size).map(|index| (position, index)).collect();
            let traces = engine.trace(batch, &neurons, duration / 400.0)?;
            let line = |trace: &eventprop::lif_core::reference::Trace| {
                trace.state.iter().map(|(time, state)| (*time, state.v)).collect()
            };
            Row::Voltages { name, lines: traces.iter().map(line).collect() }
        });
    }
    args.out.write("raster", &plot::raster(&title, duration, &rows)?)
}
