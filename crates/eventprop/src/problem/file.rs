//! The file as it is written, and the checks between its parts.

use super::error::ProblemError;
use super::nested::NestedArray;
use super::{Problem, Sample};
use lif_core::loss::{Loss, Objective};
use lif_core::network::{ConnectionKindSpec, ConnectionSpec, LayerKind, LayerSpec};
use lif_core::{Network, Parameters};
use serde::Deserialize;

/// How many neurons a file may describe beside one for each of its bytes: networks without weights
/// of their own (pooling) can be larger than their file, but not without bound.
const MAX_FREE_NEURONS: usize = 1 << 16;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ProblemFile {
    duration: f64,
    layers: Vec<LayerSpec>,
    connections: Vec<ConnectionFile>,
    samples: Vec<SampleFile>,
    loss: Loss,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ConnectionFile {
    from: String,
    to: String,
    kind: ConnectionKindSpec,
    kernel: Option<[usize; 2]>,
    stride: Option<[usize; 2]>,
    padding: Option<[usize; 2]>,
    weight: Option<f64>,
    weights: Option<NestedArray>,
    delays: Option<NestedArray>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SampleFile {
    spikes: Vec<(f64, u32)>,
    label: Option<u32>,
}

type Checked<T> = Result<T, ProblemError>;

pub(super) fn parse(json: &[u8]) -> Checked<Problem> {
    let mut deserializer = serde_json::Deserializer::from_slice(json);
    let file: ProblemFile = serde_path_to_error::deserialize(&mut deserializer)?;
    deserializer.end().map_err(|error| ProblemError::new("", error.to_string()))?;
    check_size(&file.layers, json.len())?;
    file.loss.check()?;
    let specs = file.connections.iter().enumerate();
    let specs = specs.map(|(position, own)| own.spec(position)).collect::<Checked<Vec<_>>>()?;
    let network = Network::new(file.duration, file.layers, specs)
        .map_err(|error| place_kernel(error.into(), &file.connections))?;
    if Objective::<f64>::readout(&file.loss).needs_spikes() && !network.output().spikes() {
        let (loss, name) = (file.loss.name(), &network.output().name);
        let reason = format!("{loss} looks at spikes, but the output \"{name}\" (li) never spikes");
        return refuse("loss.kind", reason);
    }
    for (position, connection) in file.connections.iter().enumerate() {
        connection.check_shapes(&network, position)?;
    }
    let samples = check_samples(file.samples, &network, &file.loss)?;
    let mut parameters = Parameters::initial(&network);
    for (own, connection) in parameters.connections.iter_mut().zip(file.connections) {
        own.weights = connection.weights.unwrap_or_default().values;
        own.delays = connection.delays.unwrap_or_default().values;
    }
    Ok(Problem { network, parameters, samples, loss: file.loss })
}

/// Refuses layers that would take more memory than the file warrants.
fn check_size(layers: &[LayerSpec], bytes: usize) -> Checked<()> {
    let bound = bytes.saturating_add(MAX_FREE_NEURONS);
    let mut sum = 0_usize;
    for (position, layer) in layers.iter().enumerate() {
        if layer.kind != LayerKind::Input {
            sum = sum.saturating_add(layer.size);
        }
        if sum > bound {
            let reason = format!("makes {sum} neurons; a file of {bytes} bytes may have {bound}");
            return refuse(format!("layers[{position}].size"), reason);
        }
    }
    Ok(())
}

impl ConnectionFile {
    /// The connection without its weights. A convolution's kernel has the size of its weights.
    fn spec(&self, position: usize) -> Checked<ConnectionSpec> {
        let at = |field: &str| format!("connections[{position}].{field}");
        let mut kernel = self.kernel;
        match (self.kind, &self.weights) {
            (ConnectionKindSpec::SumPool2d, Some(_)) => {
                return refuse(at("weights"), "a pooling has one fixed \"weight\"");
            }
            (ConnectionKindSpec::SumPool2d, None) => {}
            (_, None) => return refuse(at("weights"), "are missing"),
            (ConnectionKindSpec::Dense, Some(_)) => {}
            (ConnectionKindSpec::Conv2d, Some(weights)) => {
                if kernel.is_some() {
                    return refuse(at("kernel"), "is given by the weights here; remove it");
                }
                let [_, _, height, width] = weights.shape[..] else {
                    let reason = "must be nested as [out_channel][in_channel][ky][kx]";
                    return refuse(at("weights"), reason);
                };
                kernel = Some([height, width]);
            }
        }
        Ok(ConnectionSpec {
            from: self.from.clone(),
            to: self.to.clone(),
            kind: self.kind,
            kernel,
            stride: self.stride,
            padding: self.padding,
            weight: self.weight,
            delays: self.delays.is_some(),
        })
    }

    fn check_shapes(&self, network: &Network, position: usize) -> Checked<()> {
        let connection = &network.connections()[position];
        let (from, to) = (&network.layers()[connection.from], &network.layers()[connection.to]);
        let at = |field: &str| format!("connections[{position}].{field}");
        let Some(weights) = &self.weights else { return Ok(()) };
        let expected = match weights.shape[..] {
            [_, _, height, width] if self.kind == ConnectionKindSpec::Conv2d => {
                let channels = |layer: &lif_core::network::Layer| layer.shape.map_or(1, |s| s[0]);
                vec![channels(to), channels(from), height, width]
            }
            _ => vec![from.size, to.size],
        };
        for (field, array) in [("weights", Some(weights)), ("delays", self.delays.as_ref())] {
            let Some(array) = array else { continue };
            if array.shape != expected {
                let reason = format!("must be of shape {expected:?}, is {:?}", array.shape);
                return refuse(at(field), reason);
            }
        }
        let delays = self.delays.iter().flat_map(|delays| &delays.values);
        if let Some((flat, delay)) = delays.enumerate().find(|(_, delay)| **delay < 0.0) {
            let place = format!("{}{}", at("delays"), indices(flat, &expected));
            return refuse(place, format!("must not be negative, got {delay}"));
        }
        Ok(())
    }
}

fn check_samples(samples: Vec<SampleFile>, network: &Network, loss: &Loss) -> Checked<Vec<Sample>> {
    if samples.is_empty() {
        return refuse("samples", "at least one is needed");
    }
    let (inputs, outputs) = (network.input().size, network.output().size);
    let check = |(position, sample): (usize, SampleFile)| {
        let at = |field: String| format!("samples[{position}].{field}");
        for (spike, &(time, index)) in sample.spikes.iter().enumerate() {
            if time.is_nan() || time < 0.0 {
                let reason = format!("must not be negative, got {time}");
                return refuse(at(format!("spikes[{spike}][0]")), reason);
            }
            if index as usize >= inputs {
                let reason = format!("there are {inputs} inputs, counted from 0; got {index}");
                return refuse(at(format!("spikes[{spike}][1]")), reason);
            }
        }
        let label = match (sample.label, loss) {
            (Some(label), _) => label,
            (None, Loss::SpikeTimeSum {}) => 0,
            (None, _) => return refuse(at("label".into()), "is missing: an output index"),
        };
        if label as usize >= outputs {
            let reason = format!("there are {outputs} outputs, counted from 0; got {label}");
            return refuse(at("label".into()), reason);
        }
        Ok(Sample { spikes: sample.spikes, label })
    };
    samples.into_iter().enumerate().map(check).collect()
}

/// An error in a convolution's kernel is one in its weights: that is where a file gives it.
fn place_kernel(mut error: ProblemError, connections: &[ConnectionFile]) -> ProblemError {
    for (position, connection) in connections.iter().enumerate() {
        if connection.kind == ConnectionKindSpec::Conv2d
            && error.path == format!("connections[{position}].kernel")
        {
            error.path = format!("connections[{position}].weights");
        }
    }
    error
}

/// `[2][0]`: the indices of the flat position `flat` in an array of `shape`.
pub(super) fn indices(mut flat: usize, shape: &[usize]) -> String {
    let mut path = String::new();
    for &side in shape.iter().rev() {
        path.insert_str(0, &format!("[{}]", flat % side));
        flat /= side;
    }
    path
}

fn refuse<T>(path: impl Into<String>, reason: impl Into<String>) -> Checked<T> {
    Err(ProblemError::new(path, reason))
}
