//! From a description to a network: every field is looked at once, here.

use super::spec::{ConnectionKindSpec, ConnectionSpec, LayerKind, LayerSpec, OneOrMany};
use super::{Connection, ConnectionKind, DescriptionError, Layer, Neuron, NeuronConstants, Window};

/// The most neurons a layer may have: beyond it a description is taken for a mistake.
const MAX_LAYER_SIZE: usize = 1 << 24;

type Checked<T> = Result<T, DescriptionError>;

/// Checks a whole description and resolves it.
pub(super) fn check(
    duration: f64,
    layers: &[LayerSpec],
    connections: &[ConnectionSpec],
) -> Checked<(Vec<Layer>, Vec<Connection>)> {
    positive("duration", duration)?;
    if layers.len() < 2 {
        return refuse("layers", "at least an input and an output are needed");
    }
    let layers = layers
        .iter()
        .enumerate()
        .map(|(position, layer)| check_layer(position, layer, &layers[..position]))
        .collect::<Checked<Vec<_>>>()?;
    let connections = connections
        .iter()
        .enumerate()
        .map(|(position, connection)| {
            check_connection(&format!("connections[{position}]"), connection, &layers)
        })
        .collect::<Checked<Vec<_>>>()?;
    Ok((layers, connections))
}

fn check_layer(position: usize, layer: &LayerSpec, before: &[LayerSpec]) -> Checked<Layer> {
    let path = format!("layers[{position}]");
    let at = |field: &str| format!("{path}.{field}");
    if layer.name.is_empty() || before.iter().any(|other| other.name == layer.name) {
        let reason = format!("\"{}\" is empty or taken; every layer needs its own", layer.name);
        return refuse(at("name"), reason);
    }
    if (layer.kind == LayerKind::Input) != (position == 0) {
        return refuse(at("kind"), "the first layer, and no other, must be of kind \"input\"");
    }
    if layer.size == 0 || layer.size > MAX_LAYER_SIZE {
        let reason = format!("must be between 1 and {MAX_LAYER_SIZE}, got {}", layer.size);
        return refuse(at("size"), reason);
    }
    if let Some(shape) = layer.shape {
        let product = shape.iter().try_fold(1_usize, |product, &side| product.checked_mul(side));
        if product != Some(layer.size) {
            let reason = format!("{shape:?} does not hold the layer's {} neurons", layer.size);
            return refuse(at("shape"), reason);
        }
    }
    let neuron = match layer.kind {
        LayerKind::Input => {
            let given = [
                ("tau_mem", layer.tau_mem.is_some()),
                ("tau_syn", layer.tau_syn.is_some()),
                ("bias", layer.bias.is_some()),
            ];
            refuse_given(&path, given, "an input layer")?;
            refuse_given(&path, spiking_fields(layer), "an input layer")?;
            Neuron::Input
        }
        LayerKind::Li => {
            refuse_given(&path, spiking_fields(layer), "a leaky integrator, which never spikes")?;
            Neuron::Li(check_constants(&path, layer)?)
        }
        LayerKind::Lif => Neuron::Lif(check_constants(&path, layer)?),
    };
    Ok(Layer { name: layer.name.clone(), size: layer.size, shape: layer.shape, neuron })
}

fn spiking_fields(layer: &LayerSpec) -> [(&'static str, bool); 4] {
    [
        ("threshold", layer.threshold.is_some()),
        ("reset", layer.reset.is_some()),
        ("refractory", layer.refractory.is_some()),
        ("adaptation", layer.adaptation.is_some()),
    ]
}

/// Refuses fields that mean nothing where they stand, rather than ignore them.
fn refuse_given<const N: usize>(path: &str, fields: [(&str, bool); N], place: &str) -> Checked<()> {
    match fields.iter().find(|(_, given)| *given) {
        Some((field, _)) => {
            refuse(format!("{path}.{field}"), format!("means nothing for {place}; remove it"))
        }
        None => Ok(()),
    }
}

fn check_constants(path: &str, layer: &LayerSpec) -> Checked<NeuronConstants> {
    let at = |field: &str| format!("{path}.{field}");
    let values = |field: &str, value: &Option<OneOrMany>, default: Option<f64>| {
        let values = match (value, default) {
            (Some(OneOrMany::One(value)), _) => vec![*value],
            (Some(OneOrMany::Many(values)), _) if values.len() == layer.size => values.clone(),
            (Some(OneOrMany::Many(values)), _) => {
                let (given, size) = (values.len(), layer.size);
                return refuse(at(field), format!("has {given} values for {size} neurons"));
            }
            (None, Some(default)) => vec![default],
            (None, None) => return refuse(at(field), "is missing (a time in ms)"),
        };
        values.iter().try_for_each(|&value| finite(&at(field), value))?;
        Ok(values)
    };
    let constants = NeuronConstants {
        tau_mem: values("tau_mem", &layer.tau_mem, None)?,
        tau_syn: values("tau_syn", &layer.tau_syn, None)?,
        threshold: values("threshold", &layer.threshold, Some(1.0))?,
        reset: layer.reset.unwrap_or(0.0),
        bias: values("bias", &layer.bias, Some(0.0))?,
        refractory: layer.refractory.unwrap_or(0.0),
        adaptation: layer.adaptation,
    };
    constants.tau_mem.iter().try_for_each(|&tau| positive(&at("tau_mem"), tau))?;
    constants.tau_syn.iter().try_for_each(|&tau| positive(&at("tau_syn"), tau))?;
    finite(&at("reset"), constants.reset)?;
    for &threshold in &constants.threshold {
        // V starts at 0: a threshold at or below it would be reached before anything happens.
        if threshold <= constants.reset.max(0.0) {
            let reset = constants.reset;
            let reason = format!("must be above 0 and above the reset ({reset}), got {threshold}");
            return refuse(at("threshold"), reason);
        }
    }
    finite(&at("refractory"), constants.refractory)?;
    if constants.refractory < 0.0 {
        let reason = format!("must not be negative, got {}", constants.refractory);
        return refuse(at("refractory"), reason);
    }
    if let Some(adaptation) = constants.adaptation {
        positive(&at("adaptation.tau"), adaptation.tau)?;
        finite(&at("adaptation.beta"), adaptation.beta)?;
        if adaptation.beta < 0.0 {
            let reason = format!("must not be negative, got {}", adaptation.beta);
            return refuse(at("adaptation.beta"), reason);
        }
    }
    Ok(constants)
}

fn check_connection(path: &str, spec: &ConnectionSpec, layers: &[Layer]) -> Checked<Connection> {
    let at = |field: &str| format!("{path}.{field}");
    let find = |field: &str, name: &str| match layers.iter().position(|layer| layer.name == name) {
        Some(position) => Ok(position),
        None => {
            let names: Vec<_> = layers.iter().map(|layer| layer.name.as_str()).collect();
            let names = names.join(", ");
            refuse(at(field), format!("no layer is called \"{name}\" (there are: {names})"))
        }
    };
    let (from, to) = (find("from", &spec.from)?, find("to", &spec.to)?);
    if !layers[from].spikes() {
        let reason = format!("\"{}\" is a leaky integrator: it never sends a spike", spec.from);
        return refuse(at("from"), reason);
    }
    if to == 0 {
        return refuse(at("to"), "the input layer receives nothing");
    }
    let kind = match spec.kind {
        ConnectionKindSpec::Dense => {
            let given = [
                ("kernel", spec.kernel.is_some()),
                ("stride", spec.stride.is_some()),
                ("padding", spec.padding.is_some()),
                ("weight", spec.weight.is_some()),
            ];
            refuse_given(path, given, "a dense connection")?;
            ConnectionKind::Dense
        }
        ConnectionKindSpec::Conv2d => {
            refuse_given(path, [("weight", spec.weight.is_some())], "a convolution")?;
            ConnectionKind::Conv2d(check_window(path, spec, [1, 1], &layers[from], &layers[to])?)
        }
        ConnectionKindSpec::SumPool2d => {
            refuse_given(path, [("delays", spec.delays)], "a pooling")?;
            let stride = spec.kernel.unwrap_or([1, 1]);
            let window = check_window(path, spec, stride, &layers[from], &layers[to])?;
            if layers[from].shape.map(|shape| shape[0]) != layers[to].shape.map(|shape| shape[0]) {
                return refuse(at("to"), "pooling joins layers of the same number of channels");
            }
            let Some(weight) = spec.weight else {
                return refuse(at("weight"), "is missing: the fixed weight of the pooling");
            };
            finite(&at("weight"), weight)?;
            ConnectionKind::SumPool2d { window, weight }
        }
    };
    Ok(Connection { from, to, kind, delays: spec.delays })
}

fn check_window(
    path: &str,
    spec: &ConnectionSpec,
    default_stride: [usize; 2],
    from: &Layer,
    to: &Layer,
) -> Checked<Window> {
    let at = |field: &str| format!("{path}.{field}");
    let shape = |field: &str, layer: &Layer| match layer.shape {
        Some(shape) => Ok(shape),
        None => {
            let name = &layer.name;
            refuse(at(field), format!("layer \"{name}\" needs a shape [channels, height, width]"))
        }
    };
    let (in_shape, out_shape) = (shape("from", from)?, shape("to", to)?);
    let Some(kernel) = spec.kernel else {
        return refuse(at("kernel"), "is missing: [height, width]");
    };
    let window = Window {
        kernel,
        stride: spec.stride.unwrap_or(default_stride),
        padding: spec.padding.unwrap_or([0, 0]),
    };
    for (field, sides) in [("kernel", window.kernel), ("stride", window.stride)] {
        if sides.iter().any(|&side| side == 0 || side > MAX_LAYER_SIZE) {
            return refuse(at(field), format!("both sides must be 1 to {MAX_LAYER_SIZE}"));
        }
    }
    if (0..2).any(|axis| window.padding[axis] >= kernel[axis]) {
        let padding = window.padding;
        let reason = format!("{padding:?} must be smaller than the kernel {kernel:?} on each side");
        return refuse(at("padding"), reason);
    }
    let given = [out_shape[1], out_shape[2]];
    match window.output_size([in_shape[1], in_shape[2]]) {
        Some(size) if size == given => Ok(window),
        Some([height, width]) => {
            let name = &to.name;
            let reason =
                format!("\"{name}\" is {given:?}, the window makes it [{height}, {width}]");
            refuse(at("to"), reason)
        }
        None => refuse(at("kernel"), format!("{kernel:?} is larger than the padded image")),
    }
}

fn finite(path: &str, value: f64) -> Checked<()> {
    if value.is_finite() {
        return Ok(());
    }
    refuse(path, format!("must be a finite number, got {value}"))
}

fn positive(path: &str, value: f64) -> Checked<()> {
    if value.is_finite() && value > 0.0 {
        return Ok(());
    }
    refuse(path, format!("must be positive and finite, got {value}"))
}

fn refuse<T>(path: impl Into<String>, reason: impl Into<String>) -> Checked<T> {
    Err(DescriptionError::new(path, reason))
}
