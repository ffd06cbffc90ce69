use super::abi;
use crate::abi::Address;
use crate::device::Buffer;

/// Spikes of many samples on the device, by run and by input: see `kernels/grid.cuh`.
pub(super) struct Trains {
    pub(super) samples: Buffer<abi::Sample>,
    pub(super) runs: Buffer<abi::Run>,
    pub(super) pieces: Buffer<abi::Piece>,
    pub(super) sources: Buffer<i32>,
    pub(super) input_starts: Buffer<i32>,
    pub(super) runs_of_inputs: Buffer<i32>,
}

impl Trains {
    /// Where all that is read, and the labels of the data set; `is_batch` if the samples are those of a batch, in its order.
    pub(super) fn describe(&self, labels: Address, is_batch: bool) -> abi::Data {
        abi::Data {
            samples: self.samples.address(),
            runs: self.runs.address(),
            pieces: self.pieces.address(),
            sources: self.sources.address(),
            input_starts: self.input_starts.address(),
            runs_of_inputs: self.runs_of_inputs.address(),
            labels,
            is_batch: i32::from(is_batch),
            unused: 0,
        }
    }
}
