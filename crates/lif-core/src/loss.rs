//! Losses: what is measured at the output layer, and what is made of it.

use crate::Real;
use serde::{Deserialize, Serialize};

/// What is measured at each neuron of the output layer: one number z a neuron and sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readout {
    /// Time of the first spike in ms; the duration where there is none (then without gradient).
    FirstSpike,
    /// Sum of all spike times in ms.
    SpikeTimeSum,
    /// Maximum of the voltage over the duration, at least 0.
    VMax,
    /// Mean of the voltage over the duration.
    Mean,
    /// (1/T) times the integral of exp(-t/T) V(t) over the duration T.
    ExpMean,
}

impl Readout {
    /// All there are.
    pub const ALL: [Self; 5] =
        [Self::FirstSpike, Self::SpikeTimeSum, Self::VMax, Self::Mean, Self::ExpMean];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::FirstSpike => "first_spike",
            Self::SpikeTimeSum => "spike_time_sum",
            Self::VMax => "vmax",
            Self::Mean => "mean",
            Self::ExpMean => "exp_mean",
        }
    }

    /// Whether it is measured on spikes (and not on voltages).
    pub fn needs_spikes(self) -> bool {
        matches!(self, Self::FirstSpike | Self::SpikeTimeSum)
    }

    /// The class that the outputs name: the earliest to spike, or the highest; the lowest index
    /// among equals. None if nothing happened: no spike before `duration`, no voltage above 0.
    pub fn predict<T: Real>(self, outputs: &[T], duration: T) -> Option<usize> {
        let (mut best, mut class) = match self {
            Self::FirstSpike => (duration, None),
            Self::VMax => (T::zero(), None),
            Self::SpikeTimeSum => (T::infinity(), None),
            Self::Mean | Self::ExpMean => (T::neg_infinity(), None),
        };
        for (neuron, &output) in outputs.iter().enumerate() {
            if if self.needs_spikes() { output < best } else { output > best } {
                (best, class) = (output, Some(neuron));
            }
        }
        class
    }
}

/// A loss of one sample as a function of the output layer's measurements.
///
/// Implement it for a loss of your own; [`Loss`] holds those that every engine knows.
pub trait Objective<T>: Send + Sync {
    /// What is measured.
    fn readout(&self) -> Readout;

    /// The loss of a sample with measurements `outputs` (one a neuron) and label `label`; writes its
    /// derivatives by them to `gradient` (of the same length).
    fn evaluate(&self, outputs: &[T], label: usize, gradient: &mut [T]) -> T;

    /// [`evaluate`](Self::evaluate) for the sample at position `sample` of a batch: what engines call.
    /// To be implemented where the derivatives of each sample come from elsewhere.
    fn evaluate_in_batch(
        &self,
        sample: usize,
        outputs: &[T],
        label: usize,
        gradient: &mut [T],
    ) -> T {
        let _ = sample;
        self.evaluate(outputs, label, gradient)
    }

    /// The loss in closed description, where it is one that other devices know.
    fn known(&self) -> Option<KnownLoss> {
        None
    }
}

/// A loss that other devices know.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct KnownLoss {
    /// Its formula.
    pub loss: Loss,
    /// Whether a sample has no gradient where first spikes are measured and its label neuron has none.
    pub skips_silent_label: bool,
}

/// The losses of the problem format. Cross-entropies are those of a softmax.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Loss {
    /// Cross-entropy over -t_k/tau with t_k the first spike times, plus
    /// alpha (exp(t_label/tau_early) - 1).
    TtfsCrossEntropy {
        /// Temperature of the softmax in ms.
        tau: f64,
        /// Weight of the term that rewards an early label spike.
        alpha: f64,
        /// Time constant of that term in ms.
        tau_early: f64,
    },
    /// Cross-entropy over the maxima of the voltages.
    VmaxCrossEntropy {},
    /// Cross-entropy over the means of the voltages.
    MeanCrossEntropy {},
    /// Cross-entropy over exponentially weighted means of the voltages.
    ExpMeanCrossEntropy {},
    /// Sum of all output spike times; the label is not used.
    SpikeTimeSum {},
}

impl<T: Real> Objective<T> for Loss {
    fn readout(&self) -> Readout {
        match self {
            Self::TtfsCrossEntropy { .. } => Readout::FirstSpike,
            Self::VmaxCrossEntropy {} => Readout::VMax,
            Self::MeanCrossEntropy {} => Readout::Mean,
            Self::ExpMeanCrossEntropy {} => Readout::ExpMean,
            Self::SpikeTimeSum {} => Readout::SpikeTimeSum,
        }
    }

    fn evaluate(&self, outputs: &[T], label: usize, gradient: &mut [T]) -> T {
        match *self {
            Self::TtfsCrossEntropy { tau, alpha, tau_early } => {
                let (alpha, tau_early) = (T::of(alpha), T::of(tau_early));
                let loss = cross_entropy(outputs, -T::of(tau).recip(), label, gradient);
                // Nothing, where 0 times an infinite exp would be no number.
                if alpha == T::zero() {
                    return loss;
                }
                let late = (outputs[label] / tau_early).exp();
                gradient[label] += alpha / tau_early * late;
                loss + alpha * (late - T::one())
            }
            Self::VmaxCrossEntropy {}
            | Self::MeanCrossEntropy {}
            | Self::ExpMeanCrossEntropy {} => cross_entropy(outputs, T::one(), label, gradient),
            Self::SpikeTimeSum {} => {
                gradient.fill(T::one());
                outputs.iter().copied().sum()
            }
        }
    }

    fn known(&self) -> Option<KnownLoss> {
        Some(KnownLoss { loss: *self, skips_silent_label: false })
    }
}

impl Loss {
    /// The name of the loss as files spell it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::TtfsCrossEntropy { .. } => "ttfs_cross_entropy",
            Self::VmaxCrossEntropy {} => "vmax_cross_entropy",
            Self::MeanCrossEntropy {} => "mean_cross_entropy",
            Self::ExpMeanCrossEntropy {} => "exp_mean_cross_entropy",
            Self::SpikeTimeSum {} => "spike_time_sum",
        }
    }

    /// Checks the constants.
    ///
    /// # Errors
    /// Names a time constant that is not positive or a weight that is not finite.
    pub fn check(&self) -> Result<(), crate::DescriptionError> {
        let Self::TtfsCrossEntropy { tau, alpha, tau_early } = *self else { return Ok(()) };
        for (field, value) in [("loss.tau", tau), ("loss.tau_early", tau_early)] {
            if !(value.is_finite() && value > 0.0) {
                let reason = format!("must be positive and finite, got {value}");
                return Err(crate::DescriptionError::new(field, reason));
            }
        }
        if !alpha.is_finite() {
            let reason = format!("must be a finite number, got {alpha}");
            return Err(crate::DescriptionError::new("loss.alpha", reason));
        }
        Ok(())
    }
}

/// -ln softmax(scale z)[label], with its derivatives by z.
fn cross_entropy<T: Real>(z: &[T], scale: T, label: usize, gradient: &mut [T]) -> T {
    let highest = z.iter().map(|&z| scale * z).fold(T::neg_infinity(), T::max);
    let mut sum = T::zero();
    for (gradient, &z) in gradient.iter_mut().zip(z) {
        *gradient = (scale * z - highest).exp();
        sum += *gradient;
    }
    let log_sum = sum.ln();
    for gradient in gradient.iter_mut() {
        *gradient *= scale / sum;
    }
    gradient[label] -= scale;
    highest + log_sum - scale * z[label]
}
