//! Layers of so few neurons that a thread each would leave the device idle: their walks have a lane an arrival.

use crate::device::Shape;
use crate::layer::{DenseLayer, WARP};
use crate::program::Program;
use crate::walks::Voltage;

/// Whether a warp walks a neuron with a lane an arrival, in place of 32 neurons with a lane each. Sums are then rounded in
/// another order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ByArrival {
    /// Where it is faster: where a batch has so few neurons of a layer that a thread each would leave the device idle.
    #[default]
    WhereFaster,
    /// Nowhere.
    Never,
    /// Wherever it can be: not with delays, recurrence, recovery or time constants of single neurons.
    Always,
}

/// Where it is faster on an H200, by the times of kernels of layers of 350 and 10 neurons that hear 150 to 784 spikes, at
/// batches of 8 to 1024: forward up to so many warps a multiprocessor; back, where a block is a tile of neurons of a sample, up
/// to so many blocks. Neurons of more than a tile that spike walk back faster with a thread each.
const WARPS_FORWARD: u32 = 44;
const BLOCKS_BACK: u32 = 3;
const BLOCKS_BACK_SPIKING: u32 = 2;
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
        let is_wanted = match self.by_arrival {
            ByArrival::WhereFaster => is_faster(plan, self.samples(), back, self.multiprocessors),
            ByArrival::Never => false,
            ByArrival::Always => true,
        };
        if !is_plain(plan) || !is_wanted {
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
            let warps = warps(plan);
            let blocks = warps.div_ceil(WARPS);
            Shape { grid: (samples as u32, blocks), block: (warp, warps.div_ceil(blocks)) }
        };
        Some((kernel, shape))
    }
}

/// Whether it is for a batch of so many samples, by what does not change from batch to batch.
fn is_faster(plan: &DenseLayer, samples: u32, back: bool, multiprocessors: u32) -> bool {
    let tiles = plan.targets.div_ceil(WARP) as u32;
    let (of_sample, most) = match (back, plan.spikes) {
        (false, _) => (warps(plan), WARPS_FORWARD),
        (true, true) if tiles > 1 => return false,
        (true, true) => (tiles, BLOCKS_BACK_SPIKING),
        (true, false) => (tiles, BLOCKS_BACK),
    };
    of_sample.saturating_mul(samples) <= most.saturating_mul(multiprocessors)
}

/// Whether neurons have arrivals, decays and thresholds in common.
fn is_plain(plan: &DenseLayer) -> bool {
    !plan.is_recurrent() && !plan.delays && !plan.heterogeneous && plan.recovery.is_none()
}

/// The warps that walk a sample forward.
fn warps(plan: &DenseLayer) -> u32 {
    if plan.spikes { plan.targets as u32 } else { plan.targets.div_ceil(TOGETHER) as u32 }
}
