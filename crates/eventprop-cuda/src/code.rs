//! The kernels' machine code: embedded, compiled ahead of time; or compiled here, from the embedded
//! source, for devices that the embedded code does not know.

use crate::library::compiler_is_present;
use crate::probe::unavailable;
use cudarc::driver::{CudaContext, CudaModule};
use cudarc::nvrtc::{CompileOptions, Ptx, compile_ptx_with_opts};
use lif_core::engine::EngineError;
use std::sync::Arc;

/// Every kernel that is launched.
pub(crate) const KERNELS: [&str; 126] = [
    "grid_forward",
    "grid_walk",
    "grid_backward",
    "grid_gradient",
    "grid_learn",
    "grid_hear",
    "grid_pull",
    "grid_input_gradient",
    "stream_inputs",
    "sort_arrivals",
    "lif_forward",
    "lif_forward_delayed",
    "lif_forward_by_arrival",
    "lif_backward_by_arrival",
    "li_maximum_by_arrival",
    "li_maximum_backward_by_arrival",
    "li_mean_by_arrival",
    "li_mean_backward_by_arrival",
    "lif_refractory",
    "lif_refractory_delayed",
    "lif_adaptive",
    "lif_adaptive_delayed",
    "lif_refractory_heterogeneous",
    "lif_refractory_delayed_heterogeneous",
    "lif_adaptive_heterogeneous",
    "lif_adaptive_delayed_heterogeneous",
    "lif_merge",
    "join_arrivals",
    "loss_errors",
    "collect_errors",
    "lif_recurrent",
    "lif_recurrent_backward",
    "lif_recurrent_large",
    "lif_recurrent_backward_large",
    "lif_recurrent_recovering",
    "lif_recurrent_recovering_backward",
    "lif_queued_recovering",
    "lif_queued_recovering_delayed",
    "lif_queued_recovering_backward",
    "lif_queued_recovering_backward_delayed",
    "measure_recurrent_recovering",
    "measure_queued_recovering",
    "measure_queued_recovering_delayed",
    "lif_recurrent_recovering_backward_driven",
    "lif_queued_recovering_backward_driven",
    "lif_queued_recovering_backward_delayed_driven",
    "lif_queued",
    "lif_queued_delayed",
    "lif_queued_backward",
    "lif_queued_backward_delayed",
    "lif_queued_large",
    "lif_queued_delayed_large",
    "lif_queued_backward_large",
    "lif_queued_backward_delayed_large",
    "li_maximum",
    "li_maximum_delayed",
    "li_mean",
    "li_mean_delayed",
    "predict",
    "evaluate_loss",
    "li_maximum_backward",
    "li_maximum_backward_delayed",
    "li_mean_backward",
    "li_mean_backward_delayed",
    "lif_backward",
    "lif_backward_delayed",
    "measure_recurrent",
    "measure_queued",
    "measure_queued_delayed",
    "lif_recurrent_backward_driven",
    "lif_recurrent_backward_driven_large",
    "lif_queued_backward_driven",
    "lif_queued_backward_delayed_driven",
    "lif_queued_backward_driven_large",
    "lif_queued_backward_delayed_driven_large",
    "lif_maximum",
    "lif_mean",
    "lif_mean_delayed",
    "lif_mean_backward",
    "lif_mean_backward_delayed",
    "lif_maximum_backward",
    "lif_maximum_backward_delayed",
    "lif_recovering_backward",
    "lif_recovering_backward_delayed",
    "lif_recovering_backward_heterogeneous",
    "lif_recovering_backward_delayed_heterogeneous",
    "weight_gradient",
    "sum_errors",
    "input_gradient",
    "spread_weights",
    "gather_gradient",
    "gradient_squares",
    "gradient_norm",
    "update_parameters",
    "update_constants",
    "spread_constants",
    "sum_constants",
    "lif_constants",
    "lif_constants_delayed",
    "lif_constants_queued",
    "lif_constants_queued_delayed",
    "lif_constants_looking",
    "lif_constants_looking_delayed",
    "lif_constants_looking_queued",
    "lif_constants_looking_queued_delayed",
    "li_maximum_constants",
    "li_maximum_constants_delayed",
    "li_mean_constants",
    "li_mean_constants_delayed",
    "lif_forward_heterogeneous",
    "lif_forward_delayed_heterogeneous",
    "lif_backward_heterogeneous",
    "lif_backward_delayed_heterogeneous",
    "li_maximum_heterogeneous",
    "li_maximum_delayed_heterogeneous",
    "li_maximum_backward_heterogeneous",
    "li_maximum_backward_delayed_heterogeneous",
    "li_mean_heterogeneous",
    "li_mean_delayed_heterogeneous",
    "li_mean_backward_heterogeneous",
    "li_mean_backward_delayed_heterogeneous",
    "finish_batch",
    "finish_update",
    "finish_step",
    "ceiling_issue",
    "ceiling_l2",
];

/// Machine code for sm_80, sm_90 and sm_100, and PTX for everything newer than compute_75;
/// `cargo xtask cuda-check` makes and compares it.
const FATBIN: &[u8] = include_bytes!("../kernels/kernels.fatbin");

/// The sources in the order in which `kernels/all.cu` takes them in.
const SOURCES: [&str; 53] = [
    include_str!("../kernels/types.cuh"),
    include_str!("../kernels/warp.cuh"),
    include_str!("../kernels/loss.cuh"),
    include_str!("../kernels/update.cuh"),
    include_str!("../kernels/grid.cuh"),
    include_str!("../kernels/decay.cuh"),
    include_str!("../kernels/sensitivity.cuh"),
    include_str!("../kernels/arrivals.cuh"),
    include_str!("../kernels/walk.cuh"),
    include_str!("../kernels/prefix.cuh"),
    include_str!("../kernels/crossing.cuh"),
    include_str!("../kernels/spikes.cuh"),
    include_str!("../kernels/falling.cuh"),
    include_str!("../kernels/recovery.cuh"),
    include_str!("../kernels/adjoint.cuh"),
    include_str!("../kernels/trace.cuh"),
    include_str!("../kernels/drive.cuh"),
    include_str!("../kernels/neurons.cuh"),
    include_str!("../kernels/recurrent.cuh"),
    include_str!("../kernels/queue.cuh"),
    include_str!("../kernels/hears.cuh"),
    include_str!("../kernels/dependent.cuh"),
    include_str!("../kernels/stream_inputs.cu"),
    include_str!("../kernels/sort_arrivals.cu"),
    include_str!("../kernels/lif_forward.cu"),
    include_str!("../kernels/lif_recovering.cu"),
    include_str!("../kernels/lif_merge.cu"),
    include_str!("../kernels/join_arrivals.cu"),
    include_str!("../kernels/li_forward.cu"),
    include_str!("../kernels/forward_by_arrival.cu"),
    include_str!("../kernels/loss.cu"),
    include_str!("../kernels/li_backward.cu"),
    include_str!("../kernels/lif_backward.cu"),
    include_str!("../kernels/backward_by_arrival.cu"),
    include_str!("../kernels/lif_voltage.cu"),
    include_str!("../kernels/lif_recovering_backward.cu"),
    include_str!("../kernels/lif_recurrent.cu"),
    include_str!("../kernels/lif_recurrent_recovering.cu"),
    include_str!("../kernels/lif_queued.cu"),
    include_str!("../kernels/lif_queued_backward.cu"),
    include_str!("../kernels/recurrent_voltage.cu"),
    include_str!("../kernels/lif_queued_recovering.cu"),
    include_str!("../kernels/recovering_voltage.cu"),
    include_str!("../kernels/weight_gradient.cu"),
    include_str!("../kernels/lif_constants.cu"),
    include_str!("../kernels/li_constants.cu"),
    include_str!("../kernels/constants.cu"),
    include_str!("../kernels/shared_weights.cu"),
    include_str!("../kernels/update.cu"),
    include_str!("../kernels/grid_walk.cu"),
    include_str!("../kernels/grid_gradient.cu"),
    include_str!("../kernels/grid_spikes.cu"),
    include_str!("../kernels/ceilings.cu"),
];

/// Loads the kernels into a context.
pub(crate) fn load(context: &Arc<CudaContext>) -> Result<Arc<CudaModule>, EngineError> {
    let embedded = match context.load_module(Ptx::from_binary(FATBIN.to_vec())) {
        Ok(module) => return Ok(module),
        Err(error) => error,
    };
    if !compiler_is_present() {
        return unavailable(format!(
            "the driver does not take the embedded kernels ({embedded}), and libnvrtc, which could \
             compile them here, is not found; a driver of release 580 or newer takes them"
        ));
    }
    let options = CompileOptions { arch: Some("compute_75"), ..CompileOptions::default() };
    let compiled = compile_ptx_with_opts(source(), options);
    match compiled.map(|ptx| context.load_module(ptx)) {
        Ok(Ok(module)) => Ok(module),
        Ok(Err(error)) => unavailable(format!(
            "the driver takes neither the embedded kernels ({embedded}) nor those compiled here ({error})"
        )),
        Err(error) => unavailable(format!(
            "the driver does not take the embedded kernels ({embedded}), and compiling them failed: {error:?}"
        )),
    }
}

/// All sources as one file.
fn source() -> String {
    let is_ours =
        |line: &&str| !line.starts_with("#include \"") && !line.starts_with("#pragma once");
    let lines = SOURCES.iter().flat_map(|source| source.lines()).filter(is_ours);
    lines.flat_map(|line| [line, "\n"]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The list of kernels is that of the sources.
    #[test]
    fn every_kernel_is_listed() {
        let source = source();
        let mut found: Vec<_> = source
            .lines()
            .filter_map(|line| line.strip_prefix("extern \"C\" __global__ void "))
            .map(|rest| match rest.strip_prefix("__launch_bounds__") {
                Some(bounded) => bounded.split_once(") ").map_or(rest, |(_, name)| name),
                None => rest,
            })
            .filter_map(|rest| rest.split('(').next())
            .collect();
        let mut listed = KERNELS.to_vec();
        found.sort_unstable();
        listed.sort_unstable();
        assert_eq!(found, listed);
        assert!(!source.contains("#include"));
    }
}
