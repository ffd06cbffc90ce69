use super::abi;
use super::data::Most;
use super::trains::Trains;
use crate::device::{Buffer, Device};
use lif_core::engine::EngineError;

/// The spikes of a layer in a batch as the next one hears them: made on the device, see `kernels/grid_spikes.cu`.
pub(super) struct Heard {
    pub(super) trains: Trains,
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
            trains: Trains {
                samples: device.unset(samples)?,
                runs: device.unset(runs)?,
                pieces: device.unset(runs)?,
                sources: device.unset(spikes)?,
                input_starts: device.unset(samples * (neurons + 1))?,
                runs_of_inputs: device.unset(spikes)?,
            },
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

    /// Where all that is written.
    pub(super) fn target(&self) -> abi::Heard {
        let abi::Data { samples, runs, pieces, sources, input_starts, runs_of_inputs, .. } =
            self.trains.describe(0, true);
        let runs_of_steps = self.runs_of_steps.address();
        abi::Heard { samples, runs, pieces, sources, input_starts, runs_of_inputs, runs_of_steps }
    }
}
