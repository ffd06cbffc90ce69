//! How long an epoch takes.

use crate::workload::Workload;
use eventprop_cuda::CudaOptions;
use lif_core::SpikeBatch;
use lif_core::engine::{Batch, EngineError};
use std::time::Instant;

/// How a workload is measured.
pub(crate) struct Plan {
    pub(crate) samples: usize,
    pub(crate) batches: Vec<usize>,
    pub(crate) epochs: usize,
    /// Whether a profiler is started after the first epoch.
    pub(crate) profiled: bool,
}

/// Steps of an epoch, at most: small batches are measured on a part of the samples.
const STEPS: usize = 1000;

/// Trains on `spikes` at every batch size and tells of each: batch size, samples of an epoch, and the median of the
/// seconds it takes, after one to warm up.
pub(crate) fn measure(
    workload: &Workload,
    plan: &Plan,
    (spikes, options): (&SpikeBatch<f32>, CudaOptions),
    mut tell: impl FnMut(usize, usize, f64),
) -> Result<(), EngineError> {
    let network = workload.model.network();
    let labels: Vec<u32> = (0..plan.samples as u32).map(|sample| sample % 10).collect();
    let data = Batch { spikes, labels: &labels };
    for &batch in &plan.batches {
        let mut engine = workload.model.engine(&network, options)?;
        engine.load(&workload.parameters(&network))?;
        let Some(resident) = engine.resident() else { continue };
        resident.keep(data)?;
        let order: Vec<u32> = (0..plan.samples as u32).rev().take(STEPS * batch).collect();
        let rates = vec![1e-4; order.len().div_ceil(batch)];
        let mut seconds = Vec::new();
        for epoch in 0..=plan.epochs {
            if epoch == 1 && plan.profiled {
                // Without a profiler there is nothing to start, and nothing is lost.
                let _ = cudarc::driver::profiler_start();
            }
            let start = Instant::now();
            resident.train(&order, batch, &rates, &mut |_, _| {}).map_err(|error| error.error)?;
            seconds.push(start.elapsed().as_secs_f64());
        }
        let mut seconds = seconds.split_off(1);
        seconds.sort_by(f64::total_cmp);
        tell(batch, order.len(), seconds[seconds.len() / 2]);
    }
    Ok(())
}
