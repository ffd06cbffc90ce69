//! From a backend's name to an engine.

use lif_core::engine::{Engine, EngineError, Training};
use lif_core::grid::GridSpec;
use lif_core::reference::{self, Reference};
use lif_core::{Network, Real};

/// An engine that someone chose by name.
pub type BoxedEngine<T> = Box<dyn Engine<T>>;

/// The names that [`create`] knows, in this build or in another.
pub const NAMES: [&str; 3] = [reference::NAME, "cpu", "cuda"];

/// The engine called `name` for `network`, on `threads` threads where it uses several (none: as
/// many as are quickest, up to one a core).
///
/// # Errors
/// [`EngineError::Unavailable`] if there is no such engine here; whatever the engine refuses.
pub fn create<T: Precision>(
    name: &str,
    network: &Network,
    training: Training<T>,
    threads: Option<usize>,
) -> Result<BoxedEngine<T>, EngineError> {
    match name {
        // It has one thread.
        reference::NAME => T::reference(network, training),
        "cpu" => T::cpu(network, training, threads),
        "cuda" => T::cuda(network, training),
        _ => Err(not_built(name)),
    }
}

/// The engine called `name` for `network` on a grid; threads as [`create`] has them.
///
/// # Errors
/// [`EngineError::Unavailable`] if there is no such engine here, [`EngineError::Unsupported`] if it has no
/// clock-driven model; whatever the engine refuses.
pub fn create_on_grid(
    name: &str,
    network: &Network,
    grid: GridSpec,
    training: Training<f32>,
    threads: Option<usize>,
) -> Result<BoxedEngine<f32>, EngineError> {
    match name {
        "cpu" => cpu_on_grid(network, grid, training, threads),
        "cuda" => cuda_on_grid(network, grid, training),
        reference::NAME => {
            let capability = String::from(
                "the clock-driven model ([grid]), which needs backend cpu or cuda, is",
            );
            Err(EngineError::Unsupported { engine: reference::NAME, capability })
        }
        _ => Err(not_built(name)),
    }
}

/// Whether this build has the engine called `name`.
pub fn is_built(name: &str) -> bool {
    match name {
        "cpu" => cfg!(feature = "cpu"),
        "cuda" => cfg!(feature = "cuda"),
        _ => name == reference::NAME,
    }
}

/// The error for an engine that this build does not have.
pub fn not_built(name: &str) -> EngineError {
    let missing = |what| format!("this build has no {what} engine; rebuild with --features {name}");
    match name {
        "cpu" => EngineError::Unavailable { engine: "cpu", reason: missing("CPU") },
        "cuda" => EngineError::Unavailable { engine: "cuda", reason: missing("CUDA") },
        _ => {
            let reason = format!("there is no \"{name}\"; choose from {}", NAMES.join(", "));
            EngineError::Unavailable { engine: "(unknown)", reason }
        }
    }
}

/// The precisions that engines compute in: `f32` and `f64`.
pub trait Precision: Real + sealed::Sealed {
    /// The reference engine, where it has this precision.
    #[doc(hidden)]
    fn reference(
        network: &Network,
        training: Training<Self>,
    ) -> Result<BoxedEngine<Self>, EngineError>;

    /// The CPU engine, where this build has it.
    #[doc(hidden)]
    fn cpu(
        network: &Network,
        training: Training<Self>,
        threads: Option<usize>,
    ) -> Result<BoxedEngine<Self>, EngineError>;

    /// The CUDA engine, where this build has it and it has this precision.
    #[doc(hidden)]
    fn cuda(network: &Network, training: Training<Self>) -> Result<BoxedEngine<Self>, EngineError>;
}

impl Precision for f64 {
    fn reference(
        network: &Network,
        training: Training<Self>,
    ) -> Result<BoxedEngine<Self>, EngineError> {
        Ok(Box::new(Reference::new(network, training)?))
    }

    fn cpu(
        network: &Network,
        training: Training<Self>,
        threads: Option<usize>,
    ) -> Result<BoxedEngine<Self>, EngineError> {
        cpu(network, training, threads)
    }

    fn cuda(_: &Network, _: Training<Self>) -> Result<BoxedEngine<Self>, EngineError> {
        if !is_built("cuda") {
            return Err(not_built("cuda"));
        }
        let capability = String::from("precision f64 (it computes in f32 only) is");
        Err(EngineError::Unsupported { engine: "cuda", capability })
    }
}

impl Precision for f32 {
    fn reference(_: &Network, _: Training<Self>) -> Result<BoxedEngine<Self>, EngineError> {
        let capability = String::from("precision f32 (it computes in f64 only) is");
        Err(EngineError::Unsupported { engine: reference::NAME, capability })
    }

    fn cpu(
        network: &Network,
        training: Training<Self>,
        threads: Option<usize>,
    ) -> Result<BoxedEngine<Self>, EngineError> {
        cpu(network, training, threads)
    }

    fn cuda(network: &Network, training: Training<Self>) -> Result<BoxedEngine<Self>, EngineError> {
        cuda(network, training)
    }
}

/// What the CUDA engine would compute on, in a few words.
///
/// # Errors
/// If this build has no CUDA engine, or there is no driver or no device.
#[cfg(feature = "cuda")]
pub fn cuda_device() -> Result<String, EngineError> {
    eventprop_cuda::probe(0).map(|device| device.to_string())
}

/// What the CUDA engine would compute on, in a few words.
///
/// # Errors
/// If this build has no CUDA engine, or there is no driver or no device.
#[cfg(not(feature = "cuda"))]
pub fn cuda_device() -> Result<String, EngineError> {
    Err(not_built("cuda"))
}

#[cfg(feature = "cuda")]
fn cuda(network: &Network, training: Training<f32>) -> Result<BoxedEngine<f32>, EngineError> {
    use eventprop_cuda::{CudaEngine, CudaOptions};
    Ok(Box::new(CudaEngine::new(network, training, CudaOptions::default())?))
}

#[cfg(not(feature = "cuda"))]
fn cuda(_: &Network, _: Training<f32>) -> Result<BoxedEngine<f32>, EngineError> {
    Err(not_built("cuda"))
}

#[cfg(feature = "cpu")]
fn cpu<T: eventprop_cpu::Precision>(
    network: &Network,
    training: Training<T>,
    threads: Option<usize>,
) -> Result<BoxedEngine<T>, EngineError> {
    T::engine(network, training, eventprop_cpu::CpuOptions { threads })
}

#[cfg(not(feature = "cpu"))]
fn cpu<T: Real>(
    _: &Network,
    _: Training<T>,
    _: Option<usize>,
) -> Result<BoxedEngine<T>, EngineError> {
    Err(not_built("cpu"))
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for f32 {}
    impl Sealed for f64 {}
}

#[cfg(feature = "cpu")]
fn cpu_on_grid(
    network: &Network,
    grid: GridSpec,
    training: Training<f32>,
    threads: Option<usize>,
) -> Result<BoxedEngine<f32>, EngineError> {
    let threads = threads.unwrap_or(0);
    Ok(Box::new(eventprop_cpu::GridEngine::new(network, grid, training, threads)?))
}

#[cfg(not(feature = "cpu"))]
fn cpu_on_grid(
    _: &Network,
    _: GridSpec,
    _: Training<f32>,
    _: Option<usize>,
) -> Result<BoxedEngine<f32>, EngineError> {
    Err(not_built("cpu"))
}

#[cfg(feature = "cuda")]
fn cuda_on_grid(
    network: &Network,
    grid: GridSpec,
    training: Training<f32>,
) -> Result<BoxedEngine<f32>, EngineError> {
    Ok(Box::new(eventprop_cuda::CudaGridEngine::new(network, grid, training, 0)?))
}

#[cfg(not(feature = "cuda"))]
fn cuda_on_grid(
    _: &Network,
    _: GridSpec,
    _: Training<f32>,
) -> Result<BoxedEngine<f32>, EngineError> {
    Err(not_built("cuda"))
}
