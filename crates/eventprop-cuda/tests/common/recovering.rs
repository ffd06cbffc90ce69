//! Networks of neurons that need time to recover from a spike.
// Each test file uses a part of it.
#![allow(dead_code)]

use crate::agree::STEEP;
use crate::draw::{Draw, INPUTS};
use crate::lively;
use lif_core::Network;
use lif_core::network::{Adaptation, ConnectionSpec, LayerSpec, OneOrMany};

/// What neurons recover from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Kind {
    pub(crate) refractory: bool,
    pub(crate) adaptive: bool,
    /// Each has time constants of its own.
    pub(crate) own_taus: bool,
}

pub(crate) const REFRACTORY: Kind = Kind { refractory: true, adaptive: false, own_taus: false };
pub(crate) const ADAPTIVE: Kind = Kind { refractory: false, adaptive: true, own_taus: false };
pub(crate) const NEITHER: Kind = Kind { refractory: false, adaptive: false, own_taus: false };
pub(crate) const BOTH: Kind = Kind { refractory: true, adaptive: true, own_taus: false };

/// A layer of such neurons, with a reset and biases, outputs with thresholds of their own; integrators if it is the last and those do not spike.
pub(crate) fn layer(
    name: &str,
    size: usize,
    kind: Kind,
    spiking: bool,
    uniform: &mut impl FnMut() -> f64,
) -> LayerSpec {
    let taus = [(20.0, 5.0), (10.0, 5.0), (12.0, 5.0), (5.0, 9.0), (6.0, 6.0)];
    let (tau_mem, tau_syn) = taus[(uniform() * 5.0) as usize];
    let mut layer = lively::layer(name, size, spiking);
    (layer.tau_mem, layer.tau_syn) = (Some(OneOrMany::One(tau_mem)), Some(OneOrMany::One(tau_syn)));
    if name == "out" && !spiking {
        return layer;
    }
    if kind.own_taus {
        layer.tau_mem = Some(OneOrMany::Many((0..size).map(|_| 5.0 + uniform() * 20.0).collect()));
        layer.tau_syn = Some(OneOrMany::Many((0..size).map(|_| 3.0 + uniform() * 6.0).collect()));
    }
    let thresholds = (0..size).map(|_| 0.8 + uniform() * 0.4).collect();
    layer.threshold = (name == "out").then_some(OneOrMany::Many(thresholds));
    layer.reset = Some(uniform() * 0.8 - 0.4);
    layer.bias = Some(OneOrMany::Many((0..size).map(|_| uniform() * 0.6 - 0.3).collect()));
    layer.refractory = kind.refractory.then(|| 0.3 + uniform() * 4.0);
    let adaptation = || Adaptation { beta: 0.05 + uniform() * 0.5, tau: 3.0 + uniform() * 40.0 };
    layer.adaptation = kind.adaptive.then(adaptation);
    layer
}

/// Two hidden layers, of neurons of a kind each, around the first too, and what leads `back`. Each connection has delays
/// with probability `delayed`.
pub(crate) fn dense(
    uniform: &mut impl FnMut() -> f64,
    kinds: [Kind; 2],
    size: usize,
    spiking: bool,
    delayed: f64,
    back: &[(&str, &str)],
) -> Network {
    let layers = vec![
        LayerSpec::input("0", INPUTS),
        layer("1", size, kinds[0], true, uniform),
        layer("2", 1 + size / 2, kinds[1], true, uniform),
        layer("out", 7, kinds[1], spiking, uniform),
    ];
    let pairs = [("0", "1"), ("1", "2"), ("2", "out"), ("0", "2")];
    let connections = pairs.iter().chain(back).map(|&(from, to)| {
        let delays = uniform() < delayed;
        ConnectionSpec { delays, ..ConnectionSpec::dense(from, to) }
    });
    let connections = connections.collect();
    Network::new(30.0, layers, connections).unwrap()
}

/// Whether single precision can tell each spike from the arrival after it, and the end of each refractory time from what
/// arrives around it: where one overtakes the other the gradient jumps.
pub(crate) fn is_clear(draw: &Draw) -> bool {
    draw.margins().is_some_and(|margins| {
        margins.clearance > 1e-5 && margins.slope > STEEP && margins.release > 1e-5
    })
}
