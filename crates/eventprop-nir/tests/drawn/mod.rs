//! Random networks of the problem format, of all that NIR has an equal for.

use lif_core::network::{ConnectionKindSpec, ConnectionSpec, LayerKind, LayerSpec, OneOrMany};
use lif_core::{Network, Parameters};
use proptest::prelude::*;
use proptest::test_runner::TestRng;

#[derive(Clone, Debug)]
pub(crate) struct Drawn {
    pub(crate) network: Network,
    pub(crate) parameters: Parameters<f64>,
}

pub(crate) fn networks() -> impl Strategy<Value = Drawn> {
    Just(()).prop_perturb(|(), rng| Draw { rng }.network())
}

struct Draw {
    rng: TestRng,
}

impl Draw {
    fn network(mut self) -> Drawn {
        let (mut layers, mut connections) = (Vec::new(), Vec::new());
        if self.one_in(3) {
            self.convolutional(&mut layers, &mut connections);
        } else {
            let inputs = self.below(5) + 1;
            layers.push(LayerSpec::input("input", inputs));
        }
        for number in 0..self.below(3) {
            let size = self.below(5) + 1;
            let layer = self.neurons(&format!("hidden {number}"), size, true);
            self.dense(&layers[layers.len() - 1].name, &layer.name, &mut connections);
            layers.push(layer);
        }
        let spikes = self.one_in(2);
        let size = self.below(4) + 1;
        let output = self.neurons("output", size, spikes);
        self.dense(&layers[layers.len() - 1].name, "output", &mut connections);
        layers.push(output);
        // Around and back; not into images, for which NIR has no dense map.
        for _ in 0..self.below(4) {
            let rows: Vec<_> = layers[1..].iter().filter(|layer| layer.shape.is_none()).collect();
            let spiking: Vec<_> =
                layers.iter().filter(|layer| layer.kind != LayerKind::Li).collect();
            let from = spiking[self.below(spiking.len())].name.clone();
            let to = rows[self.below(rows.len())].name.clone();
            self.dense(&from, &to, &mut connections);
        }
        // A shape that no window needs.
        let last = layers.len() - 1;
        if self.one_in(2) {
            layers[last].shape = Some([1, layers[last].size, 1]);
        }
        // The order of connections is nobody's business but the network's.
        let turn = self.below(connections.len());
        connections.rotate_left(turn);
        // Nor is that of the layers between input and output.
        layers[1..last].reverse();
        let duration = self.number(1.0, 100.0);
        let network =
            Network::new(duration, layers, connections).expect("a drawn network is valid");
        let mut parameters = Parameters::initial(&network);
        for (position, own) in parameters.connections.iter_mut().enumerate() {
            own.weights.iter_mut().for_each(|weight| *weight = self.weight());
            let columns =
                own.weights.len() / network.layers()[network.connections()[position].to].size;
            let kind = self.below(3);
            let (a, b) = (self.delays(), self.delays());
            for (place, delay) in own.delays.iter_mut().enumerate() {
                *delay = match kind {
                    0 => a[place % columns.max(1) % a.len()],
                    1 => b[place / columns.max(1) % b.len()],
                    _ => self.delays()[0],
                };
            }
        }
        Drawn { network, parameters }
    }

    /// An input image, a convolution, a pooling.
    fn convolutional(
        &mut self,
        layers: &mut Vec<LayerSpec>,
        connections: &mut Vec<ConnectionSpec>,
    ) {
        let (channels, out) = (self.below(2) + 1, self.below(2) + 1);
        layers.push(LayerSpec::input("input", channels * 12).with_shape([channels, 3, 4]));
        layers.push(self.neurons("conv", out * 6, true).with_shape([out, 3, 2]));
        layers.push(self.neurons("pool", out * 2, true).with_shape([out, 2, 1]));
        connections.push(ConnectionSpec {
            kind: ConnectionKindSpec::Conv2d,
            kernel: Some([3, 2]),
            stride: Some([1, 2]),
            padding: Some([1, 0]),
            delays: self.one_in(2),
            ..ConnectionSpec::dense("input", "conv")
        });
        connections.push(ConnectionSpec {
            kind: ConnectionKindSpec::SumPool2d,
            kernel: Some([2, 2]),
            stride: Some([1, 2]),
            weight: Some(if self.one_in(2) { 1.0 } else { self.weight() }),
            ..ConnectionSpec::dense("conv", "pool")
        });
    }

    fn neurons(&mut self, name: &str, size: usize, spikes: bool) -> LayerSpec {
        let layer = LayerSpec {
            tau_mem: Some(self.constants(size, 0.5, 50.0)),
            tau_syn: Some(self.constants(size, 0.5, 50.0)),
            bias: Some(self.biases(size)),
            ..LayerSpec::li(name, size, 1.0, 1.0)
        };
        if !spikes {
            return layer;
        }
        LayerSpec {
            kind: LayerKind::Lif,
            threshold: Some(self.constants(size, 0.5, 2.0)),
            reset: Some(self.number(-1.0, 0.4)),
            ..layer
        }
    }

    fn constants(&mut self, size: usize, low: f64, high: f64) -> OneOrMany {
        match self.below(3) {
            0 => OneOrMany::One(self.number(low, high)),
            // Alike, but each neuron's own.
            1 => OneOrMany::Many(vec![self.number(low, high); size]),
            _ => OneOrMany::Many((0..size).map(|_| self.number(low, high)).collect()),
        }
    }

    /// Always learned by each neuron for itself: equal ones may as well be one.
    fn biases(&mut self, size: usize) -> OneOrMany {
        match self.one_in(2) {
            true => OneOrMany::One(self.number(-1.0, 1.0)),
            false => {
                OneOrMany::Many((0..size).map(|n| n as f64 + self.number(-0.45, 0.45)).collect())
            }
        }
    }

    fn dense(&mut self, from: &str, to: &str, connections: &mut Vec<ConnectionSpec>) {
        let delays = self.one_in(3);
        connections.push(ConnectionSpec { delays, ..ConnectionSpec::dense(from, to) });
    }

    fn weight(&mut self) -> f64 {
        match self.below(8) {
            0 => [0.0, -0.0, 1e-310, 1e30][self.below(4)],
            _ => self.number(-3.0, 3.0),
        }
    }

    fn delays(&mut self) -> Vec<f64> {
        (0..6).map(|_| if self.one_in(6) { 0.0 } else { self.number(0.0, 9.0) }).collect()
    }

    /// Any number between, or one that a person would write.
    fn number(&mut self, low: f64, high: f64) -> f64 {
        let number = low + (high - low) * (self.rng.next_u64() >> 11) as f64 / (1_u64 << 53) as f64;
        if self.one_in(4) { (number * 10.0).ceil() / 10.0 } else { number }
    }

    fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }

    fn below(&mut self, count: usize) -> usize {
        (self.rng.next_u64() % count as u64) as usize
    }
}
