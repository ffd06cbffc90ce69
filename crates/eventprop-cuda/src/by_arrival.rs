//! Layers of so few neurons that a thread each would leave the device idle: their walks have a lane an arrival.

use crate::device::Shape;
use crate::layer::{DenseLayer, WARP};
use crate::program::Program;
use crate::walks::Voltage;

/// Warps that a multiprocessor is to be given before it is better busy with a thread a neuron.
pub(crate) const WARPS_OF_A_MULTIPROCESSOR: u32 = 64;
/// Neurons of a warp that integrates: TOGETHER of `kernels/forward_by_arrival.cu`.
const TOGETHER: usize = 4;
/// Warps of a block, as its kernels are bounded.
const WARPS: u32 = 8;

impl Program<'_> {
    /// The kernel that walks layer number `index` above the input in `samples` of its samples, forward or `back`, and on
    /// how many threads, if that is one with a lane an arrival.
    pub(crate) fn by_arrival(
        &self,
        index: usize,
        samples: i32,
        back: bool,
    ) -> Option<(&'static str, Shape)> {
        let (plan, layer) = (&self.plan[index], &self.descriptions.walks[index]);
        let warps = warps(plan);
        if !is_plain(plan) || warps.saturating_mul(self.samples()) > self.arrival_warps {
            return None;
        }
        let kernel = match (plan.spikes, self.measured(index), back) {
            (true, _, false) => "lif_forward_by_arrival",
            (true, None, true) => "lif_backward_by_arrival",
            (true, Some(_), true) => return None,
            (false, Some(Voltage::Maximum), false) => "li_maximum_by_arrival",
            (false, Some(Voltage::Maximum), true) => "li_maximum_backward_by_arrival",
            (false, _, false) => "li_mean_by_arrival",
            (false, _, true) => "li_mean_backward_by_arrival",
        };
        let warp = WARP as u32;
        let shape = if back {
            let windows = (layer.width as u32).div_ceil(warp).min(WARPS);
            Shape { grid: (samples as u32, layer.tiles as u32), block: (warp, windows) }
        } else {
            let blocks = warps.div_ceil(WARPS);
            Shape { grid: (samples as u32, blocks), block: (warp, warps.div_ceil(blocks)) }
        };
        Some((kernel, shape))
    }
}

/// Whether neurons have arrivals, decays and thresholds in common.
fn is_plain(plan: &DenseLayer) -> bool {
    !plan.is_recurrent() && !plan.delays && !plan.heterogeneous && plan.recovery.is_none()
}

/// The warps that walk a sample forward.
fn warps(plan: &DenseLayer) -> u32 {
    if plan.spikes { plan.targets as u32 } else { plan.targets.div_ceil(TOGETHER) as u32 }
}
