//! The CUDA engine of eventprop.
//!
//! The kernels are plain CUDA C++ (`kernels/`), compiled ahead of time and embedded (`code`); a
//! network is layers that hear others (`layer`, `plan`, `groups`, `wiring`, `constants`), convolutions as dense matrices (`shared_weights`); what
//! cannot be computed is refused first (`refusals`). Everything a batch needs is allocated up front (`sizes`, `batch`, `lists`), its kernels
//! (`program`, `walks`, `by_arrival`, `loss`, `join`) are recorded once in their order (`step`) and started again for every batch. The clock-driven model is an engine of its own (`grid`); both have their queue of steps, their parameters and updates from
//! `queue`, `stored`, `layout` and `update`. `docs/CUDA.md` says how kernels divide the work and how they are checked without a GPU.

mod abi;
mod activity;
mod batch;
mod by_arrival;
mod by_constants;
mod ceilings;
mod code;
mod constants;
mod data;
mod device;
mod engine;
mod engine_trait;
mod grid;
mod groups;
mod host_loss;
mod join;
mod layer;
mod layer_buffers;
mod layout;
mod library;
mod lists;
mod loss;
mod memory;
mod name;
#[cfg(feature = "nccl")]
mod nccl;
mod norm;
mod own_loss;
mod plan;
mod probe;
mod program;
mod queue;
mod refusals;
mod resident;
mod shared_weights;
mod sizes;
mod spread;
mod step;
mod stored;
mod update;
mod walks;
mod weights;
mod wiring;

pub use by_arrival::ByArrival;
pub use ceilings::{Ceilings, measure_ceilings};
pub use engine::{CudaEngine, CudaOptions};
pub use grid::CudaGridEngine;
#[cfg(simt_emulator)]
pub use library::set_emulator_schedule;
#[cfg(feature = "nccl")]
pub use nccl::{JobId, Nccl};
pub use probe::{DeviceInfo, probe};
