//! Chains of dense layers.
// Each test file uses a part of it.
#![allow(dead_code)]

use crate::draw::INPUTS;
use lif_core::Network;
use lif_core::network::{ConnectionSpec, LayerSpec};

pub(crate) fn chain(sizes: &[usize], taus: (f64, f64), spiking: bool) -> Network {
    chain_with(sizes, taus, spiking, false, None)
}

pub(crate) fn delayed_chain(sizes: &[usize], taus: (f64, f64), spiking: bool) -> Network {
    chain_with(sizes, taus, spiking, true, None)
}

/// A chain of dense layers, with delays or without, with one more connection, its first.
pub(crate) fn chain_with(
    sizes: &[usize],
    (tau_mem, tau_syn): (f64, f64),
    spiking: bool,
    delays: bool,
    first: Option<ConnectionSpec>,
) -> Network {
    let mut layers = vec![LayerSpec::input("0", INPUTS)];
    for (position, &size) in sizes.iter().enumerate() {
        let name = (position + 1).to_string();
        let lif = spiking || position + 1 < sizes.len();
        layers.push(if lif {
            LayerSpec::lif(name, size, tau_mem, tau_syn)
        } else {
            LayerSpec::li(name, size, tau_mem, tau_syn)
        });
    }
    let dense = |layer: usize| ConnectionSpec {
        delays,
        ..ConnectionSpec::dense(layer.to_string(), (layer + 1).to_string())
    };
    let connections = first.into_iter().chain((0..sizes.len()).map(dense));
    Network::new(30.0, layers, connections.collect()).unwrap()
}
