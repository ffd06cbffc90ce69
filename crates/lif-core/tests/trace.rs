//! A trace shows what the gradient is made of.

use lif_core::engine::{Batch, Engine, Training};
use lif_core::loss::Loss;
use lif_core::network::{ConnectionSpec, LayerSpec};
use lif_core::reference::Reference;
use lif_core::{Network, SpikeBatch};

const DURATION: f64 = 40.0;
const INPUTS: [(f64, u32); 5] = [(0.5, 0), (2.0, 1), (3.0, 0), (9.0, 1), (9.5, 0)];

fn engine(loss: Loss) -> Reference {
    let layers = vec![
        LayerSpec::input("in", 2),
        LayerSpec::lif("hidden", 2, 20.0, 5.0),
        LayerSpec::li("out", 2, 20.0, 5.0),
    ];
    let connections =
        vec![ConnectionSpec::dense("in", "hidden"), ConnectionSpec::dense("hidden", "out")];
    let network = Network::new(DURATION, layers, connections).unwrap();
    let mut engine = Reference::new(&network, Training::exact(loss)).unwrap();
    let mut parameters = engine.parameters();
    parameters.connections[0].weights = vec![3.1, 2.7, 2.9, 3.3];
    parameters.connections[1].weights = vec![0.4, -0.3, 0.2, 0.7];
    engine.load(&parameters).unwrap();
    engine
}

#[test]
fn voltages_meet_the_threshold_and_adjoints_add_up_to_the_gradient() {
    let mut spikes = SpikeBatch::new();
    spikes.push_sorted(INPUTS).unwrap();
    let batch = Batch { spikes: &spikes, labels: &[1] };
    for loss in [Loss::VmaxCrossEntropy {}, Loss::MeanCrossEntropy {}, Loss::ExpMeanCrossEntropy {}]
    {
        let mut engine = engine(loss);
        engine.differentiate(batch).unwrap();
        let gradient = engine.gradient();
        let neurons = [(1, 0), (1, 1), (2, 0)];
        let traces = engine.trace(batch, &neurons, 0.1).unwrap();
        for (trace, neuron) in traces.iter().zip(neurons) {
            assert_eq!((trace.layer, trace.index), neuron);
            let own = engine.spikes(trace.layer);
            let sent = own.get(0).iter().filter(|spike| spike.1 as usize == trace.index);
            assert!(sent.map(|spike| spike.0).eq(trace.spikes.iter().copied()));
            for line in [times(&trace.state), times(&trace.adjoint).into_iter().rev().collect()] {
                assert!(
                    line.windows(2).all(|pair| pair[0] <= pair[1] && pair[1] - pair[0] < 0.101)
                );
                assert_eq!((line[0], line[line.len() - 1]), (0.0, DURATION));
            }
        }
        for trace in &traces[..2] {
            assert!(trace.spikes.len() > 1, "{:?}", trace.spikes);
            for &spike in &trace.spikes {
                let at = trace.state.iter().filter(|point| point.0 == spike);
                let voltages: Vec<_> = at.map(|point| point.1.v).collect();
                assert!((voltages[0] - 1.0).abs() < 1e-9 && voltages[1] == 0.0, "{voltages:?}");
            }
            // dL/dw = -tau_syn times lambda_I at each arrival, summed.
            for source in 0..2 {
                let arrivals = INPUTS.iter().filter(|spike| spike.1 == source);
                let lambda_i =
                    |time: f64| trace.adjoint.iter().find(|point| point.0 == time).unwrap().1.i;
                let sum: f64 = arrivals.map(|spike| -5.0 * lambda_i(spike.0)).sum();
                let exact = gradient.connections[0].weights[2 * source as usize + trace.index];
                assert!((sum - exact).abs() < 1e-12 + 1e-9 * exact.abs(), "{sum} is not {exact}");
            }
        }
    }
}

#[test]
fn what_cannot_be_traced_is_refused() {
    let engine = engine(Loss::VmaxCrossEntropy {});
    let mut spikes = SpikeBatch::new();
    spikes.push_sorted(INPUTS).unwrap();
    let batch = Batch { spikes: &spikes, labels: &[0] };
    for (neurons, step) in [([(0, 0)], 0.1), ([(3, 0)], 0.1), ([(1, 2)], 0.1), ([(1, 0)], 0.0)] {
        assert!(engine.trace(batch, &neurons, step).is_err(), "{neurons:?} {step}");
    }
    spikes.push_sorted(INPUTS).unwrap();
    let two = Batch { spikes: &spikes, labels: &[0, 1] };
    assert!(engine.trace(two, &[(1, 0)], 0.1).is_err());
}

fn times<T>(line: &[(f64, T)]) -> Vec<f64> {
    line.iter().map(|point| point.0).collect()
}
