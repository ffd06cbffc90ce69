//! With which arrival a highest voltage moves, where several come at one moment and a neuron does not hear them all: the
//! engine against the CPU engine and the reference.

#[path = "common/agree.rs"]
mod agree;
mod common;
#[path = "common/draw.rs"]
mod draw;
#[path = "common/lively.rs"]
mod lively;

use agree::engines_agree;
use common::for_each_schedule;
use draw::{Draw, INPUTS, uniform};
use eventprop_cuda::CudaOptions;
use lif_core::engine::Engine;
use lif_core::loss::Loss;
use lif_core::network::{ConnectionKindSpec, ConnectionSpec, LayerSpec};
use lif_core::{Network, Parameters, SpikeBatch};
use lively::{draw, layer};
use proptest::prelude::*;

/// Convolved outputs, integrators or not, of inputs that come at twelve times, the last of them the end.
fn draws(delays: bool) -> impl Strategy<Value = Draw> {
    (any::<bool>(), 1..6_usize, any::<u64>()).prop_map(move |(spiking, samples, seed)| {
        let layers = vec![
            LayerSpec::input("in", INPUTS).with_shape([1, 5, 10]),
            layer("out", 64, spiking).with_shape([2, 4, 8]),
        ];
        let connection = ConnectionSpec {
            kind: ConnectionKindSpec::Conv2d,
            kernel: Some([2, 3]),
            stride: Some([1, 1]),
            delays,
            ..ConnectionSpec::dense("in", "out")
        };
        let network = Network::new(30.0, layers, vec![connection]).unwrap();
        let mut uniform = uniform(seed);
        let mut draw = draw(network, Loss::VmaxCrossEntropy {}, samples, &mut uniform);
        draw.spikes.clear();
        for _ in 0..samples {
            let time = |uniform: &mut dyn FnMut() -> f64| 2.5 * (1.0 + (uniform() * 12.0).floor());
            let mut train: Vec<(f32, u32)> = (0..60)
                .map(|_| (time(&mut uniform) as f32, (uniform() * INPUTS as f64) as u32))
                .collect();
            train.sort_by(|a, b| a.0.total_cmp(&b.0));
            draw.spikes.push_sorted(train).unwrap();
        }
        draw
    })
}

#[test]
fn engines_agree_on_convolved_outputs() {
    engines_agree(|| draws(false));
}

#[test]
fn engines_agree_on_convolved_outputs_with_delays() {
    engines_agree(|| draws(true));
}

/// Where a voltage is highest at the end, an input spike at that moment moves nothing if the output does not hear it.
#[test]
fn what_is_not_heard_moves_nothing() {
    for_each_schedule(|_, _| {
        let layers = vec![LayerSpec::input("0", 2), layer("1", 3, true), layer("out", 2, true)];
        let pairs = [("0", "1"), ("1", "out"), ("out", "1")];
        let connections = pairs.map(|(from, to)| ConnectionSpec::dense(from, to));
        let network = Network::new(30.0, layers, connections.to_vec()).unwrap();
        let mut parameters = Parameters::initial(&network);
        for (own, weight) in parameters.connections.iter_mut().zip([12.0, 0.6, 0.1]) {
            own.weights.fill(weight);
        }
        // The outputs differ, for derivatives of opposite sign.
        parameters.connections[1].weights.iter_mut().step_by(2).for_each(|weight| *weight *= 0.5);
        let mut spikes = SpikeBatch::new();
        spikes.push_sorted([(22.0, 0), (30.0, 1)]).unwrap();
        let loss = Loss::VmaxCrossEntropy {};
        let draw = Draw { network, parameters, spikes, labels: vec![1], loss };
        let mut cuda = draw.cuda(draw.training());
        let outputs = cuda.infer(&draw.spikes).unwrap().values;
        assert!(outputs.iter().all(|&voltage| 0.1 < voltage && voltage < 1.0), "{outputs:?}");
        draw.compare(CudaOptions::default(), &[]).unwrap();
    });
}
