use super::Out;
use crate::numbers;
use crate::source::Source;
use anyhow::{Result, bail};
use eventprop::lif_core::Network;
use eventprop::lif_core::network::ConnectionKind;
use eventprop::plot::{self, Field};
use std::path::PathBuf;

/// Draw receptive fields: the weights into neurons, laid out as the layer they come from; the kernels
/// of a convolution.
#[derive(clap::Args)]
#[command(allow_negative_numbers = true)]
pub(super) struct Args {
    /// A run's folder, a checkpoint, a configuration (.toml, .json) or a preset.
    network: PathBuf,
    /// The connection's position in the network.
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = numbers::from_zero)]
    connection: usize,
    /// How many neurons, from the first on.
    #[arg(long, value_name = "N", default_value_t = 24, value_parser = numbers::from_one)]
    count: usize,
    #[command(flatten)]
    out: Out,
}

pub(super) fn run(args: &Args) -> Result<()> {
    let Source { network, parameters, .. } = Source::load(&args.network)?;
    let Some(connection) = network.connections().get(args.connection) else {
        bail!(
            "--connection {}: the network has {} connections, numbered from 0",
            args.connection,
            network.connections().len()
        );
    };
    let weights = &parameters.connections[args.connection].weights;
    let (from, to) = (&network.layers()[connection.from], &network.layers()[connection.to]);
    let title = format!("{} to {}", from.name, to.name);
    let fields: Vec<Field> = match &connection.kind {
        ConnectionKind::Dense => {
            let shape = shape(&network, connection.from);
            let column = |neuron: usize| weights[neuron..].iter().step_by(to.size);
            let field = |neuron: usize| Field {
                name: format!("{}:{neuron}", to.name),
                shape,
                weights: column(neuron).map(|&weight| f64::from(weight)).collect(),
            };
            (0..to.size.min(args.count)).map(field).collect()
        }
        ConnectionKind::Conv2d(window) => {
            let size = window.kernel[0] * window.kernel[1];
            let inputs = from.shape.map_or(1, |shape| shape[0]);
            let field = |(number, kernel): (usize, &[f32])| Field {
                name: format!("{} from {}", number / inputs, number % inputs),
                shape: window.kernel,
                weights: kernel.iter().map(|&weight| f64::from(weight)).collect(),
            };
            weights.chunks(size).enumerate().take(args.count).map(field).collect()
        }
        ConnectionKind::SumPool2d { .. } => bail!("{title} is a pooling: its one weight is fixed"),
    };
    args.out.write("weights", &plot::weights(&title, &fields)?)
}

/// Rows and columns to lay a layer out in: its own shape, a square, or one row.
fn shape(network: &Network, layer: usize) -> [usize; 2] {
    let layer = &network.layers()[layer];
    if let Some([channels, height, width]) = layer.shape {
        return [channels * height, width];
    }
    let side = layer.size.isqrt();
    if side * side == layer.size { [side, side] } else { [1, layer.size] }
}
