//! Event streams: those of sensors, read from the files they are published in, and MNIST seen by a
//! simulated event camera.
//!
//! Sensors of pixels give inputs of shape [2, height, width]: channel 0 holds the pixels that became
//! darker (OFF), channel 1 those that became brighter (ON). Times are in ms from the start of a
//! sample.

mod camera;
mod dvs_gesture;
mod error;
mod moving_mnist;
mod nmnist;
#[cfg(feature = "hdf5")]
mod spoken;

pub use camera::{Camera, CameraError};
pub use dvs_gesture::{dvs_gesture, read_aedat};
pub use error::{EventError, EventProblem};
pub use moving_mnist::moving_mnist;
pub use nmnist::{nmnist, read_nmnist};
#[cfg(feature = "hdf5")]
pub use spoken::{Spoken, parse_spoken, read_spoken};

/// An event of a camera.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Event {
    /// Microseconds.
    pub time: u64,
    /// The pixel's column.
    pub x: u32,
    /// The pixel's row.
    pub y: u32,
    /// Whether the pixel became brighter.
    pub on: bool,
}

impl Event {
    /// The input that the event is a spike of, on a sensor of `height` x `width` pixels.
    fn input(self, height: u32, width: u32) -> u32 {
        (u32::from(self.on) * height + self.y) * width + self.x
    }
}

/// Appends `events` as a sample, sorted by time (stably), times in ms from `start` (us) on.
fn push_events<T: lif_core::Real>(
    events: &mut [Event],
    start: u64,
    (height, width): (u32, u32),
    spikes: &mut lif_core::SpikeBatch<T>,
) {
    events.sort_by_key(|event| event.time);
    let train = events
        .iter()
        .map(|event| (T::of((event.time - start) as f64 * 1e-3), event.input(height, width)));
    spikes.push_sorted(train).expect("sorted by time");
}
