//! A batch's buffers on the device, and the descriptions of its layers that kernels are given.

use crate::abi;
use crate::constants::Constants;
use crate::device::{Buffer, Device};
use crate::layer::{DenseLayer, WARP};
use crate::layer_buffers::LayerBuffers;
use crate::lists::Lists;
use crate::sizes::{Lengths, Room};
use crate::weights::Weights;
use lif_core::engine::EngineError;

/// All buffers whose length depends on the batch.
pub(crate) struct BatchBuffers {
    pub(crate) room: Room,
    layers: Vec<LayerBuffers>,
    /// Of recurrent layers, what arrives from below.
    below: Vec<Option<LayerBuffers>>,
    pub(crate) lists: Lists,
    adjoint: Buffer<f32>,
    /// What neurons leave of the derivatives by their constants, a sample each.
    pub(crate) constant_parts: Buffer<f32>,
    /// What neurons of large recurrent layers remember.
    pub(crate) states: Buffer<i32>,
    pub(crate) list_times: Buffer<f32>,
    pub(crate) list_places: Buffer<i32>,
    pub(crate) losses: Buffer<f32>,
    pub(crate) predictions: Buffer<i32>,
    pub(crate) input_gradient: Buffer<f32>,
}

/// The descriptions that kernels are given, by layer above the input.
pub(crate) struct Descriptions {
    /// Its neurons and their spikes.
    pub(crate) layers: Vec<abi::Layer>,
    /// Its walk, with the neurons of all layers that are walked with it.
    pub(crate) walks: Vec<abi::Layer>,
    /// What its neurons need time for after a spike, if anything.
    pub(crate) recoveries: Vec<Option<abi::Recovery>>,
    /// What the walk is to the layers below, where they leave their spikes and find their errors: the same but for
    /// recurrent layers and those with delays.
    pub(crate) to_below: Vec<abi::Layer>,
}

/// What a layer's description takes from the training.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    pub(crate) duration: f32,
    pub(crate) slope_floor: f32,
    pub(crate) input_errors: bool,
}

impl BatchBuffers {
    /// Allocates what `room` asks for.
    pub(crate) fn new(
        device: &Device,
        plan: &[DenseLayer],
        room: &Room,
        input_errors: bool,
    ) -> Result<Self, EngineError> {
        room.check(plan, input_errors, device.free_memory()?)?;
        let lengths: Vec<Lengths> =
            (0..plan.len()).map(|index| room.lengths(plan, index, input_errors)).collect();
        let below = (0..plan.len()).map(|index| {
            let lengths = room.below(plan, index, input_errors);
            lengths.map(|lengths| LayerBuffers::new(device, lengths)).transpose()
        });
        let below: Vec<Option<LayerBuffers>> = below.collect::<Result<_, _>>()?;
        let most = |of: fn(&Lengths) -> usize| lengths.iter().map(of).max().unwrap_or(0);
        let events = most(|lengths| lengths.events);
        let adjoint = device.unset(most(|lengths| lengths.adjoint))?;
        let layers = lengths.into_iter().map(|lengths| LayerBuffers::new(device, lengths));
        let layers: Vec<LayerBuffers> = layers.collect::<Result<_, _>>()?;
        let arrivals =
            below.iter().zip(&layers).map(|(below, layer)| below.as_ref().unwrap_or(layer));
        let arrivals: Vec<&LayerBuffers> = arrivals.collect();
        Ok(Self {
            room: room.clone(),
            lists: Lists::new(device, plan, room, input_errors, &arrivals)?,
            below,
            adjoint,
            constant_parts: device.unset(room.constant_parts(plan))?,
            states: device.unset(room.states(plan))?,
            list_times: device.unset(events)?,
            list_places: device.unset(events)?,
            losses: device.unset(room.samples)?,
            predictions: device.unset(room.samples)?,
            // Nobody writes it where nobody hears the input.
            input_gradient: device.zeros(room.samples * room.width(0))?,
            layers,
        })
    }

    /// The buffers of layer number `index` above the input.
    pub(crate) fn layer(&self, index: usize) -> &LayerBuffers {
        &self.layers[index]
    }

    /// The measurements of the output layer, which is number `index` above the input, and the derivatives by them.
    pub(crate) fn output_mut(&mut self, index: usize) -> (&Buffer<f32>, &mut Buffer<f32>) {
        let LayerBuffers { outputs, derivatives, .. } = &mut self.layers[index];
        (outputs, derivatives)
    }

    /// Forgets what lacked room.
    pub(crate) fn clear_needs(&mut self, device: &Device) -> Result<(), EngineError> {
        self.layers.iter_mut().try_for_each(|layer| device.clear(&mut layer.needed))
    }

    /// The descriptions of all layers for a batch of `samples`.
    pub(crate) fn describe(
        &self,
        plan: &[DenseLayer],
        constants: &[Constants],
        activity: &[Buffer<u64>],
        weights: &Weights,
        settings: Settings,
        samples: usize,
    ) -> Descriptions {
        let layers = plan.iter().zip(&self.layers).zip(constants.iter().zip(activity)).enumerate();
        let layers = layers.map(|(index, ((plan, buffers), (constants, activity)))| {
            let Lengths { width, slots, chunk, .. } = buffers.lengths;
            let (matrix, gradient) = weights.addresses(index);
            let [below, own] = weights.delays(index, plan);
            let delays = if plan.is_recurrent() { own } else { below };
            let row = width * plan.columns;
            abi::Layer {
                layer: plan.layer as i32,
                sources: plan.sources as i32,
                targets: plan.targets as i32,
                stride: plan.stride as i32,
                width: width as i32,
                slots: slots as i32,
                samples: samples as i32,
                tiles: (plan.stride / WARP) as i32,
                chunk: chunk as i32,
                wants_errors: i32::from(plan.wants_errors(settings.input_errors)),
                duration: settings.duration,
                reset: plan.reset,
                rate: plan.rate,
                slope_floor: settings.slope_floor,
                target_count: plan.pull.map_or(0.0, |pull| pull.target as f32),
                target_strength: plan
                    .pull
                    .map_or(0.0, |pull| (pull.strength / samples as f64) as f32),
                decay: plan.decay,
                weights: matrix,
                delays: delays.map_or(0, |(delays, _)| delays),
                gradient,
                bias: constants.bias.address(),
                threshold: constants.threshold.address(),
                decays: match plan.heterogeneous || plan.is_looked_at {
                    true => constants.decays.address(),
                    false => 0,
                },
                activity: activity.address(),
                mu: self.adjoint.address(),
                by_time: if plan.has_delays() { self.adjoint.at(chunk * row) } else { 0 },
                ..buffers.addresses()
            }
        });
        let layers: Vec<abi::Layer> = layers.collect();
        let walks = layers.iter().zip(plan).map(|(layer, plan)| abi::Layer {
            targets: plan.own_rows as i32,
            stride: plan.columns as i32,
            tiles: (plan.columns / WARP) as i32,
            ..*layer
        });
        let walks: Vec<abi::Layer> = walks.collect();
        let to_below = walks.iter().zip(plan).zip(&self.below).enumerate();
        let to_below = to_below.map(|(index, ((layer, plan), buffers))| match buffers {
            // One sum over all neurons.
            None if plan.delays => abi::Layer { tiles: 1, ..*layer },
            None => *layer,
            Some(buffers) => abi::Layer {
                sources: plan.below() as i32,
                width: buffers.lengths.width as i32,
                tiles: 1,
                delays: weights.delays(index, plan)[0].map_or(0, |(delays, _)| delays),
                ..buffers.arrivals(*layer)
            },
        });
        let to_below = to_below.collect();
        let recoveries = plan.iter().zip(&self.layers).zip(constants);
        let recoveries = recoveries.map(|((plan, own), constants)| {
            let adaptation = constants.adaptation(weights, plan.layer);
            plan.recovery.map(|of| own.recovery(of.refractory, adaptation))
        });
        Descriptions { layers, walks, recoveries: recoveries.collect(), to_below }
    }
}

#[cfg(all(test, simt_emulator))]
mod tests {
    use super::*;
    use crate::device::Device;
    use crate::plan::plan;
    use lif_core::engine::Training;
    use lif_core::loss::Loss;
    use lif_core::network::{ConnectionSpec, LayerSpec};
    use lif_core::{Network, Parameters};

    /// A batch takes what was computed for it: lists, ranks, collected errors and recoveries too.
    #[test]
    fn bytes_are_those_allocated() {
        let layers = vec![
            LayerSpec::input("in", 30),
            LayerSpec::lif("first", 40, 20.0, 5.0),
            LayerSpec::lif("second", 50, 20.0, 5.0),
            LayerSpec::li("out", 10, 20.0, 5.0),
        ];
        let chain = [("in", "first"), ("first", "second"), ("second", "out")];
        let around = [
            ("in", "second"),
            ("first", "out"),
            ("first", "first"),
            ("in", "out"),
            ("second", "second"),
            ("second", "second"),
            ("second", "first"),
        ];
        for (delays, chosen, threads) in [
            (false, 0, 1024),
            (false, 1, 1024),
            (false, 2, 1024),
            (false, 4, 1024),
            (false, 4, 32),
            (true, 0, 1024),
            (true, 4, 1024),
            (true, 6, 1024),
            (false, 7, 1024),
            (true, 7, 1024),
        ] {
            let pairs = chain.iter().chain(&around[..chosen]);
            let connections = pairs
                .map(|&(from, to)| ConnectionSpec { delays, ..ConnectionSpec::dense(from, to) });
            let mut layers = layers.clone();
            layers[2].refractory = (!delays && chosen % 4 > 1).then_some(1.0);
            let network = Network::new(30.0, layers, connections.collect()).unwrap();
            for constant_gradients in [false, true] {
                let exact = Training::exact(Loss::VmaxCrossEntropy {});
                let training = Training { constant_gradients, ..exact };
                let parameters = Parameters::initial(&network);
                assert_allocated(&plan(&network, &training, &parameters, threads));
            }
        }
        around_the_output();
    }

    /// The same where layers hear nobody, where nobody hears them, and where others hear the output.
    fn around_the_output() {
        for pairs in [
            &[("in", "out"), ("out", "first"), ("out", "second"), ("second", "second")][..],
            &[("in", "out"), ("out", "second"), ("first", "out"), ("first", "second")],
            &[("first", "second")],
            &[],
        ] {
            let layers = vec![
                LayerSpec::input("in", 30),
                LayerSpec::lif("first", 40, 20.0, 5.0),
                LayerSpec::lif("second", 50, 20.0, 5.0),
                LayerSpec::lif("out", 10, 20.0, 5.0),
            ];
            let connections = pairs.iter().map(|&(from, to)| ConnectionSpec::dense(from, to));
            let network = Network::new(30.0, layers, connections.collect()).unwrap();
            let training = Training::exact(Loss::SpikeTimeSum {});
            let plan = plan(&network, &training, &Parameters::initial(&network), 1024);
            assert_allocated(&plan);
        }
    }

    fn assert_allocated(plan: &[DenseLayer]) {
        let room = Room { samples: 50, arrivals: 900, ..Room::new(plan, Some(1 << 20)) };
        for input_errors in [false, true] {
            let device = Device::open(0).unwrap();
            let before = device.free_memory().unwrap();
            let batch = BatchBuffers::new(&device, plan, &room, input_errors).unwrap();
            let taken = before - device.free_memory().unwrap();
            let bytes = room.bytes(plan, input_errors);
            // A buffer of no length takes 16 bytes.
            assert!((bytes..bytes + 4096).contains(&taken), "{taken} instead of {bytes}");
            drop(batch);
        }
    }
}
