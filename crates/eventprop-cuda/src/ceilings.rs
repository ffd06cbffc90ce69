//! What a device can do at most, measured: the speed of a kernel says little without it.

use crate::abi::Address;
use crate::device::{Buffer, Device, Shape};
use bytemuck::bytes_of;
use lif_core::engine::EngineError;
use std::time::Instant;

/// Rates that no kernel can exceed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ceilings {
    /// Instructions (fused multiply-adds) that threads issue in a second.
    pub instructions_per_second: f64,
    /// Bytes that come from the second-level cache in a second, in rows of 512 from pseudo-random places
    /// of a matrix that lies there. The first-level cache has a thirtieth of it, and that part of the
    /// answers.
    pub l2_bytes_per_second: f64,
}

/// Measures them on device number `ordinal`. `scale` says how long: at 1024 a launch takes some
/// milliseconds on a large GPU, and its start counts for nothing; 1 is for the emulator.
///
/// # Errors
/// [`EngineError::Unavailable`] if there is no driver or no such device.
pub fn measure_ceilings(ordinal: usize, scale: u32) -> Result<Ceilings, EngineError> {
    let device = Device::open(ordinal)?;
    // All threads that the device holds at once, all the time.
    let blocks = device.multiprocessors()?.max(1) * BLOCKS;
    let threads = blocks * THREADS;
    let shape = Shape { grid: (blocks, 1), block: (THREADS, 1) };
    let sums: Buffer<f32> = device.zeros(threads as usize)?;
    let rows: Buffer<f32> = device.zeros(ROW_VALUES << ROW_BITS)?;
    let (to_sums, to_rows): (Address, Address) = (sums.address(), rows.address());
    let (issued, read) = ((ISSUED * scale).cast_signed(), scale.cast_signed());
    let (factor, term) = (0.999_f32, 0.001_f32);
    let issue = median_seconds(&device, || {
        let arguments: [&[u8]; 4] =
            [bytes_of(&to_sums), bytes_of(&factor), bytes_of(&term), bytes_of(&issued)];
        device.launch("ceiling_issue", shape, &arguments)
    })?;
    let l2 = median_seconds(&device, || {
        let arguments: [&[u8]; 3] = [bytes_of(&to_sums), bytes_of(&to_rows), bytes_of(&read)];
        device.launch("ceiling_l2", shape, &arguments)
    })?;
    let thread_steps = f64::from(threads) * f64::from(scale);
    Ok(Ceilings {
        instructions_per_second: thread_steps * f64::from(ISSUED) * MULTIPLY_ADDS / issue,
        l2_bytes_per_second: thread_steps * BYTES / l2,
    })
}

/// Blocks that fill a multiprocessor of 2,048 threads.
const BLOCKS: u32 = 8;
const THREADS: u32 = 256;
/// Multiply-adds of a step and thread, as in `kernels/ceilings.cu`.
const MULTIPLY_ADDS: f64 = 128.0;
/// Steps of them for one of reading.
const ISSUED: u32 = 4;
/// Bytes of a step and thread.
const BYTES: f64 = 128.0;
/// The values of a row, and how many rows there are: 8 MiB.
const ROW_VALUES: usize = 128;
const ROW_BITS: usize = 14;

/// The clock rises when there is work.
const WARM_UP: usize = 8;
const REPEATS: usize = 9;

/// The median of the seconds that work takes, until the device has done it.
fn median_seconds(
    device: &Device,
    start: impl Fn() -> Result<(), EngineError>,
) -> Result<f64, EngineError> {
    let mut seconds = Vec::new();
    for _ in 0..WARM_UP + REPEATS {
        let begin = Instant::now();
        start()?;
        device.wait()?;
        seconds.push(begin.elapsed().as_secs_f64());
    }
    let mut seconds = seconds.split_off(WARM_UP);
    seconds.sort_by(f64::total_cmp);
    Ok(seconds[REPEATS / 2])
}
