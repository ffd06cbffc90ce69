//! A trace on a grid shows what the gradient is made of.

use lif_core::engine::{Batch, EngineError};
use lif_core::grid::{GridModel, GridSpec, GridVariant};
use lif_core::loss::Loss;
use lif_core::network::{ConnectionSpec, LayerSpec};
use lif_core::{Network, Parameters, SpikeBatch};

const LOSS: Loss = Loss::TtfsCrossEntropy { tau: 2.0, alpha: 0.01, tau_early: 10.0 };
const INPUTS: [(f64, u32); 4] = [(1.0, 0), (2.0, 1), (4.0, 0), (6.5, 1)];

fn network(layers: usize) -> Network {
    let name = |layer: usize| layer.to_string();
    let sizes = (1..=layers).map(|layer| LayerSpec::lif(name(layer), 2, 20.0, 5.0));
    let layers_of = std::iter::once(LayerSpec::input(name(0), 2)).chain(sizes).collect();
    let feed = |layer: usize| ConnectionSpec::dense(name(layer), name(layer + 1));
    Network::new(20.0, layers_of, (0..layers).map(feed).collect()).unwrap()
}

#[test]
fn adjoints_add_up_to_the_gradient() {
    let mut spikes = SpikeBatch::new();
    spikes.push_sorted(INPUTS).unwrap();
    let batch = Batch { spikes: &spikes, labels: &[1] };
    for (variant, layers, dt) in
        [(GridVariant::Head, 1, 1.0), (GridVariant::Head, 2, 0.5), (GridVariant::First, 1, 0.5)]
    {
        let network = network(layers);
        let model = GridModel::new(&network, GridSpec::new(dt, variant)).unwrap();
        let mut parameters = Parameters::initial(&network);
        for (factor, connection) in [2.0, 10.0].into_iter().zip(&mut parameters.connections) {
            connection.weights = [3.1, 2.7, 2.9, 3.3].map(|weight| weight * factor).to_vec();
        }
        let found = model.differentiate(&mut parameters.clone(), batch, &LOSS).unwrap();
        assert_eq!(found.bumps[0].raised, [0, 0], "somebody is silent");
        let neurons = [(1, 0), (1, 1)];
        let traces = model.trace(&parameters, batch, &LOSS, &neurons).unwrap();
        for (trace, &(layer, index)) in traces.iter().zip(&neurons) {
            assert_eq!((trace.layer, trace.index), (layer, index));
            assert!(trace.spikes.len() > 1, "{:?}", trace.spikes);
            for &spike in &trace.spikes {
                let at = trace.state.iter().filter(|point| point.0 == spike);
                let voltages: Vec<_> = at.map(|point| point.1.v).collect();
                assert!(voltages.len() == 2 && voltages[0] > 1.0 && voltages[1] == 0.0);
            }
            // dL/dw = -lambda_I where each spike was sent (head) or arrives (first), summed; of steps, not ms.
            for source in 0..2 {
                let sent = INPUTS.iter().filter(|spike| spike.1 == source);
                let lambda_i = |time: f64| {
                    let step = model.spec().step_of(time) as f64 * dt;
                    trace.adjoint.iter().find(|point| point.0 == step).unwrap().1.i
                };
                let sum: f64 = sent.map(|spike| -dt * lambda_i(spike.0)).sum();
                let gradient = found.gradient.connections[0].weights[2 * source as usize + index];
                assert!(gradient != 0.0 && (sum - gradient).abs() < 1e-12, "{sum} {gradient}");
            }
        }
        let refused = model.trace(&parameters, batch, &LOSS, &[(layers + 1, 0)]).unwrap_err();
        assert!(matches!(refused, EngineError::Batch(_)), "{refused}");
    }
}
