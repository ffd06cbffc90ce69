//! Spiking neural networks trained with exact EventProp gradients (Wunderlich & Pehle 2021).
//!
//! A [`Config`] (a TOML file or a preset) says what is trained, [`Data`] holds the samples as spike
//! trains, a [`Trainer`] goes through them epoch by epoch, and a [`Checkpoint`] keeps the result:
//! see [`Trainer`] for an example. [`backend`] makes engines by name; [`problem`] reads small
//! experiments whose gradients are compared. Times are in ms. Nothing here prints.
//!
//! The same configuration gives the same weights to the bit, on any number of threads.

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
