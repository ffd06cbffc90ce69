//! Spiking neural networks trained with exact EventProp gradients (Wunderlich & Pehle 2021).

pub mod backend;
mod checkpoint;
pub mod config;
mod data;
mod engines;
mod evaluate;
mod gather;
mod initialiser;
pub mod metrics;
pub mod problem;
mod progress;
mod run_folder;
mod schedule;
mod silent;
mod trainer;

pub use checkpoint::{Checkpoint, CheckpointError, write_atomically};
pub use config::{Config, ConfigError};
pub use data::{Data, DataError, Samples};
pub use engines::engine_for;
pub use evaluate::evaluate;
pub use initialiser::{ConnectionStart, Initialiser, initial_parameters};
pub use lif_core;
pub use metrics::{EpochRecord, Evaluation};
pub use mnist_spikes;
pub use progress::{EpochSums, Progress};
pub use run_folder::{RunFolder, RunFolderError};
pub use schedule::{LearningRate, Schedule};
pub use silent::SilentRemedy;
pub use trainer::{Event, Reduce, TrainError, Trainer};
