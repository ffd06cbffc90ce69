use super::Out;
use super::one_sample::{self, OneSample};
use super::simulator::Simulator;
use anyhow::{Context, Result, bail};
use eventprop::lif_core::engine::Batch;
use eventprop::lif_core::network::Neuron;
use eventprop::lif_core::{Network, per_neuron};
use eventprop::plot::{self, TracedNeuron};

/// Draw voltage, current and adjoint variables of neurons over a sample.
///
/// They are computed with exact event times; of networks trained on a clock, step by step. Without
/// --neurons: two neurons of the first layer that spike about three times, and the label's output
/// neuron.
#[derive(clap::Args)]
#[command(allow_negative_numbers = true)]
pub(super) struct Args {
    #[command(flatten)]
    sample: one_sample::Args,
    /// Neurons as layer:position, separated by commas; at most 6.
    #[arg(long, value_name = "LAYER:N,...", value_delimiter = ',')]
    neurons: Vec<String>,
    #[command(flatten)]
    out: Out,
}

pub(super) fn run(args: &Args) -> Result<()> {
    let OneSample { simulator, spikes, label, title, .. } = args.sample.load()?;
    let network = simulator.network();
    let neurons = match args.neurons.as_slice() {
        [] => of_interest(simulator.as_ref(), label),
        names if names.len() > 6 => bail!("--neurons: at most 6, got {}", names.len()),
        names => names.iter().map(|name| find(network, name)).collect::<Result<_>>()?,
    };
    let duration = network.duration();
    let batch = Batch { spikes: &spikes, labels: &[label] };
    let traces = simulator.trace(batch, &neurons)?;
    let parameters = simulator.parameters();
    let names: Vec<_> = neurons
        .iter()
        .map(|&(layer, index)| format!("{}:{index}", network.layers()[layer].name))
        .collect();
    let columns: Vec<_> = traces
        .iter()
        .zip(&names)
        .map(|(trace, name)| {
            let spikes = network.layers()[trace.layer].is_lif();
            let thresholds = &parameters.layers[trace.layer].threshold;
            let threshold = spikes.then(|| *per_neuron(thresholds, trace.index));
            TracedNeuron { name, trace, threshold }
        })
        .collect();
    args.out.write("trace", &plot::trace(&title, duration, &columns)?)
}

/// `layer:position`.
fn find(network: &Network, name: &str) -> Result<(usize, usize)> {
    let (layer, index) = name
        .rsplit_once(':')
        .with_context(|| format!("--neurons: \"{name}\" is not of the form layer:position"))?;
    let known = || {
        let layers = network.layers()[1..].iter();
        layers.map(|l| format!("{} (0 to {})", l.name, l.size - 1)).collect::<Vec<_>>().join(", ")
    };
    let position = network.layer_index(layer).filter(|&position| position > 0);
    match (position, index.parse::<usize>()) {
        (Some(position), Ok(index)) if index < network.layers()[position].size => {
            Ok((position, index))
        }
        _ => bail!("--neurons: there is no neuron \"{name}\"; there are: {}", known()),
    }
}

fn of_interest(simulator: &dyn Simulator, label: u32) -> Vec<(usize, usize)> {
    let network = simulator.network();
    let mut neurons = Vec::new();
    let output = network.output_index();
    let first = network.layers().iter().position(|layer| matches!(layer.neuron, Neuron::Lif(_)));
    if let Some(layer) = first.filter(|&layer| layer != output) {
        let mut counts = vec![0; network.layers()[layer].size];
        for (_, neuron) in simulator.spikes(layer).get(0).iter() {
            counts[neuron as usize] += 1;
        }
        let mut order: Vec<_> = (0..counts.len()).collect();
        order.sort_by_key(|&neuron| i32::abs_diff(counts[neuron], 3));
        neurons.extend(order.into_iter().take(2).map(|neuron| (layer, neuron)));
    }
    neurons.push((output, label as usize));
    neurons
}
