//! What the library asks of the CUDA engine beside training by a loss that files name. `cargo xtask cuda-emulate` runs it on
//! a stand-in for a GPU.
#![cfg(feature = "cuda")]

use eventprop::lif_core::engine::{EngineError, Training};
use eventprop::lif_core::grid::{GridSpec, GridVariant};
use eventprop::lif_core::loss::{Loss, Readout};
use eventprop::lif_core::network::{ConnectionSpec, LayerSpec};
use eventprop::lif_core::{Network, Parameters, SpikeBatch};
use eventprop::{Pullback, backend};
use std::sync::Arc;

/// Derivatives that come from a larger model go back through the network on a GPU as on the CPU, whatever is measured.
#[test]
fn derivatives_go_back_through_cuda() {
    for readout in Readout::ALL {
        let out = match readout.needs_spikes() {
            true => LayerSpec::lif("out", 2, 20.0, 5.0),
            false => LayerSpec::li("out", 2, 20.0, 5.0),
        };
        let layers = vec![LayerSpec::input("in", 3), LayerSpec::lif("hidden", 4, 20.0, 5.0), out];
        let connections =
            vec![ConnectionSpec::dense("in", "hidden"), ConnectionSpec::dense("hidden", "out")];
        let network = Network::new(60.0, layers, connections).unwrap();
        let mut parameters = Parameters::<f32>::initial(&network);
        for (k, weight) in parameters.connections[0].weights.iter_mut().enumerate() {
            *weight = 2.0 + 0.3 * k as f32;
        }
        for (k, weight) in parameters.connections[1].weights.iter_mut().enumerate() {
            *weight = 0.6 + 0.2 * k as f32;
        }
        let mut spikes = SpikeBatch::new();
        spikes.push_sorted([(1.0, 0), (4.0, 1), (9.0, 2)]).unwrap();
        spikes.push_sorted([(2.0, 2), (2.5, 1), (7.0, 0), (11.0, 0)]).unwrap();
        agree(&parameters, &spikes, &[0.3, -1.0, 2.0, 0.7], readout, |name, training| {
            backend::create(name, &network, training, Some(1))
        });
    }
}

/// The same on a grid of time steps, with more samples than the CPU engine takes at a time.
#[test]
fn derivatives_go_back_through_cuda_on_a_grid() {
    let layers = vec![LayerSpec::input("in", 3), LayerSpec::lif("out", 2, 20.0, 5.0)];
    let network = Network::new(20.0, layers, vec![ConnectionSpec::dense("in", "out")]).unwrap();
    let mut parameters = Parameters::<f32>::initial(&network);
    parameters.connections[0].weights = vec![7.0, 3.0, 4.0, 9.0, 5.0, 6.0];
    let mut spikes = SpikeBatch::new();
    for sample in 0..20_u32 {
        let train = [(1.0, sample % 3), (3.0, (sample + 1) % 3), (7.0, sample * 5 % 3)];
        spikes.push_sorted(train).unwrap();
    }
    let by_outputs: Vec<f32> = (0..40).map(|k| (k as f32 * 1.3).sin()).collect();
    agree(&parameters, &spikes, &by_outputs, Readout::FirstSpike, |name, training| {
        let grid = GridSpec::new(1.0, GridVariant::Head);
        backend::create_on_grid(name, &network, grid, training, Some(1))
    });
}

/// The engines make the same of derivatives by the outputs.
fn agree(
    parameters: &Parameters<f32>,
    spikes: &SpikeBatch<f32>,
    by_outputs: &[f32],
    readout: Readout,
    build: impl Fn(&str, Training<f32>) -> Result<backend::BoxedEngine<f32>, EngineError>,
) {
    let mut found = Vec::new();
    for name in ["cpu", "cuda"] {
        let pullback = Arc::new(Pullback::new(readout));
        let training = Training {
            objective: pullback.clone(),
            constant_gradients: false,
            ..Training::exact(Loss::VmaxCrossEntropy {})
        };
        let mut engine = match build(name, training) {
            Ok(engine) => engine,
            Err(EngineError::Unavailable { reason, .. }) => {
                assert!(std::env::var_os("SIMT_EMULATOR").is_none(), "{reason}");
                eprintln!("not run: {reason}");
                return;
            }
            Err(error) => panic!("{error}"),
        };
        engine.load(parameters).unwrap();
        let mut values = engine.infer(spikes).unwrap().values;
        pullback.differentiate(engine.as_mut(), spikes, by_outputs).unwrap();
        values.extend(engine.input_gradient());
        engine.gradient().for_each(|_, gradient| values.extend_from_slice(gradient));
        found.push(values);
    }
    let scale = found[0].iter().fold(0.0_f32, |scale, value| scale.max(value.abs()));
    for (cpu, cuda) in found[0].iter().zip(&found[1]) {
        assert!((cpu - cuda).abs() < 1e-4 * scale, "{readout:?}: {cpu} {cuda}");
    }
}
