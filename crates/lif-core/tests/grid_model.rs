//! What the clock-driven model refuses, and its bound on the silent-neuron loop.

use lif_core::engine::Batch;
use lif_core::grid::{GridModel, GridSpec, GridVariant};
use lif_core::loss::Loss;
use lif_core::network::{ConnectionSpec, LayerSpec, OneOrMany};
use lif_core::{Network, Parameters, SpikeBatch};

const LOSS: Loss = Loss::TtfsCrossEntropy { tau: 2.0, alpha: 0.01, tau_early: 10.0 };

fn network(output: LayerSpec) -> Network {
    let connections = vec![ConnectionSpec::dense("in", &output.name)];
    Network::new(20.0, vec![LayerSpec::input("in", 3), output], connections).unwrap()
}

fn lif() -> LayerSpec {
    LayerSpec::lif("out", 2, 20.0, 5.0)
}

#[track_caller]
fn refused(network: &Network, spec: GridSpec, path: &str) {
    assert_eq!(GridModel::new(network, spec).unwrap_err().path, path);
}

#[test]
fn refuses_what_a_grid_does_not_have() {
    let head = GridSpec::new(1.0, GridVariant::Head);
    refused(&network(LayerSpec::li("out", 2, 20.0, 5.0)), head, "layers[1].kind");
    refused(&network(LayerSpec { reset: Some(-0.5), ..lif() }), head, "layers[1].reset");
    refused(&network(LayerSpec { refractory: Some(1.0), ..lif() }), head, "layers[1].refractory");
    refused(
        &network(LayerSpec { bias: Some(OneOrMany::One(0.1)), ..lif() }),
        head,
        "layers[1].bias",
    );
    let unequal = Some(OneOrMany::Many(vec![5.0, 6.0]));
    refused(&network(LayerSpec { tau_syn: unequal, ..lif() }), head, "layers[1].tau_syn");

    let delayed = ConnectionSpec { delays: true, ..ConnectionSpec::dense("in", "out") };
    let recurrent = vec![ConnectionSpec::dense("in", "out"), ConnectionSpec::dense("out", "out")];
    for (connections, path) in
        [(vec![delayed], "connections[0]"), (recurrent, "connections"), (vec![], "layers[1].name")]
    {
        let layers = vec![LayerSpec::input("in", 3), lif()];
        refused(&Network::new(20.0, layers, connections).unwrap(), head, path);
    }

    let layers =
        vec![LayerSpec::input("in", 3), LayerSpec { name: "hidden".into(), ..lif() }, lif()];
    let connections =
        vec![ConnectionSpec::dense("in", "hidden"), ConnectionSpec::dense("hidden", "out")];
    let stack = Network::new(20.0, layers, connections).unwrap();
    assert_eq!(GridModel::new(&stack, head).unwrap().layers().len(), 2);
    refused(&stack, GridSpec::new(1.0, GridVariant::First), "grid.variant");
}

#[test]
fn refuses_grids_that_are_none() {
    let network = network(lif());
    for dt in [0.0, -1.0, f64::NAN, f64::INFINITY, 20.5, 1e-9] {
        refused(&network, GridSpec::new(dt, GridVariant::Head), "grid.dt");
    }
    let grid = |dt| GridSpec::new(dt, GridVariant::Head);
    refused(&network, grid(5.001), "layers[1].tau_syn");
    assert!(GridModel::new(&network, grid(5.0)).is_ok());
    let spec = GridSpec { bump: -0.1, ..GridSpec::new(1.0, GridVariant::Head) };
    refused(&network, spec, "grid.bump");
}

#[test]
fn a_file_needs_no_more_than_dt() {
    let spec: GridSpec = serde_json::from_str(r#"{"dt": 0.5, "variant": "first"}"#).unwrap();
    assert_eq!(spec, GridSpec::new(0.5, GridVariant::First));
    let spec: GridSpec = serde_json::from_str(r#"{"dt": 1.0}"#).unwrap();
    assert_eq!(spec, GridSpec::new(1.0, GridVariant::Head));
    assert!(serde_json::from_str::<GridSpec>(r#"{"dt": 1.0, "bumps": 3}"#).is_err());
}

#[test]
fn a_sample_without_input_does_not_loop_for_ever() {
    let model = GridModel::new(&network(lif()), GridSpec::new(1.0, GridVariant::Head)).unwrap();
    let weights = vec![2.0, 0.1, 2.0, 0.1, 2.0, 0.1];
    let mut parameters = Parameters::<f64>::initial(model.network());
    parameters.connections[0].weights = weights.clone();
    let mut spikes = SpikeBatch::new();
    spikes.push_sorted([(0.0, 0), (1.0, 1), (1.0, 2)]).unwrap();
    spikes.push_sorted([(18.0, 0)]).unwrap();
    let batch = Batch { spikes: &spikes, labels: &[0, 1] };
    let result = model.differentiate(&mut parameters, batch, &LOSS).unwrap();
    assert_eq!(result.bumps[0].gave_up, [0, 1]);
    assert_eq!(result.bumps[0].raised, [0, 0]);
    assert_eq!(parameters.connections[0].weights, weights);
    assert_eq!(result.pass, model.infer(&parameters, &spikes).unwrap());
    assert_eq!(result.pass.first_steps[1..], [19.0, 19.0, 19.0]);
}
