//! Image data sets and their encoding into spike trains.
//!
//! MNIST is part of the crate ([`mnist::load`]); any other IDX set is read from a folder
//! ([`folder::load`], [`Published`]). An encoder turns an [`ImageSet`] into the spike trains of
//! [`lif_core::SpikeBatch`]; with the labels beside them they are a [`SpikeData`], which is what
//! training consumes.
//!
//! ```
//! use mnist_spikes::{Latency, SpikeData, mnist};
//!
//! let digits = mnist::load();
//! let encoder = Latency::new(0.0, 20.0, 1)?;
//! let test: SpikeData = SpikeData::from_images(&digits.test, |images| encoder.encode(images));
//! assert_eq!((test.labels.len(), test.inputs, test.classes), (10_000, 784, 10));
//! # Ok::<(), mnist_spikes::EncodingError>(())
//! ```
//!
//! Everything random is drawn by counter, per (seed, epoch, sample): it depends neither on the
//! number of threads nor on the order in which samples are asked for.

pub mod augment;
mod draws;
mod dropout;
mod encoding;
pub mod events;
pub mod folder;
pub mod idx;
mod images;
mod latency;
pub mod mnist;
mod numpy_random;
mod order;
mod published;
mod spike_data;
mod two_time;
pub mod yin_yang;

pub use draws::{Draws, Purpose};
pub use dropout::Dropout;
pub use encoding::EncodingError;
pub use images::{ImageError, ImageSet, TrainTest};
pub use latency::Latency;
pub use order::order;
pub use published::Published;
pub use spike_data::SpikeData;
pub use two_time::TwoTime;
