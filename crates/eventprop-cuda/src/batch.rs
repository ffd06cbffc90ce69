//! A batch's buffers on the device, and the descriptions of its layers that kernels are given.

use crate::abi;
use crate::device::{Buffer, Device};
use crate::lists::Lists;
use crate::plan::{DenseLayer, Recovery, WARP};
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

/// The buffers of one layer.
pub(crate) struct LayerBuffers {
    lengths: Lengths,
    pub(crate) counts: Buffer<i32>,
    records: Buffer<f32>,
    times: Buffer<f32>,
    factors: Buffer<f32>,
    heads: Buffer<i32>,
    links: Buffer<i32>,
    errors: Buffer<f32>,
    heard: Buffer<u64>,
    heard_counts: Buffer<i32>,
    pub(crate) spike_counts: Buffer<i32>,
    pub(crate) spike_times: Buffer<f32>,
    spike_slopes: Buffer<f32>,
    spike_mems: Buffer<f32>,
    spike_drives: Buffer<f32>,
    spike_intervals: Buffer<i32>,
    spike_ranks: Buffer<i32>,
    recovery_rises: Buffer<f32>,
    recovery_mems: Buffer<f32>,
    recovery_drives: Buffer<f32>,
    recovery_intervals: Buffer<i32>,
    pub(crate) needed: Buffer<i32>,
    pub(crate) outputs: Buffer<f32>,
    derivatives: Buffer<f32>,
    peaks: Buffer<f32>,
    peak_elapsed: Buffer<f32>,
    peak_currents: Buffer<f32>,
    peak_intervals: Buffer<i32>,
}

/// The constants of a layer's neurons on the device.
pub(crate) struct Constants {
    pub(crate) bias: Buffer<f32>,
    pub(crate) threshold: Buffer<f32>,
    /// Where neurons have time constants of their own, or gradients by constants are wanted.
    pub(crate) decays: Buffer<abi::Decay>,
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
                target_count: plan.pull.0 as f32,
                target_strength: (plan.pull.1 / samples as f64) as f32,
                decay: plan.decay,
                weights: matrix,
                delays: delays.map_or(0, |(delays, _)| delays),
                gradient,
                bias: constants.bias.address(),
                threshold: constants.threshold.address(),
                decays: if plan.heterogeneous { constants.decays.address() } else { 0 },
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
        let recoveries = plan.iter().zip(&self.layers);
        let recoveries = recoveries.map(|(plan, own)| plan.recovery.map(|of| own.recovery(of)));
        Descriptions { layers, walks, recoveries: recoveries.collect(), to_below }
    }
}

impl LayerBuffers {
    pub(crate) fn new(device: &Device, lengths: Lengths) -> Result<Self, EngineError> {
        let Lengths { samples, events, heads, errors, neurons, spikes, .. } = lengths;
        Ok(Self {
            lengths,
            counts: device.unset(samples)?,
            records: device.unset(4 * events)?,
            times: device.unset(events)?,
            factors: device.unset(events)?,
            heads: device.unset(heads)?,
            links: device.unset(events)?,
            errors: device.unset(errors)?,
            heard: device.unset(lengths.heard)?,
            heard_counts: device.unset(lengths.hearers)?,
            spike_counts: device.unset(neurons)?,
            // Also read where there is no spike, or no neuron.
            spike_times: device.zeros(spikes)?,
            spike_slopes: device.unset(spikes)?,
            spike_mems: device.unset(spikes)?,
            spike_drives: device.unset(spikes)?,
            spike_intervals: device.unset(spikes)?,
            spike_ranks: device.unset(spikes)?,
            recovery_rises: device.unset(lengths.recoveries)?,
            recovery_mems: device.unset(lengths.recoveries)?,
            recovery_drives: device.unset(lengths.recoveries)?,
            recovery_intervals: device.unset(lengths.recoveries)?,
            needed: device.zeros(2)?,
            outputs: device.zeros(neurons)?,
            // Of layers that are not the output too.
            derivatives: device.zeros(neurons)?,
            peaks: device.unset(neurons)?,
            peak_elapsed: device.unset(neurons)?,
            peak_currents: device.unset(neurons)?,
            peak_intervals: device.unset(neurons)?,
        })
    }

    /// `layer` with these buffers for what arrives.
    pub(crate) fn arrivals(&self, layer: abi::Layer) -> abi::Layer {
        abi::Layer {
            counts: self.counts.address(),
            records: self.records.address(),
            times: self.times.address(),
            factors: self.factors.address(),
            heads: self.heads.address(),
            links: self.links.address(),
            errors: self.errors.address(),
            heard: self.heard.address(),
            heard_counts: self.heard_counts.address(),
            ..layer
        }
    }

    fn recovery(&self, Recovery { refractory, adaptation }: Recovery) -> abi::Recovery {
        // Without adaptation the threshold stays as it is.
        let (beta, tau) = adaptation.unwrap_or((0.0, f32::INFINITY));
        abi::Recovery {
            refractory,
            beta,
            tau,
            padding: 0,
            rises: self.recovery_rises.address(),
            mems: self.recovery_mems.address(),
            drives: self.recovery_drives.address(),
            intervals: self.recovery_intervals.address(),
        }
    }

    fn addresses(&self) -> abi::Layer {
        abi::Layer {
            spike_counts: self.spike_counts.address(),
            spike_times: self.spike_times.address(),
            spike_slopes: self.spike_slopes.address(),
            spike_mems: self.spike_mems.address(),
            spike_drives: self.spike_drives.address(),
            spike_intervals: self.spike_intervals.address(),
            spike_ranks: self.spike_ranks.address(),
            needed: self.needed.address(),
            outputs: self.outputs.address(),
            derivatives: self.derivatives.address(),
            peaks: self.peaks.address(),
            peak_elapsed: self.peak_elapsed.address(),
            peak_currents: self.peak_currents.address(),
            peak_intervals: self.peak_intervals.address(),
            ..self.arrivals(abi::Layer::default())
        }
    }
}
