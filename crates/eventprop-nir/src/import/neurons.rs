//! Nodes with a voltage as layers.

use super::fields::{Named, product};
use super::pieces::{Pieces, Role};
use crate::error::ImportError;
use crate::graph::Array;
use crate::spikes::Spikes;
use crate::time::{milliseconds, plain, seconds};
use lif_core::network::{LayerKind, LayerSpec, OneOrMany};

/// A layer in the making.
pub(super) struct Population {
    /// The node's name, and the layer's.
    pub(super) name: String,
    /// The node's kind, in NIR's spelling.
    pub(super) kind: String,
    /// The sides of its arrays; none while it has single numbers, which may hold for any number of neurons.
    pub(super) shape: Option<Vec<usize>>,
    /// The layer's image, where it has one.
    pub(super) image: Option<[usize; 3]>,
    /// Its place among the layers of the network that was exported.
    pub(super) position: Option<usize>,
    /// None for the input.
    constants: Option<Constants>,
}

/// Lists of one value or one a neuron.
struct Constants {
    spikes: bool,
    tau_mem: OneOrMany,
    tau_syn: OneOrMany,
    threshold: Option<OneOrMany>,
    reset: f64,
    /// What the voltage tends to without input.
    bias: Vec<f64>,
    /// What a weight is multiplied by to become the jump of the current.
    gain: Vec<f64>,
    /// What a constant input is multiplied by to become a current.
    constant_gain: Vec<f64>,
}

impl Population {
    pub(super) fn refuse(&self, reason: impl Into<String>) -> ImportError {
        ImportError::node(&self.name, &self.kind, reason.into())
    }

    /// The number of neurons, once the shape is known.
    pub(super) fn size(&self) -> usize {
        self.shape.as_deref().map_or(1, product)
    }

    /// Whether it may send spikes.
    pub(super) fn spikes(&self) -> bool {
        self.constants.as_ref().is_none_or(|constants| constants.spikes)
    }

    pub(super) fn is_input(&self) -> bool {
        self.constants.is_none()
    }

    /// What a weight to a neuron is multiplied by.
    pub(super) fn gain(&self, neuron: usize) -> f64 {
        self.constants.as_ref().map_or(1.0, |constants| one_of(&constants.gain, neuron))
    }

    /// Adds a constant input to each neuron.
    pub(super) fn drive(&mut self, input: &[f64]) {
        let Some(constants) = &mut self.constants else { return };
        let bias = |(neuron, input): (usize, &f64)| {
            let own = one_of(&constants.bias, neuron);
            if *input == 0.0 { own } else { own + one_of(&constants.constant_gain, neuron) * input }
        };
        constants.bias = input.iter().enumerate().map(bias).collect();
    }

    /// The layer.
    pub(super) fn layer(&self) -> LayerSpec {
        let layer = LayerSpec { shape: self.image, ..LayerSpec::input(&self.name, self.size()) };
        let Some(constants) = &self.constants else { return layer };
        LayerSpec {
            kind: if constants.spikes { LayerKind::Lif } else { LayerKind::Li },
            tau_mem: Some(constants.tau_mem.clone()),
            tau_syn: Some(constants.tau_syn.clone()),
            bias: Some(compact(constants.bias.clone())),
            threshold: constants.threshold.clone(),
            reset: constants.spikes.then_some(constants.reset),
            ..layer
        }
    }
}

/// All layers, the input first, the others in the order of their names.
pub(super) fn populations(
    pieces: &Pieces,
    spikes: Spikes,
    notes: &mut Vec<String>,
) -> Result<Vec<Population>, ImportError> {
    let inputs: Vec<_> =
        pieces.nodes.iter().filter(|(_, piece)| piece.role == Role::Input).collect();
    let [(input, _)] = inputs[..] else {
        let reason = format!("the graph must have one Input, it has {}", inputs.len());
        return Err(ImportError::Graph(reason));
    };
    let mut populations = vec![self::input(Named::of(pieces, input, &["shape"])?)?];
    for (name, piece) in pieces.nodes.iter().filter(|(_, piece)| piece.role == Role::Neurons) {
        let population = match piece.primitive.kind.as_str() {
            "CubaLIF" | "CubaLI" => Some(cuba(Named::of(pieces, name, &CUBA)?, spikes, notes)?),
            _ if synapse_of(pieces, name).is_some() => None,
            _ => Some(pair(pieces, name, spikes)?),
        };
        populations.extend(population);
    }
    Ok(populations)
}

/// Whether an LI is the synapse of the LIF or LI that is named: the only way into it, and nothing else.
fn is_synapse(pieces: &Pieces, node: &str, target: &str) -> bool {
    let kind = |name: &str| pieces.nodes[name].primitive.kind.as_str();
    kind(node) == "LI"
        && ["LIF", "LI"].contains(&kind(target))
        && pieces.behind(node).eq([target])
        && pieces.before(target).eq([node])
        // Of a chain of three only the first is a synapse.
        && !pieces.before(node).any(|before| kind(before) == "LI")
}

/// The node whose synapse an LI is.
pub(super) fn synapse_of<'a>(pieces: &'a Pieces, node: &'a str) -> Option<&'a str> {
    pieces.behind(node).find(|target| is_synapse(pieces, node, target))
}

const CUBA: [&str; 7] = ["tau_mem", "tau_syn", "r", "v_leak", "w_in", "v_threshold", "v_reset"];
const PLAIN: [&str; 5] = ["tau", "r", "v_leak", "v_threshold", "v_reset"];

fn input(node: Named) -> Result<Population, ImportError> {
    let shape = node.whole("shape")?;
    if product(&shape) == 0 {
        return Err(node.refuse("has no neurons"));
    }
    Ok(Population {
        name: node.name.into(),
        kind: node.kind().into(),
        shape: Some(shape),
        image: image(node),
        position: node.hint("position"),
        constants: None,
    })
}

fn cuba(node: Named, spikes: Spikes, notes: &mut Vec<String>) -> Result<Population, ImportError> {
    let one = Array::number(1.0);
    let (tau_mem, tau_syn) = (node.numbers("tau_mem")?, node.numbers("tau_syn")?);
    let (r, w_in) = (node.numbers("r")?, node.optional("w_in")?.unwrap_or(&one));
    let sources = Sources { node, tau_mem, tau_syn, r, w_in, leak: None };
    let population = sources.population(node.kind() == "CubaLIF", spikes)?;
    let first = |array: &Array| array.values.first().copied().unwrap_or(f64::NAN);
    let (height, same) = (first(w_in) / first(tau_syn), first(r) / first(tau_mem));
    if spikes == Spikes::Delta && height > 1.5 && (height / same - 1.0).abs() < 1e-3 {
        notes.push(format!(
            "node \"{}\": w_in / tau_syn and r / tau_mem are both {height:.0} per s, as programs write \
             it whose spikes are 1 for a step; if this file is from one, import it with steps of {:.3} ms",
            node.name,
            1e3 / height
        ));
    }
    Ok(population)
}

/// A LIF or LI whose input passes an LI: together they are a CubaLIF or CubaLI.
fn pair(pieces: &Pieces, name: &str, spikes: Spikes) -> Result<Population, ImportError> {
    let node = Named::of(pieces, name, &PLAIN)?;
    let synapse = pieces.before(name).find(|before| synapse_of(pieces, before) == Some(name));
    let Some(synapse) = synapse else {
        let reason = "a spike that moves the voltage at once has no equal here: put a synaptic current \
                      before it (CubaLIF, CubaLI, or an LI that leads here alone)";
        return Err(node.refuse(reason));
    };
    let synapse = Named::of(pieces, synapse, &PLAIN)?;
    let sources = Sources {
        node,
        tau_mem: node.numbers("tau")?,
        tau_syn: synapse.numbers("tau")?,
        r: node.numbers("r")?,
        w_in: synapse.numbers("r")?,
        leak: Some(synapse.numbers("v_leak")?),
    };
    sources.population(node.kind() == "LIF", spikes)
}

/// The arrays that make up neurons.
struct Sources<'a> {
    node: Named<'a>,
    tau_mem: &'a Array,
    tau_syn: &'a Array,
    r: &'a Array,
    w_in: &'a Array,
    /// What the current tends to without input.
    leak: Option<&'a Array>,
}

impl Sources<'_> {
    fn population(self, lif: bool, spikes: Spikes) -> Result<Population, ImportError> {
        let Self { node, tau_mem, tau_syn, r, w_in, leak } = self;
        let v_leak = node.numbers("v_leak")?;
        let mut arrays = vec![tau_mem, tau_syn, r, w_in, v_leak];
        arrays.extend(leak);
        let (threshold, reset) = match lif {
            true => (Some(node.numbers("v_threshold")?), node.optional("v_reset")?),
            false => (None, None),
        };
        arrays.extend(threshold);
        arrays.extend(reset);
        let shape = shape(node, &arrays)?;
        let size = product(&shape);
        let per_neuron = |f: &dyn Fn(usize) -> f64| (0..size).map(f).collect::<Vec<_>>();
        let at = |array: &Array, neuron: usize| one_of(&array.values, neuron);
        let ratio = |neuron: usize| match (at(w_in, neuron), at(tau_syn, neuron)) {
            // Also where both are too small for a division.
            (w_in, tau_syn) if w_in == tau_syn => 1.0,
            (w_in, tau_syn) => w_in / tau_syn,
        };
        let area = spikes.area();
        let gain = per_neuron(&|n| at(r, n) * ratio(n) * area);
        if gain.iter().any(|gain| !gain.is_finite()) {
            return Err(node.refuse("r, w_in and tau_syn make up no finite weight"));
        }
        let offset = |neuron| leak.map_or(0.0, |leak| at(r, neuron) * at(leak, neuron));
        let bias = per_neuron(&|n| match (plain(at(v_leak, n), v_leak.storage), offset(n)) {
            (leak, 0.0) => leak,
            (leak, offset) => leak + offset,
        });
        let resets = reset.map_or(vec![0.0], |reset| reset.values.clone());
        if resets.iter().any(|value| *value != resets[0]) {
            return Err(node.refuse("v_reset must be the same for all neurons"));
        }
        let list = |field: &str, values: Vec<f64>| match node.hint(&format!("{field}_per_neuron")) {
            Some(1) => OneOrMany::Many(values),
            _ => compact(values),
        };
        Ok(Population {
            name: node.name.into(),
            kind: node.kind().into(),
            image: image(node),
            position: node.hint("position"),
            constants: Some(Constants {
                spikes: lif,
                tau_mem: list("tau_mem", times(node, "tau_mem_ms", tau_mem, size)),
                tau_syn: list("tau_syn", times(node, "tau_syn_ms", tau_syn, size)),
                threshold: threshold.map(|array| {
                    list("threshold", per_neuron(&|n| plain(at(array, n), array.storage)))
                }),
                reset: reset.map_or(0.0, |array| plain(array.values[0], array.storage)),
                bias,
                gain,
                constant_gain: per_neuron(&|n| at(r, n) * at(w_in, n)),
            }),
            shape: (size > 1).then_some(shape),
        })
    }
}

/// The common sides of arrays, of which those of one value hold it for all.
fn shape(node: Named, arrays: &[&Array]) -> Result<Vec<usize>, ImportError> {
    let largest = arrays.iter().max_by_key(|array| (array.values.len(), array.shape.len()));
    let shape = largest.map_or(Vec::new(), |array| array.shape.clone());
    let fits = |array: &&&Array| array.shape == shape || array.values.len() == 1;
    match arrays.iter().find(|array| !fits(array)) {
        Some(other) => {
            Err(node.refuse(format!("has parameters of shape {shape:?} and {:?}", other.shape)))
        }
        None if product(&shape) == 0 => Err(node.refuse("has no neurons")),
        None => Ok(shape),
    }
}

/// Stored seconds in ms: those that an export left, where they are still those of the node.
fn times(node: Named, name: &str, array: &Array, size: usize) -> Vec<f64> {
    let stored = |neuron| one_of(&array.values, neuron);
    if let Some(exact) = node.metadata(name)
        && (exact.values.len() == 1 || exact.values.len() == size)
        && (0..size).all(|n| seconds(one_of(&exact.values, n), array.storage) == stored(n))
    {
        return (0..size).map(|neuron| one_of(&exact.values, neuron)).collect();
    }
    (0..size).map(|neuron| milliseconds(stored(neuron), array.storage)).collect()
}

fn image(node: Named) -> Option<[usize; 3]> {
    let sides = node.metadata("shape")?.values.iter().map(|&side| side as usize);
    sides.collect::<Vec<_>>().try_into().ok()
}

/// One value where all are the same.
fn compact(values: Vec<f64>) -> OneOrMany {
    let alike = values.iter().all(|value| value.to_bits() == values[0].to_bits());
    if alike { OneOrMany::One(values[0]) } else { OneOrMany::Many(values) }
}

fn one_of(values: &[f64], neuron: usize) -> f64 {
    *lif_core::per_neuron(values, neuron)
}
