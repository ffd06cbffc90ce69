use lif_core::Real;
use lif_core::loss::{KnownLoss, Loss, Objective, Readout};

/// A loss on first spikes without the gradient of samples whose label neuron is silent, as
/// Wunderlich & Pehle's own code has it.
///
/// Such a sample tells the other outputs to spike later, but not the label to spike: left in, it
/// drives outputs silent for good.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SkipSilentLabel<T> {
    loss: Loss,
    duration: T,
}

impl<T: Real> SkipSilentLabel<T> {
    /// `loss`, on a network that runs for `duration` ms.
    pub fn new(loss: Loss, duration: T) -> Self {
        Self { loss, duration }
    }
}

impl<T: Real> Objective<T> for SkipSilentLabel<T> {
    fn readout(&self) -> Readout {
        Objective::<T>::readout(&self.loss)
    }

    fn evaluate(&self, outputs: &[T], label: usize, gradient: &mut [T]) -> T {
        let loss = self.loss.evaluate(outputs, label, gradient);
        // Silent outputs count as spiking at the end.
        if self.readout() == Readout::FirstSpike && outputs[label] >= self.duration {
            gradient.fill(T::zero());
        }
        loss
    }

    fn known(&self) -> Option<KnownLoss> {
        Some(KnownLoss { loss: self.loss, skips_silent_label: true })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_silent_label_loses_its_gradient() {
        let loss = Loss::TtfsCrossEntropy { tau: 2.0, alpha: 0.01, tau_early: 10.0 };
        let skipping = SkipSilentLabel::new(loss, 40.0_f64);
        let (mut plain, mut skipped) = ([0.0; 2], [0.0; 2]);
        for outputs in [[10.0, 12.0], [10.0, 40.0]] {
            loss.evaluate(&outputs, 0, &mut plain);
            skipping.evaluate(&outputs, 0, &mut skipped);
            assert_eq!(plain, skipped);
        }
        skipping.evaluate(&[40.0, 12.0], 0, &mut skipped);
        assert_eq!(skipped, [0.0; 2]);
    }
}
