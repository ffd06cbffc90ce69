//! Random networks, small enough for finite differences, lively enough that spikes matter.

use crate::{Case, Kind};
use lif_core::flow::{State, TimeConstants};
use lif_core::loss::{Loss, Objective};
use lif_core::network::{
    Adaptation, ConnectionKindSpec, ConnectionSpec, LayerKind, LayerSpec, OneOrMany,
};
use lif_core::{Network, Parameters, SpikeBatch};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Simulated time in ms.
const DURATION: f64 = 50.0;

/// Input spikes come before this time in ms.
const LAST_INPUT: f64 = 25.0;

pub(crate) fn draw(kind: Kind, loss: Loss, seed: u64, number: u64) -> Case {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let losses = crate::LOSSES.iter().position(|other| other.name() == loss.name());
    rng.set_stream(((number * 64) + losses.unwrap_or(0) as u64) * 64 + kind as u64);
    let mut draft = Draft { rng, kind, layers: Vec::new(), connections: Vec::new() };
    draft.build(Objective::<f64>::readout(&loss).needs_spikes());
    draft.finish(loss)
}

struct Draft {
    rng: ChaCha8Rng,
    kind: Kind,
    layers: Vec<LayerSpec>,
    connections: Vec<ConnectionSpec>,
}

impl Draft {
    fn build(&mut self, spiking_output: bool) {
        if self.kind == Kind::Conv {
            self.convolutional();
        } else {
            self.layers.push(LayerSpec::input("input", 5));
            for depth in 0..self.depth() {
                let size = self.rng.random_range(3..=4);
                self.hidden(format!("hidden{depth}"), size);
                let before = self.layers[depth].name.clone();
                self.connect(&before, &format!("hidden{depth}"));
            }
        }
        let last = self.layers[self.layers.len() - 1].name.clone();
        self.hidden(String::from("out"), 3);
        if !spiking_output && self.kind != Kind::SpikingReadout {
            let out = self.layers.last_mut().expect("just pushed");
            *out = LayerSpec {
                kind: LayerKind::Li,
                threshold: None,
                reset: None,
                refractory: None,
                adaptation: None,
                ..out.clone()
            };
        }
        self.connect(&last, "out");
        match self.kind {
            kind if kind.has_recurrent_layer() => self.connect("hidden0", "hidden0"),
            Kind::Skip => {
                self.connect("input", "out");
                self.connect("input", "hidden1");
                self.connect("hidden1", "hidden0");
            }
            Kind::SkipForward => {
                self.connect("input", "out");
                if last == "hidden1" {
                    self.connect("hidden0", "out");
                    self.connect("input", "hidden1");
                }
            }
            _ => {}
        }
    }

    fn depth(&mut self) -> usize {
        match self.kind {
            Kind::Skip => 2,
            Kind::SkipForward => self.rng.random_range(1..=2),
            Kind::Adaptive => 1,
            kind if kind.has_recurrent_layer() => 1,
            _ => self.rng.random_range(0..=2),
        }
    }

    /// Windows of unequal sides, with stride and padding: nothing symmetric hides a mistake.
    fn convolutional(&mut self) {
        self.layers.push(LayerSpec::input("input", 9).with_shape([1, 3, 3]));
        self.hidden(String::from("conv"), 2 * 2 * 2);
        self.hidden(String::from("pool"), 2 * 2);
        self.layers[1].shape = Some([2, 2, 2]);
        self.layers[2].shape = Some([2, 1, 2]);
        self.connections.push(ConnectionSpec {
            kind: ConnectionKindSpec::Conv2d,
            kernel: Some([2, 3]),
            stride: Some([1, 2]),
            padding: Some([0, 1]),
            delays: self.rng.random_bool(0.5),
            ..ConnectionSpec::dense("input", "conv")
        });
        self.connections.push(ConnectionSpec {
            kind: ConnectionKindSpec::SumPool2d,
            kernel: Some([2, 1]),
            stride: Some([1, 1]),
            weight: Some(3.5),
            ..ConnectionSpec::dense("conv", "pool")
        });
    }

    /// Appends a spiking layer.
    fn hidden(&mut self, name: String, size: usize) {
        let (tau_mem, tau_syn) = self.time_constants();
        let mut layer = LayerSpec::lif(name, size, tau_mem, tau_syn);
        match self.kind {
            Kind::PerNeuron => {
                let taus: Vec<_> = (0..size).map(|_| self.time_constants()).collect();
                layer.tau_mem = Some(OneOrMany::Many(taus.iter().map(|taus| taus.0).collect()));
                layer.tau_syn = Some(OneOrMany::Many(taus.iter().map(|taus| taus.1).collect()));
                layer.threshold = Some(OneOrMany::Many(self.uniform(size, 0.7, 1.3)));
            }
            Kind::Bias => {
                // Some spike by their bias alone, and inhibition only keeps them from it for a while.
                layer.bias = Some(OneOrMany::Many(self.uniform(size, -0.3, 1.8)));
                layer.reset = Some(self.one(-0.5, 0.4));
            }
            Kind::Refractory => {
                layer.refractory = Some(self.one(0.5, 6.0));
                layer.reset = Some(self.one(-0.5, 0.4));
            }
            Kind::Adaptive => {
                layer.adaptation =
                    Some(Adaptation { beta: self.one(0.05, 0.6), tau: self.one(3.0, 60.0) });
            }
            Kind::SpikingReadout => {
                if self.rng.random_bool(0.5) {
                    layer.refractory = Some(self.one(0.5, 4.0));
                }
                if self.rng.random_bool(0.7) {
                    layer.adaptation =
                        Some(Adaptation { beta: self.one(0.05, 0.6), tau: self.one(3.0, 60.0) });
                }
            }
            _ => {}
        }
        self.layers.push(layer);
    }

    fn time_constants(&mut self) -> (f64, f64) {
        let tau_syn = self.one(3.0, 9.0);
        match self.kind {
            Kind::DenseInteger => {
                let ratio: u8 = self.rng.random_range(2..=6);
                (f64::from(ratio) * tau_syn, tau_syn)
            }
            Kind::DenseOdd | Kind::PerNeuron | Kind::Skip => (self.one(3.0, 30.0), tau_syn),
            Kind::Bias if self.rng.random_bool(0.5) => (self.one(3.0, 30.0), tau_syn),
            Kind::DenseEqual => (2.0 * tau_syn, 2.0 * tau_syn),
            Kind::DenseNearEqual => {
                let exponent: i32 = self.rng.random_range(-13..=-3);
                (single(2.0 * tau_syn * (1.0 + 10_f64.powi(exponent))), 2.0 * tau_syn)
            }
            _ => (20.0, 5.0),
        }
    }

    fn connect(&mut self, from: &str, to: &str) {
        let delays = match self.kind {
            Kind::Delays | Kind::FeedForwardDelays => true,
            Kind::DelaysIntoRecurrent => from != to,
            Kind::RecurrentDelays => from == to,
            Kind::SkipForward => self.rng.random_bool(0.3),
            _ => false,
        };
        self.connections.push(ConnectionSpec { delays, ..ConnectionSpec::dense(from, to) });
    }

    fn finish(mut self, loss: Loss) -> Case {
        let (layers, connections) = (self.layers.clone(), self.connections.clone());
        let network =
            Network::new(DURATION, layers, connections).expect("a drawn network is valid");
        let mut parameters = Parameters::initial(&network);
        for (position, connection) in network.connections().iter().enumerate() {
            let to = &network.layers()[connection.to];
            let constants = to.constants().expect("only the input has none");
            let own = &mut parameters.connections[position];
            let feedback = connection.to <= connection.from;
            // So many arrivals at a neuron, if inputs spike one and a half times and neurons a few times
            // more, together with those of other connections, have to lift it over its threshold.
            let each = if connection.from == 0 { 1.5 } else { 4.0 };
            let others = network.connections().iter().filter(|c| c.to == connection.to).count();
            let sources = own.weights.len() as f64 / to.size as f64;
            let arrivals = each * sources.max(4.0) * others as f64;
            let liveliness = match self.kind {
                _ if feedback => 0.3,
                Kind::Conv if connection.from == 0 => 0.7,
                // Late feedback inhibits what would otherwise have spiked.
                Kind::DelaysIntoRecurrent | Kind::RecurrentDelays => 1.25,
                _ => 1.0,
            };
            let gain = self.one(1.4, 2.6) * liveliness;
            let taus =
                TimeConstants { tau_mem: constants.tau_mem[0], tau_syn: constants.tau_syn[0] };
            let mean = gain / (highest_response(taus) * arrivals) * 1.6;
            // Feedback is inhibitory on average: a loop that amplifies runs away.
            let (low, high) = match self.kind {
                _ if feedback => (-2.0 * mean, mean),
                Kind::Bias => (-1.5 * mean, 2.0 * mean),
                _ => (-0.4 * mean, 2.4 * mean),
            };
            own.weights = self.uniform(own.weights.len(), low, high);
            own.delays = self.uniform(own.delays.len(), 0.1, 6.0);
        }
        let mut spikes = SpikeBatch::new();
        // Of many neurons each spike may be near to vanishing: one sample leaves enough draws to compare.
        let samples = if matches!(self.kind, Kind::Conv | Kind::SkipForward) { 1 } else { 2 };
        let inputs = network.input().size as u32;
        for _ in 0..samples {
            let mut train = Vec::new();
            for input in 0..inputs {
                for _ in 0..self.rng.random_range(1..=2) {
                    train.push((self.one(0.1, LAST_INPUT), input));
                }
            }
            train.sort_by(|a, b| a.0.total_cmp(&b.0));
            spikes.push_sorted(train).expect("sorted");
        }
        let outputs = network.output().size as u32;
        let labels = (0..samples).map(|_| self.rng.random_range(0..outputs)).collect();
        Case { network, parameters, spikes, labels, loss }
    }

    fn one(&mut self, low: f64, high: f64) -> f64 {
        single(self.rng.random_range(low..high))
    }

    fn uniform(&mut self, count: usize, low: f64, high: f64) -> Vec<f64> {
        (0..count).map(|_| self.one(low, high)).collect()
    }
}

/// The highest voltage that a spike over a synapse of weight 1 causes.
fn highest_response(taus: TimeConstants<f64>) -> f64 {
    let top = taus.extremum(State { v: 0.0, i: 1.0 }, 0.0).unwrap_or(1.0);
    taus.flow(top).c
}

/// The nearest number that single precision has.
fn single(x: f64) -> f64 {
    f64::from(x as f32)
}
