//! `eventprop` for Python: what the crate `eventprop` does, with numpy arrays in place of vectors.
//!
//! One file an idea, and no logic of its own: what Python sees of it stands in `python/eventprop/_core.pyi`
//! beside this crate. Engines work without the interpreter's lock.

mod arrays;
mod checkpoint;
mod config;
mod data;
mod encoding;
mod engine;
mod error;
mod network;
mod problem;
mod spikes;
mod train;

/// The compiled half of the package `eventprop`.
#[pyo3::pymodule]
mod _core {
    #[pymodule_export]
    use crate::checkpoint::{Checkpoint, evaluate};
    #[pymodule_export]
    use crate::config::Config;
    #[pymodule_export]
    use crate::data::{Data, Samples, idx_images, mnist};
    #[pymodule_export]
    use crate::encoding::{latency, points, two_time, yin_yang};
    #[pymodule_export]
    use crate::engine::{Engine, Gradient, Run};
    #[pymodule_export]
    use crate::error::Error;
    #[pymodule_export]
    use crate::network::Network;
    #[pymodule_export]
    use crate::problem::solve_problem;
    #[pymodule_export]
    use crate::spikes::Spikes;
    #[pymodule_export]
    use crate::train::{Batch, RunFolder, Trainer};

    /// The version of the package.
    #[pymodule_export]
    #[expect(non_upper_case_globals, reason = "Python's name for it")]
    const __version__: &str = env!("CARGO_PKG_VERSION");
}
