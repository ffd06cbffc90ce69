//! Layers from which no way leads to the output, and layers that hear neither the input nor another layer: the engine
//! against the CPU engine and the reference, and against itself.

#[path = "common/agree.rs"]
mod agree;
mod common;
#[path = "common/draw.rs"]
mod draw;
#[path = "common/kept.rs"]
mod kept;
#[path = "common/lively.rs"]
mod lively;

use agree::{Settings, engines_agree_where};
use common::for_each_schedule;
use draw::{Draw, INPUTS, uniform};
use eventprop_cuda::CudaOptions;
use kept::train_both_ways_with;
use lif_core::engine::{Engine, RateTarget, Training};
use lif_core::loss::Loss;
use lif_core::network::{ConnectionSpec, LayerSpec};
use lif_core::{Network, Parameters, Real};
use lively::{draw, is_spiking, layer, losses};
use proptest::prelude::*;

/// A pull on the spikes of every hidden layer: those that the output does not hear have gradients by it alone.
struct Pulled(usize);

impl Settings for Pulled {
    fn change<T: Real>(&self, training: Training<T>) -> Training<T> {
        let pull = |layer| RateTarget { layer, target: 1.5, strength: 0.05 };
        Training { rate_targets: (1..=self.0).map(pull).collect(), ..training }
    }
}

/// What is drawn of connections: how many have delays and how many lead back; and whether neurons recover from spikes.
#[derive(Clone, Copy, Default)]
struct Wiring {
    delayed: f64,
    back: f64,
    recovering: bool,
}

/// Layers that hear and are heard as it comes, the output among them, perhaps two of the integrators besides it.
/// Those that hear nothing spike by their bias.
fn any_network(
    uniform: &mut impl FnMut() -> f64,
    hidden: usize,
    size: usize,
    spiking: bool,
    Wiring { delayed, back, recovering }: Wiring,
) -> Network {
    let output = hidden + 1;
    let mut pairs: Vec<(usize, usize)> = Vec::new();
    for to in 1..=output {
        for from in 0..=output {
            let is_there = uniform() < if from < to { 0.4 } else { back };
            pairs.extend((is_there && (from < output || spiking)).then_some((from, to)));
        }
    }
    let mut layers = vec![LayerSpec::input("0", INPUTS)];
    for position in 1..=hidden {
        let (name, size) = (position.to_string(), 1 + size / position);
        let is_heard = pairs.iter().any(|pair| pair.0 == position);
        layers.push(if !is_heard && uniform() < 0.4 {
            LayerSpec::li(name, size, 20.0, 5.0)
        } else {
            let refractory = (recovering && uniform() < 0.6).then(|| 0.3 + 4.0 * uniform());
            LayerSpec { refractory, ..layer(&name, size, spiking) }
        });
    }
    layers.push(layer("out", 7, spiking));
    let connections = pairs.into_iter().map(|(from, to)| {
        let delays = uniform() < delayed;
        let spec = ConnectionSpec::dense(layers[from].name.clone(), layers[to].name.clone());
        ConnectionSpec { delays, ..spec }
    });
    let connections = connections.collect();
    Network::new(30.0, layers, connections).unwrap()
}

/// Gives neurons of layers that hear nobody a bias, by which most of them spike; those who hear later layers are inhibited
/// by them on the whole, whatever else they hear.
fn settle(network: &Network, parameters: &mut Parameters<f32>, uniform: &mut impl FnMut() -> f64) {
    for (connection, own) in network.connections().iter().zip(&mut parameters.connections) {
        if connection.from >= connection.to {
            let scale = 6.0 / network.layers()[connection.from].size as f64;
            own.weights.fill_with(|| ((2.0 * uniform() - 1.4) * scale) as f32);
        }
    }
    for (position, own) in parameters.layers.iter_mut().enumerate().skip(1) {
        let hears = |c: &lif_core::network::Connection| c.to == position && c.from != position;
        if !network.connections().iter().any(hears) {
            own.bias.fill_with(|| (0.8 + 2.5 * uniform()) as f32);
        }
    }
}

/// Draws in which a layer is not heard on any way to the output, or hears nobody.
fn draws(wiring: Wiring) -> impl Strategy<Value = Draw> {
    let cases = (losses(), 1..=4_usize, 2..=60_usize, 1..5_usize, any::<u64>());
    cases.prop_map(move |(loss, hidden, size, samples, seed)| {
        let mut uniform = uniform(seed);
        let network = loop {
            let spiking = is_spiking(loss);
            let network = any_network(&mut uniform, hidden, size, spiking, wiring);
            let (reaches, output) = (network.reaches(), network.output_index());
            if (1..output).any(|layer| !reaches[layer][output] || !reaches[0][layer]) {
                break network;
            }
        };
        let mut draw = draw(network, loss, samples, &mut uniform);
        settle(&draw.network, &mut draw.parameters, &mut uniform);
        draw
    })
}

fn check(wiring: Wiring) {
    engines_agree_where(
        || draws(wiring),
        |draw| {
            let hidden = draw.network.output_index() - 1;
            let options = CudaOptions::default();
            draw.compare_with(options, draw.some_constants(), &Pulled(hidden))
        },
    );
}

#[test]
fn engines_agree() {
    check(Wiring::default());
}

#[test]
fn engines_agree_with_delays() {
    check(Wiring { delayed: 0.4, ..Wiring::default() });
}

#[test]
fn engines_agree_where_layers_hear_one_another() {
    check(Wiring { back: 0.15, ..Wiring::default() });
}

#[test]
fn engines_agree_where_layers_hear_one_another_with_delays() {
    check(Wiring { delayed: 0.4, back: 0.15, ..Wiring::default() });
}

#[test]
fn engines_agree_where_neurons_recover() {
    check(Wiring { recovering: true, ..Wiring::default() });
}

#[test]
fn engines_agree_where_neurons_recover_with_delays() {
    check(Wiring { delayed: 0.4, back: 0.05, recovering: true });
}

/// A network of layers 1 and 2 of LIF neurons below an output, with dense connections between given layers.
fn three([first, second, out]: [usize; 3], spiking: bool, pairs: &[(usize, usize)]) -> Network {
    let names = ["0", "1", "2", "out"];
    let layers = vec![
        LayerSpec::input("0", INPUTS),
        layer("1", first, true),
        layer("2", second, true),
        layer("out", out, spiking),
    ];
    let connections = pairs.iter().map(|&(from, to)| ConnectionSpec::dense(names[from], names[to]));
    Network::new(30.0, layers, connections.collect()).unwrap()
}

/// A draw of three samples on it.
fn draw_three(network: Network, loss: Loss, seed: u64) -> Draw {
    let mut uniform = uniform(seed);
    let mut draw = draw(network, loss, 3, &mut uniform);
    settle(&draw.network, &mut draw.parameters, &mut uniform);
    draw
}

/// What nobody hears is simulated and counted; its gradient is that of the rate targets: 0 without any.
#[test]
fn layers_that_nobody_hears_are_simulated() {
    for_each_schedule(|_, schedule| {
        // The second hears the first, and the output.
        let pairs = [(0, 1), (0, 3), (1, 2), (3, 2), (2, 2)];
        for loss in [Loss::SpikeTimeSum {}, Loss::VmaxCrossEntropy {}] {
            let pairs = if is_spiking(loss) { &pairs[..] } else { &pairs[..3] };
            let network = three([60, 40, 7], is_spiking(loss), pairs);
            let draw = draw_three(network, loss, 20 + schedule);
            let pulled = Pulled(2);
            for counts in [
                draw.compare(CudaOptions::default(), &[]),
                draw.compare_with(CudaOptions::default(), &[], &pulled),
            ] {
                let counts = counts.unwrap();
                assert!(counts.iter().all(|&count| count > 10), "{counts:?}");
            }
            let [plain, by_rates] =
                [draw.training(), pulled.change(draw.training())].map(|training| {
                    let mut engine = draw.cuda(training);
                    engine.differentiate(draw.batch()).unwrap();
                    engine.gradient().connections
                });
            // Those into layers that nobody hears, or that only such layers hear.
            for connection in [0, 2] {
                let is_zero = |own: &lif_core::ConnectionParameters<f32>| {
                    own.weights.iter().all(|&g| g == 0.0)
                };
                assert!(is_zero(&plain[connection]) && !is_zero(&by_rates[connection]));
            }
            // The pull on what hears the output acts on the output's spikes.
            assert_eq!(plain[1] == by_rates[1], !is_spiking(loss));
        }
    });
}

/// Who hears nobody spikes by its bias alone, layer after layer; of an input that nobody hears the gradient is 0.
#[test]
fn layers_that_hear_nobody_spike_by_their_bias() {
    for_each_schedule(|_, schedule| {
        for (spiking, loss) in [(true, Loss::SpikeTimeSum {}), (false, Loss::MeanCrossEntropy {})] {
            for pairs in [
                &[(1, 2), (2, 3), (1, 3)][..],
                &[(1, 2), (2, 1), (2, 3)],
                &[(1, 1), (1, 3), (0, 2)],
                &[],
            ] {
                let mut draw = draw_three(three([40, 33, 7], spiking, pairs), loss, 40 + schedule);
                // They hear one another alone.
                draw.parameters.layers[1].bias.iter_mut().step_by(2).for_each(|bias| *bias = 2.0);
                draw.compare(CudaOptions::default(), &[]).unwrap();
                let mut engine = draw.cuda(draw.training());
                engine.differentiate(draw.batch()).unwrap();
                assert!(engine.spikes(1).spike_count() >= 3 * 20);
                assert_eq!(engine.input_gradient(), vec![0.0; draw.spikes.spike_count()]);
                assert!(engine.losses().iter().all(|loss| loss.is_finite()));
                engine.update(0.1).unwrap();
                engine.train_step(draw.batch(), 0.1).unwrap();
                assert_eq!(engine.optimiser_state().steps, 2);
            }
        }
    });
}

#[test]
fn kept_samples_train_as_given_ones() {
    let pairs = [(0, 1), (1, 3), (1, 2), (0, 3), (2, 2)];
    let network = three([36, 20, 7], false, &pairs);
    train_both_ways_with(&network, |training| Pulled(2).change(training));
}
