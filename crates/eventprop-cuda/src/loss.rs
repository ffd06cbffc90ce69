//! What is made of the output layer: measurements, predictions, and the losses that kernels know.

use crate::abi;
use crate::program::Program;
use bytemuck::bytes_of;
use lif_core::engine::EngineError;
use lif_core::loss::{KnownLoss, Loss, Objective, Readout};

/// The loss as kernels are given it: of one that they do not know, what is measured.
pub(crate) fn describe(objective: &dyn Objective<f32>) -> abi::Loss {
    let kind = kind(objective.readout());
    match objective.known() {
        Some(KnownLoss {
            loss: Loss::TtfsCrossEntropy { tau, alpha, tau_early },
            skips_silent_label,
        }) => abi::Loss {
            kind,
            tau: tau as f32,
            alpha: alpha as f32,
            tau_early: tau_early as f32,
            skips_silent_label: i32::from(skips_silent_label),
        },
        _ => abi::Loss { kind, ..abi::Loss::default() },
    }
}

/// See the READOUT_ constants of `kernels/types.cuh`.
pub(crate) fn kind(readout: Readout) -> i32 {
    match readout {
        Readout::FirstSpike => 0,
        Readout::SpikeTimeSum => 1,
        Readout::VMax => 2,
        Readout::Mean => 3,
        Readout::ExpMean => 4,
    }
}

impl Program<'_> {
    /// Whether the loss looks at spikes of the output, not at voltages.
    pub(crate) fn looks_at_spikes(&self) -> bool {
        Readout::ALL.iter().any(|&of| of.needs_spikes() && kind(of) == self.loss.kind)
    }

    /// Whether it looks at all of them, not at the first of each neuron alone.
    pub(crate) fn every_spike(&self) -> i32 {
        i32::from(self.loss.kind == kind(Readout::SpikeTimeSum))
    }

    /// Predictions from the output layer.
    pub(crate) fn predict(&self) -> Result<(), EngineError> {
        let predictions = self.batch.predictions.address();
        self.device.launch(
            "predict",
            self.warp_a_sample(),
            &[bytes_of(self.output()), bytes_of(&self.loss.kind), bytes_of(&predictions)],
        )
    }

    /// The same, and the losses and their derivatives, if kernels know them.
    pub(crate) fn evaluate_loss(&self) -> Result<(), EngineError> {
        let Self { device, queue, data, batch, .. } = self;
        device.launch(
            "evaluate_loss",
            self.warp_a_sample(),
            &[
                bytes_of(self.output()),
                bytes_of(&self.loss),
                bytes_of(&queue.control.address()),
                bytes_of(&queue.steps.address()),
                bytes_of(&queue.order.address()),
                bytes_of(&data.labels.address()),
                bytes_of(&batch.losses.address()),
                bytes_of(&batch.predictions.address()),
            ],
        )
    }
}
