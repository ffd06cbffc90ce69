//! Parameters as named tensors, and back.

use super::Checkpoint;
use crate::names::{parameter_name, parameter_shape};
use lif_core::{Network, ParameterId, Parameters};
use safetensors::{Dtype, SafeTensors};
use serde::Serialize;

/// The parameters' names start with it.
pub(super) const PARAMETERS: &str = "parameters";
/// The optimiser's first moments' names start with it.
pub(super) const FIRST: &str = "first";
/// The optimiser's second moments' names start with it.
pub(super) const SECOND: &str = "second";

pub(super) struct Tensor<'a> {
    pub(super) name: String,
    shape: Vec<usize>,
    values: &'a [f32],
}

impl Tensor<'_> {
    /// The bytes of the file: made when they are asked for, so that the file is never in memory as a whole.
    pub(super) fn bytes(&self) -> Vec<u8> {
        self.values.iter().flat_map(|value| value.to_le_bytes()).collect()
    }

    /// Whether all values are numbers.
    pub(super) fn is_finite(&self) -> bool {
        self.values.iter().all(|value| value.is_finite())
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        size_of_val(self.values)
    }

    pub(super) fn info(&self, data_offsets: (usize, usize)) -> Info<'_> {
        Info { dtype: "F32", shape: &self.shape, data_offsets }
    }
}

/// What the header of the file says of a tensor.
#[derive(Serialize)]
pub(super) struct Info<'a> {
    dtype: &'static str,
    shape: &'a [usize],
    data_offsets: (usize, usize),
}

/// All tensors of a checkpoint, by name.
pub(super) fn of_checkpoint(checkpoint: &Checkpoint) -> Vec<Tensor<'_>> {
    let Checkpoint { network, parameters, optimiser, .. } = checkpoint;
    let mut tensors = Vec::new();
    for (group, values) in
        [(PARAMETERS, parameters), (FIRST, &optimiser.first), (SECOND, &optimiser.second)]
    {
        values.for_each(|id, values| {
            if !values.is_empty() {
                tensors.push(Tensor {
                    name: name(network, group, id),
                    shape: parameter_shape(network, id, values.len()),
                    values,
                });
            }
        });
    }
    tensors.sort_by(|a, b| a.name.cmp(&b.name));
    tensors
}

/// Reads the group `group` of a network's tensors.
pub(super) fn read(
    tensors: &SafeTensors<'_>,
    network: &Network,
    group: &str,
) -> Result<Parameters<f32>, String> {
    check_sizes(tensors, network, group)?;
    let mut parameters = Parameters::zeros(network);
    let mut result = Ok(());
    parameters.for_each_mut(|id, values| {
        if result.is_ok() && !values.is_empty() {
            result = fill(tensors, &name(network, group, id), values);
        }
    });
    result.map(|()| parameters)
}

/// Looks whether the file holds what a network of this size needs before memory is taken for it: a
/// few bytes can describe a network of any size.
fn check_sizes(tensors: &SafeTensors<'_>, network: &Network, group: &str) -> Result<(), String> {
    let connections = (0..network.connections().len())
        .map(|position| (ParameterId::Weights(position), network.weight_count(position)));
    let layers = network.layers().iter().enumerate().skip(1);
    let biases = layers.map(|(position, layer)| (ParameterId::Bias(position), layer.size));
    for (id, needed) in connections.chain(biases).filter(|(_, needed)| *needed > 0) {
        let name = name(network, group, id);
        let tensor = tensors.tensor(&name).map_err(|_| format!("tensor {name} is missing"))?;
        if needed.checked_mul(size_of::<f32>()) != Some(tensor.data().len()) {
            let shape = tensor.shape();
            return Err(format!("tensor {name} is {shape:?}, the network needs {needed} values"));
        }
    }
    Ok(())
}

fn fill(tensors: &SafeTensors<'_>, name: &str, values: &mut [f32]) -> Result<(), String> {
    let tensor = tensors.tensor(name).map_err(|_| format!("tensor {name} is missing"))?;
    if tensor.dtype() != Dtype::F32 || tensor.data().len() != size_of_val(values) {
        let (dtype, shape, needed) = (tensor.dtype(), tensor.shape(), values.len());
        return Err(format!(
            "tensor {name} is {dtype:?} {shape:?}, the network needs {needed} F32"
        ));
    }
    for (value, bytes) in values.iter_mut().zip(tensor.data().as_chunks::<4>().0) {
        *value = f32::from_le_bytes(*bytes);
        if !value.is_finite() {
            return Err(format!("tensor {name} holds a value that is not finite"));
        }
    }
    Ok(())
}

fn name(network: &Network, group: &str, id: ParameterId) -> String {
    format!("{group}.{}", parameter_name(network, id))
}
