//! The clock-driven model of `lif_core::grid` on the device: spikes as kernels read them, of the input (`data`) and of a layer
//! (`heard`), the memory of a batch (`batch`), which kernels run and when (`program`, `stream`), the engine and what it does about
//! silent neurons (`engine`, `awake`), as the training loop knows it (`engine_trait`, `resident`).

mod abi;
mod awake;
mod batch;
mod data;
mod engine;
mod engine_trait;
mod heard;
mod program;
mod resident;
mod stream;
mod trains;

pub use engine::CudaGridEngine;
