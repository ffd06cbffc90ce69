//! Spiking neural networks trained with exact EventProp gradients (Wunderlich & Pehle 2021).

mod checkpoint;
pub mod config;
mod data;
mod engines;
mod evaluate;
mod gather;
mod initialiser;
pub mod metrics;
mod progress;
mod schedule;
mod silent;
mod trainer;

pub use checkpoint::{Checkpoint, CheckpointError, write_atomically};
pub use config::{Config, ConfigError};
pub use data::{Data, Samples};
pub use evaluate::evaluate;
pub use initialiser::{ConnectionStart, Initialiser, initial_parameters};
pub use metrics::{EpochRecord, Evaluation};
pub use progress::{EpochSums, Progress};
pub use schedule::{LearningRate, Schedule};
pub use silent::SilentRemedy;
pub use trainer::{Event, Reduce, TrainError, Trainer};

/// What computes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Backend {
    /// The reference.
    Reference,
    /// CPU
    #[default]
    Cpu,
    /// CUDA
    Cuda,
}
mod run_folder;
pub use run_folder::{RunFolder, RunFolderError};
