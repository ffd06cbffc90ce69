//! Whether this machine can run the engine. Nothing of the driver may be called before it is known to
//! be there: calls into a missing library would end the program.

use crate::library::driver_is_present;
use crate::name::NAME;
use cudarc::driver::{CudaContext, DriverError};
use lif_core::engine::EngineError;
use std::fmt;
use std::sync::Arc;

/// What a CUDA device is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceInfo {
    /// Its name as the driver gives it.
    pub name: String,
    /// Compute capability: (major, minor).
    pub compute_capability: (i32, i32),
    /// Memory in bytes.
    pub memory: usize,
}

impl fmt::Display for DeviceInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (major, minor) = self.compute_capability;
        let gib = self.memory as f64 / f64::from(1 << 30);
        write!(f, "{}, compute capability {major}.{minor}, {gib:.1} GiB", self.name)
    }
}

/// Describes device number `ordinal`.
///
/// # Errors
/// [`EngineError::Unavailable`] if there is no driver or no such device.
pub fn probe(ordinal: usize) -> Result<DeviceInfo, EngineError> {
    let context = open(ordinal)?;
    let describe = || -> Result<DeviceInfo, DriverError> {
        Ok(DeviceInfo {
            name: context.name()?,
            compute_capability: context.compute_capability()?,
            memory: context.total_mem()?,
        })
    };
    describe().map_err(|error| failed("asking the device what it is", error))
}

/// Opens a device.
pub(crate) fn open(ordinal: usize) -> Result<Arc<CudaContext>, EngineError> {
    if !driver_is_present() {
        return unavailable("no NVIDIA driver on this machine (libcuda.so.1 not found)");
    }
    let count = CudaContext::device_count()
        .map_err(|error| failed("asking the driver for its devices", error))?;
    match usize::try_from(count) {
        Ok(0) | Err(_) => unavailable("the NVIDIA driver finds no device"),
        Ok(count) if ordinal >= count => {
            unavailable(format!("there is no device {ordinal}: the driver has {count}"))
        }
        Ok(_) => CudaContext::new(ordinal).map_err(|error| failed("opening the device", error)),
    }
}

/// The error of a call that the driver refused.
pub(crate) fn failed(doing: &str, error: DriverError) -> EngineError {
    let reason = format!("{doing} failed: {error}");
    EngineError::Unavailable { engine: NAME, reason }
}

pub(crate) fn unavailable<T>(reason: impl Into<String>) -> Result<T, EngineError> {
    Err(EngineError::Unavailable { engine: NAME, reason: reason.into() })
}

/// What a failed read-back of parameters stands for: the trait has no error there.
pub(crate) fn expect<T>(read: Result<T, EngineError>) -> T {
    match read {
        Ok(values) => values,
        Err(error) => panic!("backend {NAME}: the device is lost: {error}"),
    }
}
