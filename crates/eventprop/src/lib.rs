//! Spiking neural networks trained with exact EventProp gradients (Wunderlich & Pehle 2021).
//!
//! A [`Config`] (a TOML file or a preset) says what is trained, [`Data`] holds the samples as spike
//! trains, a [`Trainer`] goes through them epoch by epoch, and a [`Checkpoint`] keeps the result.
//! [`backend`] makes engines by name; [`problem`] reads small experiments whose gradients are
//! compared. Times are in ms. Nothing here prints.
//!
//! The same configuration gives the same weights to the bit, on any number of threads.
//!
//! # A complete training
//!
//! A network in ten lines, a data set made on the spot, four epochs:
//!
//! ```
//! use eventprop::lif_core::SpikeBatch;
//! use eventprop::mnist_spikes::SpikeData;
//! use eventprop::{Config, Data, Samples, Trainer};
//! use std::ops::ControlFlow;
//!
//! let config = Config::parse(
//!     r#"
//!     network.duration = 50.0
//!     network.layers = [
//!         { name = "input", kind = "input", size = 8 },
//!         { name = "hidden", kind = "lif", size = 20, tau_mem = 20.0, tau_syn = 5.0 },
//!         { name = "output", kind = "li", size = 2, tau_mem = 20.0, tau_syn = 5.0 },
//!     ]
//!     network.connections = [
//!         { from = "input", to = "hidden", weights = { normal = { mean = 3.0, sd = 2.0 } } },
//!         { from = "hidden", to = "output", weights = { normal = { mean = 0.1, sd = 0.3 } } },
//!     ]
//!     training = { epochs = 4, batch_size = 10, lr = 0.02 }
//!     "#,
//!     "this example",
//! )?;
//!
//! // Class 0: the first four inputs spike, one after another; class 1: the others.
//! let samples = |count: u32| {
//!     let (mut spikes, mut labels) = (SpikeBatch::new(), Vec::new());
//!     for sample in 0..count {
//!         let label = sample % 2;
//!         let start = (sample / 2 % 5) as f32;
//!         let spike = |place: u32| (start + 2.0 * place as f32, 4 * label + place);
//!         spikes.push_sorted((0..4).map(spike)).unwrap();
//!         labels.push(label);
//!     }
//!     Samples::new(SpikeData { spikes, labels, classes: 2, inputs: 8, shape: [1, 1, 8] })
//! };
//! let data = Data { train: samples(200), validation: None, test: samples(40) };
//!
//! let mut trainer = Trainer::new(config, data)?;
//! while !trainer.is_finished() {
//!     trainer.run_epoch(|_| ControlFlow::Continue(()))?;
//! }
//! let last = trainer.progress().history.last().unwrap();
//! assert!(last.test.accuracy > 0.9, "{}", last.test.accuracy);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! `trainer.checkpoint().save(path)` keeps it, [`Checkpoint::load`] and [`Trainer::resume`] go on, and
//! the folder `examples` holds a loss, a data set and a picture of one's own.
//!
#![doc = include_str!("equations.md")]
//!
//! # Where things are
//!
//! | PyTorch, snnTorch, Norse | here |
//! |---|---|
//! | `nn.Module`, `nn.Sequential` | [`lif_core::Network`], described by [`config::NetworkConfig`] |
//! | `snn.Leaky(beta)` with a synapse: beta = exp(-dt/tau_mem), alpha = exp(-dt/tau_syn) | a `lif` layer with `tau_mem` and `tau_syn` in ms: [`lif_core::network::LayerSpec`] |
//! | `snn.Leaky(reset_mechanism="none")`, `LICell` | a `li` layer |
//! | `nn.Linear`, `nn.Conv2d`, `nn.AvgPool2d` | a connection of kind `dense`, `conv2d`, `sum_pool2d` |
//! | `state_dict()` | [`lif_core::Parameters`], [`Checkpoint`] (safetensors) |
//! | a tensor of spikes `[time, batch, neuron]` | [`lif_core::SpikeBatch`]: only the spikes, (time, neuron) |
//! | `num_steps`, `dt` | `duration`; there are no steps (but [`lif_core::grid`] has them) |
//! | `surrogate.fast_sigmoid()` | nothing: the gradient is exact |
//! | `loss.backward()` | [`lif_core::engine::Engine::differentiate`] |
//! | `optimizer.step()` | [`lif_core::engine::Engine::update`], or `train_step` for both |
//! | `nn.CrossEntropyLoss`, `SF.ce_max_membrane_loss` | [`lif_core::loss::Loss`], [`lif_core::loss::Objective`] for your own |
//! | `torch.optim.Adam(lr)`, `lr_scheduler` | [`lif_core::optimiser::Optimiser`], [`Schedule`] |
//! | `clip_grad_norm_` | [`lif_core::optimiser::Clip`] |
//! | `Dataset`, `DataLoader` | [`Samples`], [`Data`] |
//! | `spikegen.latency` | [`config::EncodingConfig`] |
//! | `splt.raster` | `plot::raster` |
//! | `torch.manual_seed` | `training.seed` |
//! | `.to("cuda")` | `training.backend` |

pub mod backend;
mod checkpoint;
pub mod config;
mod data;
mod engines;
mod evaluate;
mod gather;
mod initialiser;
pub mod metrics;
mod names;
mod one_line;
pub mod parallel;
#[cfg(feature = "plot")]
pub mod plot;
pub mod problem;
mod progress;
mod pullback;
mod run_folder;
mod schedule;
mod silent;
mod silent_label;
mod stride;
pub mod tensorboard;
mod trainer;

pub use checkpoint::{Checkpoint, CheckpointError, write_atomically};
pub use config::{Config, ConfigError};
pub use data::{Data, DataError, Samples};
pub use engines::{engine_for, engine_threads, engine_with};
pub use evaluate::evaluate;
pub use initialiser::{ConnectionStart, Initialiser, initial_parameters};
pub use lif_core;
pub use metrics::{EpochRecord, Evaluation};
pub use mnist_spikes;
pub use names::{parameter_name, parameter_shape};
pub use one_line::one_line;
pub use parallel::{Collective, Parallel};
pub use progress::{EpochSums, Progress};
pub use pullback::Pullback;
pub use run_folder::{RunFolder, RunFolderError};
pub use schedule::{LearningRate, Schedule};
pub use silent::SilentRemedy;
pub use silent_label::SkipSilentLabel;
pub use trainer::{Event, TrainError, Trainer};
