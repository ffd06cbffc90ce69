//! Random networks in which all layers spike, a few times a neuron.
// Each test file uses a part of it.
#![allow(dead_code)]

use crate::draw::{Draw, fill_delays, spikes};
use lif_core::loss::Loss;
use lif_core::network::{Connection, LayerSpec};
use lif_core::{Network, Parameters};
use proptest::prelude::*;

/// A layer of integrators if it is the last and those do not spike.
pub(crate) fn layer(name: &str, size: usize, spiking: bool) -> LayerSpec {
    match name {
        "out" if !spiking => LayerSpec::li(name, size, 20.0, 5.0),
        _ => LayerSpec::lif(name, size, 20.0, 5.0),
    }
}

/// Parameters by which what arrives, all connections together, excites on the whole.
fn lively(network: &Network, strength: f64, uniform: &mut impl FnMut() -> f64) -> Parameters<f32> {
    let mut parameters = Parameters::initial(network);
    for (connection, own) in network.connections().iter().zip(&mut parameters.connections) {
        let below = |other: &&Connection| other.to == connection.to && other.from < other.to;
        let into = network.connections().iter().filter(below).count();
        let is_back = connection.from >= connection.to && into > 0;
        let hearers = network.layers()[connection.to].size;
        // Of a convolution the sources of one neuron are few.
        let mut sources = vec![0; hearers];
        for source in 0..network.layers()[connection.from].size {
            let position = network.connections().iter().position(|other| other == connection);
            network.fan_out(position.unwrap(), source, |target, _| sources[target] += 1);
        }
        let most = sources.into_iter().max().unwrap_or(1).max(1);
        // Few neurons spike; those of a layer inhibit one another on the whole, and those of lower layers.
        let factor = match connection.from {
            0 => 1.0,
            _ if is_back => 0.3,
            _ => 3.0,
        };
        let scale = strength * factor / (most * into.max(1)) as f64;
        let down = if is_back { 1.4 } else { 0.6 };
        own.weights.fill_with(|| ((uniform() * 2.0 - down) * scale) as f32);
        fill_delays(own, uniform);
    }
    parameters
}

pub(crate) fn losses() -> impl Strategy<Value = Loss> {
    prop_oneof![
        Just(Loss::VmaxCrossEntropy {}),
        Just(Loss::ExpMeanCrossEntropy {}),
        Just(Loss::TtfsCrossEntropy { tau: 2.0, alpha: 0.01, tau_early: 10.0 }),
        Just(Loss::SpikeTimeSum {}),
    ]
}

pub(crate) fn is_spiking(loss: Loss) -> bool {
    matches!(loss, Loss::SpikeTimeSum {} | Loss::TtfsCrossEntropy { .. })
}

pub(crate) fn draw(
    network: Network,
    loss: Loss,
    samples: usize,
    uniform: &mut impl FnMut() -> f64,
) -> Draw {
    let parameters = lively(&network, 20.0, uniform);
    let spikes = spikes(samples, 120, uniform);
    Draw { parameters, spikes, labels: (0..samples).map(|s| s as u32 % 7).collect(), loss, network }
}
