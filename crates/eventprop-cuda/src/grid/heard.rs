use super::abi;
use super::data::Most;
use crate::abi::Address;
use crate::device::{Buffer, Device};
use lif_core::engine::EngineError;

/// The spikes of a layer in a batch as the next one hears them: made on the device, see `kernels/grid_spikes.cu`.
pub(super) struct Heard {
    samples: Buffer<abi::Sample>,
    runs: Buffer<abi::Run>,
    pieces: Buffer<abi::Piece>,
    sources: Buffer<i32>,
    input_starts: Buffer<i32>,
    runs_of_inputs: Buffer<i32>,
    runs_of_steps: Buffer<i32>,
}

impl Heard {
    /// Room for `samples` samples of `neurons` neurons that spike in each of `steps` steps.
    pub(super) fn new(
        device: &Device,
        samples: usize,
        steps: usize,
        neurons: usize,
    ) -> Result<Self, EngineError> {
        let (runs, spikes) = (samples * steps, samples * steps * neurons);
        Ok(Self {
            samples: device.unset(samples)?,
            runs: device.unset(runs)?,
            pieces: device.unset(runs)?,
            sources: device.unset(spikes)?,
            input_starts: device.unset(samples * (neurons + 1))?,
            runs_of_inputs: device.unset(spikes)?,
            runs_of_steps: device.unset(runs)?,
        })
    }

    /// The most that a sample has.
    pub(super) fn most(steps: usize) -> Most {
        Most { runs: steps, pieces: steps }
    }

    /// Bytes of a sample.
    pub(super) fn bytes(steps: usize, neurons: usize) -> usize {
        let of_run = size_of::<abi::Run>() + size_of::<abi::Piece>() + 4;
        size_of::<abi::Sample>() + of_run * steps + 4 * (neurons + 1) + 8 * steps * neurons
    }

    /// Where all that is read, and the labels of the data set.
    pub(super) fn describe(&self, labels: Address) -> abi::Data {
        abi::Data {
            samples: self.samples.address(),
            runs: self.runs.address(),
            pieces: self.pieces.address(),
            sources: self.sources.address(),
            input_starts: self.input_starts.address(),
            runs_of_inputs: self.runs_of_inputs.address(),
            labels,
            is_batch: 1,
            unused: 0,
        }
    }

    /// Where it is written.
    pub(super) fn target(&self) -> abi::Heard {
        abi::Heard {
            samples: self.samples.address(),
            runs: self.runs.address(),
            pieces: self.pieces.address(),
            sources: self.sources.address(),
            input_starts: self.input_starts.address(),
            runs_of_inputs: self.runs_of_inputs.address(),
            runs_of_steps: self.runs_of_steps.address(),
        }
    }
}
