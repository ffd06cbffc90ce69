//! Files that the Python package `nir` wrote; tests/data/make.py says what is in them.

use eventprop_nir::{ImportOptions, Imported, Spikes, from_bytes};
use lif_core::network::{Adaptation, ConnectionKind, LayerKind, OneOrMany, Window};

fn import(bytes: &[u8], spikes: Spikes) -> Imported {
    from_bytes(bytes.to_vec(), ImportOptions { duration: Some(30.0), spikes }).unwrap()
}

fn names(imported: &Imported) -> Vec<(&str, LayerKind)> {
    imported.network.specs().0.iter().map(|layer| (layer.name.as_str(), layer.kind)).collect()
}

#[test]
fn recurrence_gains_and_biases() {
    let imported = import(include_bytes!("data/recurrent.nir"), Spikes::Delta);
    let layers = [("in", LayerKind::Input), ("lif", LayerKind::Lif), ("li", LayerKind::Li)];
    assert_eq!(names(&imported), layers);
    let lif = &imported.network.specs().0[1];
    assert_eq!(lif.tau_mem, Some(OneOrMany::One(20.0)));
    assert_eq!(lif.tau_syn, Some(OneOrMany::One(5.0)));
    assert_eq!((lif.reset, lif.adaptation), (Some(-0.5), None::<Adaptation>));
    // v_leak, and the bias times r w_in: a constant input has no tau_syn to be divided by.
    let w_in = f64::from(0.005_f32);
    let bias = &imported.parameters.layers[1].bias;
    assert_eq!(bias, &[0.125 + 2.0 * w_in * 0.5, 0.0 + 4.0 * w_in * -0.25]);
    assert!(
        imported.notes.len() == 1 && imported.notes[0].contains("\"fc\""),
        "{:?}",
        imported.notes
    );
    let connections: Vec<_> =
        imported.network.specs().1.iter().map(|c| (&*c.from, &*c.to)).collect();
    assert_eq!(connections, [("in", "lif"), ("lif", "lif"), ("lif", "li")]);
    // r = (2, 4) scales what comes to each neuron; w_in = tau_syn does not.
    let weights = |position: usize| &imported.parameters.connections[position].weights;
    assert_eq!(weights(0), &[2.0, 16.0, 4.0, 20.0, 6.0, 24.0]);
    assert_eq!(weights(1), &[0.0, 4.0, -2.0, 0.0]);
    assert_eq!(weights(2), &[1.0, -1.0]);
}

#[test]
fn images() {
    let imported = import(include_bytes!("data/images.nir"), Spikes::Delta);
    let shapes: Vec<_> = imported.network.layers().iter().map(|layer| layer.shape).collect();
    assert_eq!(shapes, [Some([1, 4, 4]), Some([2, 4, 4]), Some([2, 2, 2]), None]);
    let window = Window { kernel: [3, 3], stride: [1, 1], padding: [1, 1] };
    let pool = Window { kernel: [2, 2], stride: [2, 2], padding: [0, 0] };
    let kinds: Vec<_> = imported.network.connections().iter().map(|c| c.kind.clone()).collect();
    let expected = [
        ConnectionKind::Conv2d(window),
        ConnectionKind::SumPool2d { window: pool, weight: 1.0 },
        ConnectionKind::Dense,
    ];
    assert_eq!(kinds, expected);
    let numbers: Vec<f64> = (0..18).map(f64::from).collect();
    assert_eq!(imported.parameters.connections[0].weights, numbers);
    // [target][source] becomes [source][target].
    let dense = &imported.parameters.connections[2].weights;
    assert_eq!(dense[..4], [0.0, 8.0, 1.0, 9.0]);
    // The second channel's bias, at each of its neurons.
    let bias = &imported.parameters.layers[1].bias;
    assert_eq!(bias[..16], [0.0; 16]);
    assert_eq!(bias[16..], [0.5; 16]);
}

#[test]
fn currents_as_nodes_delays_and_inner_graphs() {
    let imported = import(include_bytes!("data/pieces.nir"), Spikes::Delta);
    let layers =
        [("input", LayerKind::Input), ("layer.lif", LayerKind::Lif), ("li", LayerKind::Li)];
    assert_eq!(names(&imported), layers);
    let lif = &imported.network.specs().0[1];
    assert_eq!(lif.tau_mem, Some(OneOrMany::One(20.0)));
    assert_eq!(lif.tau_syn, Some(OneOrMany::One(5.0)));
    let first = &imported.parameters.connections[0];
    // The current's own r is 0.01 where tau_syn is 0.005: twice the weights.
    let twice = f64::from(0.01_f32) / f64::from(0.005_f32);
    assert_eq!(first.weights, [1.0 * twice, 3.0 * twice, 2.0 * twice, 4.0 * twice]);
    // 1 or 0 ms before the weights, 2 or 4 behind them.
    assert_eq!(first.delays, [3.0, 5.0, 2.0, 4.0]);
    assert_eq!(imported.parameters.connections[1].weights, [1.0, 1.0]);
}

/// A file of a simulator whose spikes are 1 for a step.
#[test]
fn snntorch() {
    let bytes = include_bytes!("data/snntorch.nir");
    let imported = import(bytes, Spikes::Step { dt: 0.1 });
    // Its current jumps by the weight, its voltage by dt / tau_mem ... of tau_mem / dt times the current.
    for (weight, own) in imported.parameters.connections[0].weights.iter().zip([0, 3, 1, 4, 2, 5]) {
        assert!((weight - 200.0 * f64::from(own)).abs() < 1e-3, "{weight} {own}");
    }
    assert!(imported.notes.is_empty());
    let note = &import(bytes, Spikes::Delta).notes[0];
    assert!(note.contains("steps of 0.100 ms"), "{note}");
}
