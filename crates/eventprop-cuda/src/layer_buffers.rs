//! The buffers of one layer on the device.

use crate::abi::{self, Address};
use crate::device::{Buffer, Device};
use crate::sizes::Lengths;
use lif_core::engine::EngineError;

/// The buffers of one layer.
pub(crate) struct LayerBuffers {
    pub(crate) lengths: Lengths,
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
    pub(crate) derivatives: Buffer<f32>,
    peaks: Buffer<f32>,
    peak_elapsed: Buffer<f32>,
    peak_currents: Buffer<f32>,
    peak_intervals: Buffer<i32>,
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

    /// What kernels are told of recovery from spikes, where its adaptation lies there.
    pub(crate) fn recovery(
        &self,
        refractory: f32,
        [adaptation_beta, adaptation_tau]: [Address; 2],
    ) -> abi::Recovery {
        abi::Recovery {
            refractory,
            padding: 0,
            adaptation_beta,
            adaptation_tau,
            rises: self.recovery_rises.address(),
            mems: self.recovery_mems.address(),
            drives: self.recovery_drives.address(),
            intervals: self.recovery_intervals.address(),
        }
    }

    /// A layer's description that has only these buffers.
    pub(crate) fn addresses(&self) -> abi::Layer {
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
