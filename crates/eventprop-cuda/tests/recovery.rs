//! Neurons that need time to recover from a spike, held at their reset or behind a raised threshold: the engine against
//! the CPU engine and the reference, and against itself.

#[path = "common/agree.rs"]
mod agree;
mod common;
#[path = "common/draw.rs"]
mod draw;
#[path = "common/kept.rs"]
mod kept;
#[path = "common/lively.rs"]
mod lively;
#[path = "common/recovering.rs"]
mod recovering;

use agree::{engines_agree_where, error};
use common::for_each_schedule;
use draw::{Draw, INPUTS, spikes, uniform, weights};
use eventprop_cpu::{CpuOptions, Precision};
use eventprop_cuda::CudaOptions;
use kept::train_both_ways;
use lif_core::Network;
use lif_core::engine::{Engine, RateTarget, Training};
use lif_core::loss::Loss;
use lif_core::network::{Adaptation, ConnectionKindSpec, ConnectionSpec, LayerSpec};
use lively::{draw, is_spiking, losses};
use proptest::prelude::*;
use recovering::{ADAPTIVE, BOTH, Kind, NEITHER, REFRACTORY, dense, is_clear, layer};

/// A convolution, a pooling and a dense readout of both.
fn convolved(
    uniform: &mut impl FnMut() -> f64,
    kind: Kind,
    spiking: bool,
    delayed: f64,
) -> Network {
    let layers = vec![
        LayerSpec::input("in", INPUTS).with_shape([1, 5, 10]),
        layer("conv", 64, kind, true, uniform).with_shape([2, 4, 8]),
        layer("pool", 16, kind, true, uniform).with_shape([2, 2, 4]),
        layer("out", 7, kind, spiking, uniform),
    ];
    let window = |from: &str, to: &str, kernel, stride| ConnectionSpec {
        kernel: Some(kernel),
        stride: Some(stride),
        ..ConnectionSpec::dense(from, to)
    };
    let connections = vec![
        ConnectionSpec {
            kind: ConnectionKindSpec::Conv2d,
            delays: uniform() < delayed,
            ..window("in", "conv", [2, 3], [1, 1])
        },
        ConnectionSpec {
            kind: ConnectionKindSpec::SumPool2d,
            weight: Some(0.6),
            ..window("conv", "pool", [2, 2], [2, 2])
        },
        ConnectionSpec::dense("pool", "out"),
        ConnectionSpec { delays: uniform() < delayed, ..ConnectionSpec::dense("conv", "out") },
    ];
    Network::new(30.0, layers, connections).unwrap()
}

fn dense_draws(
    kinds: [Kind; 2],
    delayed: f64,
    back: &'static [(&str, &str)],
) -> impl Strategy<Value = Draw> {
    let draws = (losses(), 2..=70_usize, 1..5_usize, any::<u64>()).prop_map(
        move |(loss, size, samples, seed)| {
            let mut uniform = uniform(seed);
            let network = dense(&mut uniform, kinds, size, is_spiking(loss), delayed, back);
            draw(network, loss, samples, &mut uniform)
        },
    );
    draws
        .prop_filter("whether a spike or an arrival comes first is a matter of precision", is_clear)
}

/// CUDA = CPU = reference; of every other draw in gradients by constants too.
fn engines_agree<S: Strategy<Value = Draw>>(draws: impl Fn() -> S) {
    engines_agree_where(draws, |draw| draw.compare(CudaOptions::default(), draw.some_constants()));
}

#[test]
fn engines_agree_on_refractory_times() {
    engines_agree(|| dense_draws([REFRACTORY; 2], 0.0, &[]));
}

#[test]
fn engines_agree_on_refractory_times_with_delays() {
    engines_agree(|| dense_draws([REFRACTORY; 2], 1.0, &[]));
}

#[test]
fn engines_agree_on_adaptive_thresholds() {
    engines_agree(|| dense_draws([ADAPTIVE; 2], 0.0, &[]));
}

#[test]
fn engines_agree_on_adaptive_thresholds_with_delays() {
    engines_agree(|| dense_draws([ADAPTIVE; 2], 1.0, &[]));
}

#[test]
fn engines_agree_on_both_some_with_delays() {
    engines_agree(|| dense_draws([BOTH; 2], 0.4, &[]));
}

/// Above a layer that hears itself.
#[test]
fn engines_agree_on_both_above_a_recurrent_layer() {
    engines_agree(|| dense_draws([NEITHER, BOTH], 0.4, &[("1", "1")]));
}

#[test]
fn engines_agree_on_recurrent_refractory_times() {
    engines_agree(|| dense_draws([REFRACTORY; 2], 0.0, &[("1", "1"), ("2", "2")]));
}

#[test]
fn engines_agree_on_recurrent_adaptive_thresholds() {
    engines_agree(|| dense_draws([ADAPTIVE; 2], 0.0, &[("1", "1"), ("2", "2")]));
}

#[test]
fn engines_agree_on_recurrent_refractory_times_with_delays() {
    engines_agree(|| dense_draws([REFRACTORY; 2], 1.0, &[("1", "1"), ("2", "2")]));
}

#[test]
fn engines_agree_on_recurrent_adaptive_thresholds_with_delays() {
    engines_agree(|| dense_draws([ADAPTIVE; 2], 1.0, &[("1", "1"), ("2", "2")]));
}

/// Over several connections too, and between layers of which one needs no time.
#[test]
fn engines_agree_on_layers_that_hear_one_another() {
    const BACK: &[(&str, &str)] = &[("2", "1"), ("2", "2"), ("1", "1"), ("1", "1")];
    engines_agree(|| {
        let kinds = vec![[BOTH, NEITHER], [NEITHER, ADAPTIVE], [REFRACTORY, BOTH]];
        let delayed = prop_oneof![Just(0.0), Just(0.5)];
        (proptest::sample::select(kinds), delayed)
            .prop_flat_map(|(kinds, delayed)| dense_draws(kinds, delayed, BACK))
    });
}

#[test]
fn engines_agree_on_time_constants_of_single_neurons() {
    let draws = |back: &'static [_]| {
        engines_agree(|| {
            let kinds = prop_oneof![Just(REFRACTORY), Just(BOTH)];
            let delayed = prop_oneof![Just(0.0), Just(0.5)];
            (kinds, delayed).prop_flat_map(move |(kind, delayed)| {
                dense_draws([Kind { own_taus: true, ..kind }; 2], delayed, back)
            })
        });
    };
    draws(&[]);
    draws(&[("1", "1")]);
}

#[test]
fn engines_agree_on_convolutions() {
    engines_agree(|| {
        let kind = prop_oneof![Just(REFRACTORY), Just(ADAPTIVE), Just(BOTH)];
        let delayed = prop_oneof![Just(0.0), Just(0.5)];
        (losses(), kind, delayed, 1..4_usize, any::<u64>()).prop_map(
            |(loss, kind, delayed, samples, seed)| {
                let mut uniform = uniform(seed);
                let network = convolved(&mut uniform, kind, is_spiking(loss), delayed);
                draw(network, loss, samples, &mut uniform)
            },
        )
    });
}

#[test]
fn kept_samples_train_as_given_ones() {
    train_both_ways(&dense(&mut uniform(5), [BOTH; 2], 36, false, 0.0, &[]));
}

#[test]
fn kept_samples_train_recurrent_layers_as_given_ones() {
    train_both_ways(&dense(&mut uniform(7), [BOTH; 2], 36, false, 0.0, &[("1", "1")]));
}

#[test]
fn kept_samples_train_recurrent_layers_with_delays_as_given_ones() {
    train_both_ways(&dense(&mut uniform(8), [BOTH; 2], 36, false, 1.0, &[("1", "1")]));
}

#[test]
fn kept_samples_train_delays_as_given_ones() {
    train_both_ways(&dense(&mut uniform(6), [BOTH; 2], 36, false, 1.0, &[]));
}

/// A slope floor that acts at many spikes, and pulls on spike counts: as many graze as on the CPU, and all gradients are
/// the same.
#[test]
fn floors_and_rate_targets_agree() {
    for_each_schedule(|_, schedule| {
        let (mut compared, mut grazing) = (0, 0);
        for (case, kind) in [REFRACTORY, ADAPTIVE, BOTH].into_iter().cycle().take(18).enumerate() {
            let mut uniform = uniform(300 + 10 * schedule + case as u64);
            let back: &[_] = if case % 4 == 0 { &[("1", "1")] } else { &[] };
            let delayed = if case % 2 == 0 { 0.0 } else { 1.0 };
            let network = dense(&mut uniform, [kind; 2], 40, false, delayed, back);
            let draw = draw(network, Loss::VmaxCrossEntropy {}, 3, &mut uniform);
            if !is_clear(&draw) {
                continue;
            }
            let target = |layer| RateTarget { layer, target: 2.5, strength: 0.05 };
            let training = Training {
                slope_floor: 1.5,
                rate_targets: vec![target(1), target(2)],
                ..draw.training()
            };
            let options = CpuOptions { threads: Some(1) };
            let mut cpu = f32::engine(&draw.network, training.clone(), options).unwrap();
            cpu.load(&draw.parameters).unwrap();
            let expected = cpu.differentiate(draw.batch()).unwrap();
            let mut cuda = draw.cuda(training);
            let found = cuda.differentiate(draw.batch()).unwrap();
            // A spike at the edge of vanishing changes all that come after.
            if cuda.take_activity() != cpu.take_activity() {
                continue;
            }
            // A slope at the floor may fall to either side of it.
            grazing += found.grazing;
            assert!(found.grazing.abs_diff(expected.grazing) <= 1, "{found:?} {expected:?}");
            if found.grazing != expected.grazing {
                continue;
            }
            let errors = [
                error(&weights(&cuda.gradient()), &weights(&cpu.gradient())),
                error(cuda.input_gradient(), cpu.input_gradient()),
            ];
            println!("{kind:?}: {} graze, {errors:?}", found.grazing);
            assert!(errors.iter().all(|&error| error < 1e-3), "{errors:?}");
            compared += 1;
        }
        assert!(compared > 5 && grazing > 100, "{compared} compared, {grazing} graze");
    });
}

/// Neurons that spike more often than there is room for at first, whatever holds them back; in parts it is the same.
#[test]
fn room_is_made_for_many_spikes() {
    for_each_schedule(|_, schedule| {
        for kind in [REFRACTORY, BOTH] {
            let layers = vec![
                LayerSpec::input("0", INPUTS),
                LayerSpec {
                    refractory: Some(0.1),
                    adaptation: kind.adaptive.then_some(Adaptation { beta: 0.05, tau: 4.0 }),
                    ..LayerSpec::lif("1", 140, 10.0, 5.0)
                },
                LayerSpec::li("out", 7, 20.0, 5.0),
            ];
            let connections = [("0", "1"), ("1", "out")];
            let connections = connections.map(|(from, to)| ConnectionSpec::dense(from, to));
            let network = Network::new(30.0, layers, connections.to_vec()).unwrap();
            let mut uniform = uniform(7 + schedule);
            let mut draw = draw(network, Loss::VmaxCrossEntropy {}, 3, &mut uniform);
            for (own, scale) in draw.parameters.connections.iter_mut().zip([0.7, 0.05]) {
                own.weights.fill_with(|| uniform() as f32 * scale);
            }
            draw.spikes = spikes(3, 150, &mut uniform);
            let mut engine = draw.cuda(draw.training());
            let first = engine.differentiate(draw.batch()).unwrap();
            let count = engine.spikes(1).spike_count();
            assert!(count > 3 * (2 * 140 + 62), "{count}");
            let gradient = engine.gradient();
            draw.assert_same_in_parts(&engine, first);
            assert_eq!(engine.differentiate(draw.batch()).unwrap(), first);
            assert_eq!(engine.gradient(), gradient);
            draw.compare(CudaOptions::default(), &[]).unwrap();
        }
    });
}
