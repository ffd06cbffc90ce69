//! Constants of neurons: time constants, thresholds and bias currents, as walks are given them and among all parameters.

use crate::abi::{self, Address, Decay, Learned};
use crate::device::{Buffer, Device};
use crate::layer::DenseLayer;
use crate::weights::Weights;
use lif_core::engine::{EngineError, Training};
use lif_core::network::{Layer, Network};
use lif_core::update::lower_bound;
use lif_core::{LayerParameters, ParameterId, Parameters, per_neuron};

/// The constants of a layer's neurons on the device.
pub(crate) struct Constants {
    pub(crate) bias: Buffer<f32>,
    pub(crate) threshold: Buffer<f32>,
    /// Where neurons have time constants of their own, or gradients by constants are wanted, or they spike and the loss
    /// looks at their voltages.
    pub(crate) decays: Buffer<abi::Decay>,
    /// By how much a spike raises the threshold, and the time constant in ms with which that decays.
    adaptation: Buffer<f32>,
}

impl Constants {
    /// Where the adaptation of the threshold of the layer at a position lies: among all parameters, if it may be learned.
    pub(crate) fn adaptation(&self, weights: &Weights, layer: usize) -> [Address; 2] {
        let [.., beta, tau] = describe(weights, layer).of;
        match beta.values {
            0 => [self.adaptation.at(0), self.adaptation.at(1)],
            _ => [beta.values, tau.values],
        }
    }
}

/// The lists of constants of the layer at a position, and how long they are.
pub(crate) fn lists(
    layer: usize,
    values: &LayerParameters<f32>,
) -> impl Iterator<Item = (ParameterId, usize)> {
    let lists = [
        (ParameterId::TauMem(layer), values.tau_mem.len()),
        (ParameterId::TauSyn(layer), values.tau_syn.len()),
        (ParameterId::Threshold(layer), values.threshold.len()),
        (ParameterId::Bias(layer), values.bias.len()),
        (ParameterId::AdaptationBeta(layer), values.adaptation_beta.len()),
        (ParameterId::AdaptationTau(layer), values.adaptation_tau.len()),
    ];
    lists.into_iter().filter(|(_, count)| *count > 0)
}

/// Which of CONSTANTS of `kernels/types.cuh` a list is, if it is one.
fn number(id: ParameterId) -> Option<usize> {
    match id {
        ParameterId::TauMem(_) => Some(0),
        ParameterId::TauSyn(_) => Some(1),
        ParameterId::Threshold(_) => Some(2),
        ParameterId::Bias(_) => Some(3),
        ParameterId::AdaptationBeta(_) => Some(4),
        ParameterId::AdaptationTau(_) => Some(5),
        _ => None,
    }
}

/// Whether the neurons of a layer compute their decays each for itself: they have time constants of their own, or learn
/// them.
pub(crate) fn is_heterogeneous(layer: &Layer, training: &Training<f32>) -> bool {
    let rates = &training.learning_rates;
    let many = layer.constants().is_some_and(|c| c.tau_mem.len() > 1 || c.tau_syn.len() > 1);
    many || rates.tau_mem != 0.0 || rates.tau_syn != 0.0
}

/// What the walks are given of the constants of each layer.
pub(crate) fn upload(
    device: &Device,
    plan: &[DenseLayer],
    parameters: &Parameters<f32>,
) -> Result<Vec<Constants>, EngineError> {
    let layers = plan.iter().map(|layer| {
        let values = &parameters.layers[layer.layer];
        // Padding never spikes.
        let (mut threshold, mut bias) = (vec![f32::INFINITY; layer.stride], values.bias.clone());
        bias.resize(layer.stride, 0.0);
        if layer.spikes {
            for (neuron, threshold) in threshold[..layer.targets].iter_mut().enumerate() {
                *threshold = *per_neuron(&values.threshold, neuron);
            }
        }
        let wants_decays = layer.heterogeneous || layer.is_looked_at || layer.by_constants();
        let neurons = if wants_decays { 0..layer.stride } else { 0..0 };
        let decays =
            neurons.map(|neuron| decay(values, if neuron < layer.targets { neuron } else { 0 }));
        // Without adaptation the threshold stays as it is.
        let adaptation = layer.recovery.and_then(|recovery| recovery.adaptation);
        let (beta, tau) = adaptation.unwrap_or((0.0, f32::INFINITY));
        Ok(Constants {
            adaptation: device.copy(&[beta, tau])?,
            bias: device.copy(&bias)?,
            threshold: device.copy(&threshold)?,
            decays: device.copy(&decays.collect::<Vec<_>>())?,
        })
    });
    layers.collect()
}

/// How voltage and current of a neuron decay.
pub(crate) fn decay(values: &LayerParameters<f32>, neuron: usize) -> Decay {
    let tau_mem = *per_neuron(&values.tau_mem, neuron);
    let tau_syn = *per_neuron(&values.tau_syn, neuron);
    let difference = (tau_mem - tau_syn) / (tau_mem * tau_syn);
    let ratio = tau_mem / tau_syn;
    let integer = (2..=10).find(|&integer| ratio == integer as f32);
    Decay {
        tau_mem,
        tau_syn,
        difference,
        gain: (tau_mem * difference).recip(),
        ratio,
        integer_ratio: integer.unwrap_or(0),
    }
}

/// Where the constants of the layer at a position lie among all parameters; nowhere if no gradient by them is wanted.
pub(crate) fn describe(weights: &Weights, layer: usize) -> abi::Constants {
    let mut constants = abi::Constants::default();
    for list in weights.stored.layout.constants().filter(|list| list.layer == layer) {
        if let Some(number) = number(list.id) {
            constants.of[number] = abi::Constant {
                values: weights.stored.values.at(list.first),
                gradient: weights.stored.gradient.at(list.first),
                is_common: i32::from(list.targets == 1),
                padding: 0,
            };
        }
    }
    constants
}

/// The lists of constants among all parameters.
pub(crate) fn learned(
    device: &Device,
    network: &Network,
    weights: &Weights,
) -> Result<Buffer<Learned>, EngineError> {
    let lists = weights.stored.layout.constants().filter_map(|list| {
        Some(Learned {
            first: list.first as i32,
            count: list.targets as i32,
            constant: number(list.id)? as i32,
            lowest: lower_bound(network, list.id) as f32,
        })
    });
    device.copy(&lists.collect::<Vec<_>>())
}
