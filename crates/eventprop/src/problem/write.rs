//! A problem as the file that [`super::file`] reads.

use super::nested::NestedArray;
use super::{Problem, Sample};
use lif_core::loss::Loss;
use lif_core::network::{ConnectionKind, ConnectionKindSpec, Layer, LayerSpec, OneOrMany};
use lif_core::{LayerParameters, Network};
use serde::Serialize;

#[derive(Serialize)]
struct ProblemFile<'a> {
    duration: f64,
    layers: Vec<LayerSpec>,
    connections: Vec<ConnectionFile<'a>>,
    samples: &'a [Sample],
    loss: Loss,
}

#[derive(Serialize)]
struct ConnectionFile<'a> {
    from: &'a str,
    to: &'a str,
    kind: ConnectionKindSpec,
    #[serde(skip_serializing_if = "Option::is_none")]
    kernel: Option<[usize; 2]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stride: Option<[usize; 2]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    padding: Option<[usize; 2]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    weight: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    weights: Option<NestedArray>,
    #[serde(skip_serializing_if = "Option::is_none")]
    delays: Option<NestedArray>,
}

pub(super) fn json(problem: &Problem) -> String {
    let Problem { network, parameters, samples, loss } = problem;
    let specs = network.specs().0.iter().zip(&parameters.layers);
    let positions = 0..network.connections().len();
    let file = ProblemFile {
        duration: network.duration(),
        layers: specs.map(|(spec, own)| layer(spec, own)).collect(),
        connections: positions.map(|position| connection(problem, position)).collect(),
        samples,
        loss: *loss,
    };
    serde_json::to_string(&file).expect("a problem is numbers, strings and lists")
}

/// The description with the constants that the parameters have.
fn layer(spec: &LayerSpec, own: &LayerParameters<f64>) -> LayerSpec {
    let list = |values: &[f64]| match values {
        [] => None,
        [value] => Some(OneOrMany::One(*value)),
        _ => Some(OneOrMany::Many(values.to_vec())),
    };
    let adaptation = spec.adaptation.map(|mut adaptation| {
        if let ([beta], [tau]) = (&own.adaptation_beta[..], &own.adaptation_tau[..]) {
            (adaptation.beta, adaptation.tau) = (*beta, *tau);
        }
        adaptation
    });
    LayerSpec {
        tau_mem: list(&own.tau_mem),
        tau_syn: list(&own.tau_syn),
        threshold: list(&own.threshold),
        bias: list(&own.bias),
        adaptation,
        ..spec.clone()
    }
}

fn connection(problem: &Problem, position: usize) -> ConnectionFile<'_> {
    let Problem { network, parameters, .. } = problem;
    let spec = &network.specs().1[position];
    let own = &parameters.connections[position];
    let shape = shape(network, position);
    let nested = |values: &Vec<f64>| NestedArray { shape: shape.clone(), values: values.clone() };
    let pools = spec.kind == ConnectionKindSpec::SumPool2d;
    ConnectionFile {
        from: &spec.from,
        to: &spec.to,
        kind: spec.kind,
        // Elsewhere the weights say it.
        kernel: spec.kernel.filter(|_| pools),
        stride: spec.stride,
        padding: spec.padding,
        weight: spec.weight,
        weights: (!pools).then(|| nested(&own.weights)),
        delays: spec.delays.then(|| nested(&own.delays)),
    }
}

fn shape(network: &Network, position: usize) -> Vec<usize> {
    let connection = &network.connections()[position];
    let (from, to) = (&network.layers()[connection.from], &network.layers()[connection.to]);
    let channels = |layer: &Layer| layer.shape.map_or(1, |shape| shape[0]);
    match &connection.kind {
        ConnectionKind::Conv2d(window) => {
            vec![channels(to), channels(from), window.kernel[0], window.kernel[1]]
        }
        _ => vec![from.size, to.size],
    }
}
