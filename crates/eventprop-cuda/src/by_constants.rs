//! The kernels for constants of neurons: from the parameters to what walks are given, to the gradient, to the update.

use crate::abi::Layer;
use crate::constants::describe;
use crate::device::Shape;
use crate::layer::WARP;
use crate::program::{Program, THREADS};
use crate::walks::{Voltage, neurons};
use bytemuck::bytes_of;
use lif_core::engine::EngineError;

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

    /// The gradient by the constants of the layers that are walked with layer number `index` above the input, if it is
    /// wanted.
    pub(crate) fn constant_gradient(&self, index: usize) -> Result<(), EngineError> {
        let (plan, mut first) = (&self.plan[index], 0);
        for &member in plan.members.iter().filter(|_| plan.by_constants()) {
            let decays = self.constants[member].decays.address();
            let layer = Layer { decays, ..self.descriptions.layers[member] };
            self.leave_constants(index, member, &layer, first)?;
            self.sum_constants(member, &layer)?;
            first += layer.stride;
        }
        Ok(())
    }

    /// What each neuron of layer number `member`, which is column `first` of walk number `index` and those after, leaves
    /// of each sample.
    fn leave_constants(
        &self,
        index: usize,
        member: usize,
        layer: &Layer,
        first: i32,
    ) -> Result<(), EngineError> {
        let (plan, descriptions) = (&self.plan[index], &self.descriptions);
        let (below, heard) = (&descriptions.to_below[index], &descriptions.walks[index]);
        let control = self.queue.control.address();
        let parts = self.batch.constant_parts.address();
        let shape = neurons(layer, layer.samples);
        if !plan.spikes {
            let kernel = match (self.measured(member), plan.delays) {
                (Some(Voltage::Maximum), false) => "li_maximum_constants",
                (Some(Voltage::Maximum), true) => "li_maximum_constants_delayed",
                (_, false) => "li_mean_constants",
                (_, true) => "li_mean_constants_delayed",
            };
            let arguments: [&[u8]; 3] = [bytes_of(layer), bytes_of(&control), bytes_of(&parts)];
            return self.device.launch(kernel, shape, &arguments);
        }
        let is_queued = plan.is_recurrent() && plan.has_delays();
        let is_looked_at = self.plan[member].is_looked_at;
        let kernel = match (is_looked_at, is_queued, plan.delays) {
            (false, false, false) => "lif_constants",
            (false, false, true) => "lif_constants_delayed",
            (false, true, false) => "lif_constants_queued",
            (false, true, true) => "lif_constants_queued_delayed",
            (true, false, false) => "lif_constants_looking",
            (true, false, true) => "lif_constants_looking_delayed",
            (true, true, false) => "lif_constants_looking_queued",
            (true, true, true) => "lif_constants_looking_queued_delayed",
        };
        let (errors, width, tiles) = self.above(member);
        // Where nobody hears the layer, the loss's derivatives: see the way back.
        let tiles = if plan.is_recurrent() { tiles } else { tiles.max(0) };
        let every_spike = self.every_spike();
        let are_known = plan.is_recurrent() || plan.recovery.is_some() || is_looked_at;
        let are_known = i32::from(are_known);
        let recovery = descriptions.recoveries[member].unwrap_or_default();
        let mut arguments = vec![
            bytes_of(layer),
            bytes_of(below),
            bytes_of(heard),
            bytes_of(&first),
            bytes_of(&control),
            bytes_of(&errors),
            bytes_of(&width),
            bytes_of(&tiles),
            bytes_of(&every_spike),
            bytes_of(&are_known),
            bytes_of(&recovery),
            bytes_of(&parts),
        ];
        // Looking of `kernels/lif_constants.cu`.
        let looking = [self.loss.kind, i32::from(plan.is_recurrent())];
        arguments.extend(is_looked_at.then(|| bytes_of(&looking)));
        self.device.launch(kernel, shape, &arguments)
    }

    /// Adds up what the neurons of layer number `index` left.
    fn sum_constants(&self, index: usize, layer: &Layer) -> Result<(), EngineError> {
        let constants = describe(self.weights, self.plan[index].layer);
        let tiles = layer.tiles as u32;
        self.device.launch(
            "sum_constants",
            Shape { grid: (constants.of.len() as u32, tiles), block: (WARP as u32, ADDERS) },
            &[
                bytes_of(layer),
                bytes_of(&self.queue.control.address()),
                bytes_of(&constants),
                bytes_of(&self.batch.constant_parts.address()),
            ],
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
                bytes_of(&weights.stored.values.address()),
                bytes_of(&weights.stored.gradient.address()),
                bytes_of(&weights.stored.first.address()),
                bytes_of(&weights.stored.second.address()),
                bytes_of(&learned.address()),
                bytes_of(&queue.control.address()),
                bytes_of(&queue.steps.address()),
            ],
        )
    }
}
