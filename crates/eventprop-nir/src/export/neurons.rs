//! A layer as a node.

use super::Export;
use crate::error::ExportError;
use crate::graph::{Array, Primitive};
use crate::spikes::Spikes;
use crate::time::{milliseconds, seconds};
use lif_core::network::{Layer, Neuron};
use lif_core::per_neuron;

impl Export<'_> {
    /// The node of a layer: Input, CubaLIF or CubaLI.
    pub(super) fn neurons(&self, position: usize, layer: &Layer) -> Result<Primitive, ExportError> {
        let shape = self.shape(position);
        let mut node = match &layer.neuron {
            Neuron::Input => Primitive::new("Input", [("shape", Array::integers(&shape).into())]),
            Neuron::Li(_) => self.integrators("CubaLI", position, layer),
            Neuron::Lif(constants) => {
                if constants.refractory != 0.0 {
                    return self.refuse_layer(position, "NIR knows no refractory time");
                }
                if constants.adaptation.is_some() {
                    return self.refuse_layer(position, "NIR knows no adaptation");
                }
                let mut node = self.integrators("CubaLIF", position, layer);
                let thresholds = &self.parameters.layers[position].threshold;
                let mut add = |field: &str, values: Vec<f64>| {
                    node.fields.insert(field.into(), self.array(shape.clone(), values).into());
                };
                add("v_threshold", spread(thresholds, layer.size));
                add("v_reset", vec![constants.reset; layer.size]);
                node
            }
        };
        node = node.with_metadata("position", Array::integer(position as i64));
        match layer.shape {
            Some(sides) if shape.len() == 1 => {
                Ok(node.with_metadata("shape", Array::integers(&sides)))
            }
            _ => Ok(node),
        }
    }

    /// What CubaLI and CubaLIF have in common.
    fn integrators(&self, kind: &str, position: usize, layer: &Layer) -> Primitive {
        let own = &self.parameters.layers[position];
        let in_seconds = |ms: &[f64]| {
            let ms = spread(ms, layer.size);
            ms.into_iter().map(|ms| seconds(ms, self.storage)).collect::<Vec<_>>()
        };
        let (tau_mem, tau_syn) = (in_seconds(&own.tau_mem), in_seconds(&own.tau_syn));
        let (r, w_in) = match self.spikes {
            // w_in / tau_syn is 1: a spike over a weight makes the current jump by the weight.
            Spikes::Delta => (vec![1.0; layer.size], tau_syn.clone()),
            // What simulators ask for whose spikes are 1 for a step; the weights make up for it.
            Spikes::Step { dt } => {
                let steps = |taus: &[f64]| taus.iter().map(|tau| tau / (dt * 1e-3)).collect();
                (steps(&tau_mem), steps(&tau_syn))
            }
        };
        let array = |values| self.array(self.shape(position), values).into();
        let mut node = Primitive::new(
            kind,
            [
                ("tau_mem", array(tau_mem)),
                ("tau_syn", array(tau_syn)),
                ("r", array(r)),
                ("v_leak", array(own.bias.clone())),
                ("w_in", array(w_in)),
            ],
        );
        for (name, ms) in [("tau_mem_ms", &own.tau_mem), ("tau_syn_ms", &own.tau_syn)] {
            if !self.survives(ms) {
                node = node.with_metadata(name, self.exact(vec![ms.len()], ms));
            }
        }
        // Arrays of equal values are read as one value for the layer.
        let lists =
            [("tau_mem", &own.tau_mem), ("tau_syn", &own.tau_syn), ("threshold", &own.threshold)];
        let alike = |values: &[f64]| values.iter().all(|v| v.to_bits() == values[0].to_bits());
        for (name, _) in lists.iter().filter(|(_, list)| list.len() > 1 && alike(list)) {
            node = node.with_metadata(&format!("{name}_per_neuron"), Array::integer(1));
        }
        node
    }

    /// Whether times in ms come back from seconds as what they were.
    pub(super) fn survives(&self, ms: &[f64]) -> bool {
        let back = |ms: f64| milliseconds(seconds(ms, self.storage), self.storage);
        ms.iter().all(|&ms| self.stored(back(ms)).to_bits() == ms.to_bits())
    }

    /// Numbers in double precision, whatever that of the rest.
    pub(super) fn exact(&self, shape: Vec<usize>, values: &[f64]) -> Array {
        Array { shape, values: values.to_vec(), storage: crate::graph::Storage::Double }
    }

    /// What the precision of the file makes of a number.
    fn stored(&self, value: f64) -> f64 {
        match self.storage {
            crate::graph::Storage::Single => f64::from(value as f32),
            _ => value,
        }
    }
}

/// One value a neuron.
fn spread(values: &[f64], size: usize) -> Vec<f64> {
    (0..size).map(|neuron| *per_neuron(values, neuron)).collect()
}
