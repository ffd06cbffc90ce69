//! The kernels for constants of neurons: from the parameters to what walks are given, to the gradient, to the update.

use crate::constants::describe;
use crate::device::Shape;
use crate::plan::WARP;
use crate::program::{Program, THREADS, kind, neurons};
use bytemuck::bytes_of;
use lif_core::engine::EngineError;
use lif_core::loss::Readout;

/// Warps that share the samples of a sum: ADDERS of `kernels/constants.cu`.
const ADDERS: u32 = 16;

impl Program<'_> {
    /// Gives the walks the constants as they were learned, if they are.
    pub(crate) fn spread_constants(&self) -> Result<(), EngineError> {
        for (plan, constants) in
            self.plan.iter().zip(self.constants).filter(|_| self.learns_constants)
        {
            self.device.launch(
                "spread_constants",
                Shape { grid: ((plan.stride as u32).div_ceil(THREADS), 1), block: (THREADS, 1) },
                &[
                    bytes_of(&describe(self.weights, plan.layer)),
                    bytes_of(&constants.decays.address()),
                    bytes_of(&constants.threshold.address()),
                    bytes_of(&constants.bias.address()),
                    bytes_of(&(plan.targets as i32)),
                    bytes_of(&(plan.stride as i32)),
                ],
            )?;
        }
        Ok(())
    }

    /// The gradient by the constants of layer number `index` above the input, if it is wanted.
    pub(crate) fn constant_gradient(&self, index: usize) -> Result<(), EngineError> {
        let (layer, plan) = (&self.descriptions.walks[index], &self.plan[index]);
        if !plan.by_constants() {
            return Ok(());
        }
        let is_maximum = self.loss.kind == kind(Readout::VMax);
        let [common, own] = match (plan.spikes, is_maximum) {
            (true, _) => ["lif_constants", "lif_constants_delayed"],
            (false, true) => ["li_maximum_constants", "li_maximum_constants_delayed"],
            (false, false) => ["li_mean_constants", "li_mean_constants_delayed"],
        };
        let (errors, width, tiles) = self.above(index);
        let every_spike = i32::from(self.loss.kind == kind(Readout::SpikeTimeSum));
        let control = self.queue.control.address();
        let parts = self.batch.constant_parts.address();
        let mut arguments = vec![bytes_of(layer), bytes_of(&control)];
        if plan.spikes {
            let above =
                [bytes_of(&errors), bytes_of(&width), bytes_of(&tiles), bytes_of(&every_spike)];
            arguments.extend(above);
        }
        arguments.push(bytes_of(&parts));
        let kernel = if plan.delays { own } else { common };
        self.device.launch(kernel, neurons(layer, layer.samples), &arguments)?;
        let constants = describe(self.weights, plan.layer);
        self.device.launch(
            "sum_constants",
            Shape {
                grid: (constants.of.len() as u32, layer.tiles as u32),
                block: (WARP as u32, ADDERS),
            },
            &[bytes_of(layer), bytes_of(&control), bytes_of(&constants), bytes_of(&parts)],
        )
    }

    /// Changes constants by the gradient.
    pub(crate) fn change_constants(&self) -> Result<(), EngineError> {
        let Self { device, weights, queue, learned, .. } = self;
        if learned.len() == 0 {
            return Ok(());
        }
        device.launch(
            "update_constants",
            Shape { grid: (learned.len() as u32, 1), block: (THREADS, 1) },
            &[
                bytes_of(&weights.values.address()),
                bytes_of(&weights.gradient.address()),
                bytes_of(&weights.first.address()),
                bytes_of(&weights.second.address()),
                bytes_of(&learned.address()),
                bytes_of(&queue.control.address()),
                bytes_of(&queue.steps.address()),
            ],
        )
    }
}
