//! What has no equal is refused by name.

use eventprop_nir::{
    Array, Graph, ImportOptions, Node, Primitive, Spikes, Storage, Value, export, from_bytes,
    import,
};
use lif_core::network::{Adaptation, ConnectionKindSpec, ConnectionSpec, LayerSpec};
use lif_core::{Network, Parameters};

/// Input(2) -> Linear -> CubaLIF(3) -> Linear -> CubaLI(1) -> Output.
fn graph() -> Graph {
    let layers = vec![
        LayerSpec::input("in", 2),
        LayerSpec::lif("lif", 3, 20.0, 5.0),
        LayerSpec::li("li", 1, 20.0, 5.0),
    ];
    let connections = vec![ConnectionSpec::dense("in", "lif"), ConnectionSpec::dense("lif", "li")];
    let network = Network::new(30.0, layers, connections).unwrap();
    export(&network, &Parameters::<f32>::initial(&network), Spikes::Delta).unwrap()
}

fn primitive<'a>(graph: &'a mut Graph, name: &str) -> &'a mut Primitive {
    match graph.nodes.get_mut(name) {
        Some(Node::Primitive(primitive)) => primitive,
        other => panic!("{name}: {other:?}"),
    }
}

fn numbers(values: &[f64]) -> Value {
    let shape = if values.len() == 1 { Vec::new() } else { vec![values.len()] };
    Value::Array(Array { shape, values: values.to_vec(), storage: Storage::Single })
}

/// A graph without a duration of its own.
fn refusal(graph: &Graph) -> String {
    let options = ImportOptions { duration: Some(30.0), ..ImportOptions::default() };
    import(graph, options).unwrap_err().to_string()
}

#[track_caller]
fn refused(change: impl FnOnce(&mut Graph), expected: &[&str]) {
    let mut graph = graph();
    change(&mut graph);
    let message = refusal(&graph);
    for part in expected {
        assert!(message.contains(part), "\"{part}\" is not in: {message}");
    }
    assert!(!message.contains('\n'), "{message}");
}

/// Puts a node into the way from the input.
fn insert(graph: &mut Graph, kind: &str, fields: &[(&str, Value)]) {
    let fields = fields.iter().map(|(name, value)| ((*name).into(), value.clone())).collect();
    let node = Primitive { kind: kind.into(), fields, ..Primitive::default() };
    graph.nodes.insert("odd".into(), Node::Primitive(node));
    graph.edges[0].1 = "odd".into();
    graph.edges.push(("odd".into(), "in_to_lif".into()));
}

#[test]
fn kinds_without_an_equal() {
    for kind in ["IF", "I", "Threshold", "Conv1d", "AvgPool2d", "Later"] {
        refused(
            |graph| insert(graph, kind, &[]),
            &[&format!("node \"odd\" ({kind}): "), "has no equal here"],
        );
    }
    for kind in ["LIF", "LI"] {
        let one = numbers(&[1.0]);
        let fields = ["tau", "r", "v_leak", "v_threshold"].map(|name| (name, one.clone()));
        refused(
            |graph| insert(graph, kind, &fields),
            &[&format!("node \"odd\" ({kind}): "), "moves the voltage at once"],
        );
    }
}

#[test]
fn parameters_without_an_equal() {
    let set = |node: &'static str, field: &'static str, values: &'static [f64]| {
        move |graph: &mut Graph| {
            primitive(graph, node).fields.insert(field.into(), numbers(values));
        }
    };
    let lif = "node \"lif\" (CubaLIF): ";
    refused(set("lif", "v_reset", &[0.0, 0.5, 0.0]), &[lif, "v_reset must be the same"]);
    refused(set("lif", "v_threshold", &[1.0, -1.0, 1.0]), &[lif, "threshold", "got -1"]);
    refused(set("lif", "tau_mem", &[0.0, 1.0, 1.0]), &[lif, "tau_mem", "got 0"]);
    refused(set("lif", "tau_mem", &[f64::NAN, 1.0, 1.0]), &[lif, "tau_mem", "NaN"]);
    refused(set("lif", "tau_syn", &[0.0, 1.0, 1.0]), &[lif, "tau_syn"]);
    refused(set("lif", "r", &[1.0, 1.0]), &[lif, "shape [3] and [2]"]);
    refused(set("lif", "t_refractory", &[1.0]), &[lif, "t_refractory is not known here"]);
    refused(set("in_to_lif", "weight", &[1.0, 2.0]), &["node \"in_to_lif\" (Linear): ", "weight"]);
    refused(
        |graph| drop(primitive(graph, "lif").fields.remove("v_leak")),
        &[lif, "v_leak is missing"],
    );
    refused(
        |graph| {
            let text = Value::Text("many".into());
            primitive(graph, "lif").fields.insert("r".into(), text);
        },
        &[lif, "r must hold numbers, got \"many\""],
    );
    refused(
        |graph| insert(graph, "Delay", &[("delay", numbers(&[0.001, -0.001]))]),
        &["node \"odd\" (Delay): ", "must not be negative, got -0.001"],
    );
    refused(
        |graph| insert(graph, "Delay", &[("delay", numbers(&[0.001, 0.001, 0.001]))]),
        &["node \"odd\" (Delay): ", "takes [3], is sent [2]"],
    );
    refused(
        |graph| insert(graph, "SumPool2d", &[]),
        &["node \"odd\" (SumPool2d): ", "[channels, height, width], is sent [2]"],
    );
}

#[test]
fn ways_without_an_equal() {
    let edge = |from: &str, to: &str| (String::from(from), String::from(to));
    let linear = numbers(&[1.0, 0.0, 0.0, 1.0]);
    let Value::Array(array) = linear else { unreachable!() };
    let square = Value::Array(Array { shape: vec![2, 2], ..array });
    refused(
        |graph| insert(graph, "Linear", &[("weight", square.clone())]),
        &["node \"in_to_lif\" (Linear): ", "comes behind \"odd\" (Linear)"],
    );
    refused(
        |graph| {
            insert(graph, "Linear", &[("weight", square.clone())]);
            graph.edges.push(edge("odd", "odd"));
        },
        &["node \"odd\" (Linear): ", "loop without neurons"],
    );
    refused(
        |graph| graph.edges.push(edge("li", "in_to_lif")),
        &["node \"li\" (CubaLI): ", "never spikes here"],
    );
    refused(|graph| graph.edges.push(edge("lif", "nothing")), &["\"nothing\"", "no node"]);
    refused(|graph| graph.edges.push(edge("in", "in_to_lif")), &["two edges from \"in\""]);
    refused(
        |graph| graph.edges.push(edge("lif", "output")),
        &["more than one way leads to the output"],
    );
    refused(|graph| graph.edges.push(edge("lif", "in")), &["node \"in\" (Input): "]);
    refused(
        |graph| graph.edges.push(edge("lif_to_li", "output")),
        &["node \"lif_to_li\" (Linear): ", "only neurons"],
    );
    refused(|graph| graph.edges.retain(|e| e.0 != "in"), &["node \"in_to_lif\" (Linear): "]);
    refused(|graph| drop(graph.nodes.remove("in")), &["\"in\", which is no node"]);
    refused(
        |graph| {
            primitive(graph, "in").kind = "Output".into();
        },
        &["must have one Input, it has 0"],
    );
    let mut open = graph();
    open.metadata.clear();
    let message = import(&open, ImportOptions::default()).unwrap_err().to_string();
    assert!(message.contains("give a duration"), "{message}");
}

#[test]
fn files_that_are_none() {
    for bytes in [&b""[..], b"no HDF5", &graph().to_bytes().unwrap()[..300]] {
        let message = from_bytes(bytes.to_vec(), ImportOptions::default()).unwrap_err().to_string();
        assert!(message.starts_with("this is no usable NIR file: "), "{message}");
    }
}

/// A network that is refused when it is written.
#[track_caller]
fn not_written(layers: Vec<LayerSpec>, connections: Vec<ConnectionSpec>, expected: [&str; 2]) {
    let network = Network::new(30.0, layers, connections).unwrap();
    let parameters = Parameters::<f64>::initial(&network);
    let message = export(&network, &parameters, Spikes::Delta).unwrap_err().to_string();
    assert!(expected.iter().all(|part| message.contains(part)), "{message}");
}

#[test]
fn networks_without_an_equal() {
    let lif = || LayerSpec::lif("h", 4, 20.0, 5.0);
    let input = || LayerSpec::input("in", 4);
    let dense = || vec![ConnectionSpec::dense("in", "h")];
    not_written(
        vec![input(), LayerSpec { refractory: Some(1.0), ..lif() }],
        dense(),
        ["layer \"h\"", "refractory"],
    );
    let adaptation = Some(Adaptation { beta: 0.1, tau: 10.0 });
    not_written(
        vec![input(), LayerSpec { adaptation, ..lif() }],
        dense(),
        ["layer \"h\"", "adaptation"],
    );
    not_written(
        vec![LayerSpec::input("a/b", 4), lif()],
        vec![ConnectionSpec::dense("a/b", "h")],
        ["layer \"a/b\"", "HDF5"],
    );
    let more = || vec![input(), lif(), LayerSpec::lif("out", 1, 20.0, 5.0)];
    let out = ConnectionSpec::dense("in", "out");
    not_written(
        more(),
        vec![ConnectionSpec::dense("h", "out"), out.clone()],
        ["layer \"h\"", "nothing leads to it"],
    );
    not_written(
        more(),
        vec![ConnectionSpec::dense("in", "h"), out],
        ["layer \"h\"", "leads nowhere"],
    );
    let images = vec![input().with_shape([1, 2, 2]), lif().with_shape([1, 2, 2])];
    let pool = ConnectionSpec {
        kind: ConnectionKindSpec::SumPool2d,
        kernel: Some([1, 1]),
        weight: Some(1.0),
        ..ConnectionSpec::dense("in", "h")
    };
    not_written(
        images,
        vec![pool, ConnectionSpec::dense("h", "h")],
        ["connection from \"h\" to \"h\"", "flattens"],
    );
}
