use super::Out;
use super::one_sample::{self, OneSample};
use anyhow::Result;
use eventprop::lif_core::engine::Batch;
use eventprop::plot::{self, Row};

/// Draw the input, hidden and output spikes of a sample, and the voltages of a readout.
///
/// Spikes have exact event times; of networks trained on a clock they are those of its steps.
#[derive(clap::Args)]
#[command(allow_negative_numbers = true)]
pub(super) struct Args {
    #[command(flatten)]
    sample: one_sample::Args,
    #[command(flatten)]
    out: Out,
}

pub(super) fn run(args: &Args) -> Result<()> {
    let OneSample { simulator, spikes, label, title, .. } = args.sample.load()?;
    let network = simulator.network();
    let duration = network.duration();
    let batch = Batch { spikes: &spikes, labels: &[label] };
    let mut rows = Vec::new();
    for (position, layer) in network.layers().iter().enumerate() {
        let (name, size) = (layer.name.clone(), layer.size);
        rows.push(if position == 0 || layer.is_lif() {
            let spikes = match position {
                0 => spikes.get(0).iter().collect(),
                _ => simulator.spikes(position).get(0).iter().collect(),
            };
            Row::Spikes { name, size, spikes }
        } else {
            let neurons: Vec<_> = (0..size).map(|index| (position, index)).collect();
            let traces = simulator.trace(batch, &neurons)?;
            let line = |trace: &eventprop::lif_core::reference::Trace| {
                trace.state.iter().map(|(time, state)| (*time, state.v)).collect()
            };
            Row::Voltages { name, lines: traces.iter().map(line).collect() }
        });
    }
    args.out.write("raster", &plot::raster(&title, duration, &rows)?)
}
