use crate::engine::CpuOptions;
use crate::{denormals, plan};
use lif_core::engine::EngineError;
use rayon::{ThreadPool, ThreadPoolBuilder};

/// The threads of an engine.
///
/// # Errors
/// [`EngineError::Unavailable`] if they cannot be started.
pub(crate) fn build(options: CpuOptions) -> Result<ThreadPool, EngineError> {
    ThreadPoolBuilder::new()
        .num_threads(options.threads.unwrap_or(0))
        .thread_name(|index| format!("eventprop-{index}"))
        .start_handler(|_| denormals::flush_to_zero())
        .build()
        .map_err(|error| EngineError::Unavailable {
            engine: plan::NAME,
            reason: format!("its threads cannot be started: {error}"),
        })
}
