//! Training gives the same bits whatever the number of threads.

use eventprop_cpu::{CpuEngine, CpuOptions};
use lif_core::engine::{Batch, Engine, Training};
use lif_core::loss::Loss;
use lif_core::network::{ConnectionSpec, LayerSpec};
use lif_core::optimiser::Optimiser;
use lif_core::{Network, Parameters, SpikeBatch};

/// The weights after a few steps of a network with layers of many blocks and of few.
fn trained(threads: usize, loss: Loss, output: LayerSpec) -> Vec<Vec<u32>> {
    let layers = vec![
        LayerSpec::input("0", 40),
        LayerSpec::lif("1", 150, 20.0, 5.0),
        LayerSpec::lif("2", 140, 12.0, 5.0),
        output,
    ];
    let connections = ["0", "1", "2"].iter().zip(["1", "2", "3"]);
    let connections = connections.map(|(&from, to)| ConnectionSpec::dense(from, to)).collect();
    let network = Network::new(40.0, layers, connections).unwrap();
    let training = Training { optimiser: Optimiser::ADAM, ..Training::<f32>::exact(loss) };
    let options = CpuOptions { threads: Some(threads) };
    let mut engine = CpuEngine::new(&network, training, options).unwrap();
    let mut state = 1_u64;
    let mut uniform = move || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 40) as f32 / (1_u64 << 24) as f32
    };
    let mut parameters = Parameters::initial(&network);
    for (connection, scale) in parameters.connections.iter_mut().zip([0.5, 0.2, 0.1]) {
        connection.weights.iter_mut().for_each(|weight| *weight = (uniform() - 0.2) * scale);
    }
    engine.load(&parameters).unwrap();
    let mut spikes = SpikeBatch::new();
    let samples = 37;
    for _ in 0..samples {
        // Whole milliseconds: some spikes come together.
        let mut train: Vec<(f32, u32)> =
            (0..60).map(|_| ((uniform() * 30.0).floor(), (uniform() * 40.0) as u32)).collect();
        train.sort_by(|a, b| a.0.total_cmp(&b.0));
        spikes.push_sorted(train).unwrap();
    }
    let labels: Vec<u32> = (0..samples).map(|sample| sample % 3).collect();
    for _ in 0..3 {
        engine.train_step(Batch { spikes: &spikes, labels: &labels }, 1e-3).unwrap();
    }
    assert!(engine.spikes(2).spike_count() > 500, "{}", engine.spikes(2).spike_count());
    let bits = |weights: &Vec<f32>| weights.iter().map(|weight| weight.to_bits()).collect();
    engine.parameters().connections.iter().map(|connection| bits(&connection.weights)).collect()
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    let readout = || (Loss::VmaxCrossEntropy {}, LayerSpec::li("3", 3, 20.0, 5.0));
    let spiking = || {
        let loss = Loss::TtfsCrossEntropy { tau: 2.0, alpha: 0.01, tau_early: 10.0 };
        (loss, LayerSpec::lif("3", 3, 20.0, 5.0))
    };
    for (loss, output) in [readout(), spiking()] {
        let one = trained(1, loss, output.clone());
        for threads in [2, 3, 7] {
            assert!(
                one == trained(threads, loss, output.clone()),
                "{threads} threads, {}",
                loss.name()
            );
        }
    }
}
