use lif_core::loss::{KnownLoss, Loss, Objective};
use std::sync::Arc;

/// A loss of first-spike times that are whole steps.
pub(super) enum StepLoss {
    /// [`Loss::TtfsCrossEntropy`]: its exponentials are looked up by step.
    Table {
        /// 1 / tau.
        scale: f32,
        /// exp(-step / tau).
        decay: Vec<f32>,
        /// alpha (exp(step / tau_early) - 1).
        late: Vec<f32>,
        /// Its derivative.
        late_slope: Vec<f32>,
    },
    /// Any other.
    Other(Arc<dyn Objective<f32>>),
}

impl StepLoss {
    /// `objective` for steps from 0 to `last`.
    pub(super) fn new(objective: &Arc<dyn Objective<f32>>, last: usize) -> Self {
        let Some(KnownLoss {
            loss: Loss::TtfsCrossEntropy { tau, alpha, tau_early },
            skips_silent_label: false,
        }) = objective.known()
        else {
            return Self::Other(Arc::clone(objective));
        };
        let table = |value: &dyn Fn(f64) -> f64| {
            (0..=last).map(|step| value(step as f64) as f32).collect::<Vec<_>>()
        };
        // 0 times an infinite exp would be no number.
        let priced = |value: f64| if alpha == 0.0 { 0.0 } else { value };
        Self::Table {
            scale: tau.recip() as f32,
            decay: table(&|step| (-step / tau).exp()),
            late: table(&|step| priced(alpha * (step / tau_early).exp_m1())),
            late_slope: table(&|step| priced(alpha / tau_early * (step / tau_early).exp())),
        }
    }

    /// [`Objective::evaluate_in_batch`] at first steps `first`.
    #[inline]
    pub(super) fn evaluate(
        &self,
        sample: usize,
        first: &[f32],
        label: usize,
        gradient: &mut [f32],
    ) -> f32 {
        let (scale, decay, late, late_slope) = match self {
            Self::Table { scale, decay, late, late_slope } => (scale, decay, late, late_slope),
            Self::Other(objective) => {
                return objective.evaluate_in_batch(sample, first, label, gradient);
            }
        };
        let earliest = first.iter().copied().fold(f32::INFINITY, f32::min);
        let mut sum = 0.0;
        for (gradient, &step) in gradient.iter_mut().zip(first) {
            *gradient = decay[(step - earliest) as usize];
            sum += *gradient;
        }
        let factor = -scale / sum;
        gradient.iter_mut().for_each(|gradient| *gradient *= factor);
        let step = first[label] as usize;
        gradient[label] += scale + late_slope[step];
        scale.mul_add(first[label] - earliest, sum.ln()) + late[step]
    }
}
