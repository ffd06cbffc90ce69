//! How a gradient changes parameters. Engines own the state; this is what they all compute.

use crate::parameters::ParameterId;
use crate::{DescriptionError, Real};
use serde::{Deserialize, Serialize};

/// The optimisers. Default constants are those of the papers that introduced them.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub enum Optimiser {
    /// Gradient descent: m = momentum m + g, p -= lr m.
    Sgd {
        /// Momentum, 0 for none.
        #[serde(default)]
        momentum: f64,
    },
    /// Adam (Kingma & Ba 2015, algorithm 1).
    Adam {
        /// Decay of the mean of the gradients.
        #[serde(default = "default_beta1")]
        beta1: f64,
        /// Decay of the mean of their squares.
        #[serde(default = "default_beta2")]
        beta2: f64,
        /// Added to the root of the mean of the squares.
        #[serde(default = "default_epsilon")]
        epsilon: f64,
        /// Decoupled weight decay (Loshchilov & Hutter 2019), on weights only: w -= lr decay w. With
        /// a value above 0 this is AdamW.
        #[serde(default)]
        weight_decay: f64,
    },
}

fn default_beta1() -> f64 {
    0.9
}

fn default_beta2() -> f64 {
    0.999
}

fn default_epsilon() -> f64 {
    1e-8
}

impl Optimiser {
    /// Adam with its paper's constants.
    pub const ADAM: Self =
        Self::Adam { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weight_decay: 0.0 };

    /// Plain gradient descent.
    pub const SGD: Self = Self::Sgd { momentum: 0.0 };

    /// Checks the constants.
    ///
    /// # Errors
    /// Names the first constant out of its range.
    pub fn check(&self) -> Result<(), DescriptionError> {
        let fraction = |name: &str, value: f64| {
            if (0.0..1.0).contains(&value) {
                return Ok(());
            }
            let reason = format!("must be at least 0 and below 1, got {value}");
            Err(DescriptionError::new(format!("optimiser.{name}"), reason))
        };
        match *self {
            Self::Sgd { momentum } => fraction("momentum", momentum),
            Self::Adam { beta1, beta2, epsilon, weight_decay } => {
                fraction("beta1", beta1)?;
                fraction("beta2", beta2)?;
                let refuse = |name: &str, demand: &str, value: f64| {
                    let reason = format!("must be {demand}, got {value}");
                    Err(DescriptionError::new(format!("optimiser.{name}"), reason))
                };
                // A weight that never had a gradient would become 0 / 0.
                if !((epsilon as f32).is_normal() && epsilon > 0.0) {
                    return refuse("epsilon", "above 0 in single precision", epsilon);
                }
                if !(weight_decay.is_finite() && weight_decay >= 0.0) {
                    return refuse("weight_decay", "finite and not negative", weight_decay);
                }
                Ok(())
            }
        }
    }

    /// The rule for update number `step` (the first is 1) at learning rate `learning_rate`: scalars
    /// common to all parameters, worked out once.
    pub fn rule<T: Real>(&self, step: u64, learning_rate: f64) -> UpdateRule<T> {
        match *self {
            Self::Sgd { momentum } => {
                UpdateRule::Sgd { learning_rate: T::of(learning_rate), momentum: T::of(momentum) }
            }
            Self::Adam { beta1, beta2, epsilon, weight_decay } => {
                let power = |beta: f64| 1.0 - beta.powf(step as f64);
                UpdateRule::Adam {
                    beta1: T::of(beta1),
                    beta2: T::of(beta2),
                    epsilon: T::of(epsilon),
                    rate: T::of(learning_rate / power(beta1)),
                    root_scale: T::of(power(beta2).sqrt().recip()),
                    decay: T::of(learning_rate * weight_decay),
                }
            }
        }
    }
}

/// One update of an optimiser, the same for every parameter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum UpdateRule<T> {
    /// m = momentum m + g, p -= learning_rate m.
    Sgd {
        /// Learning rate.
        learning_rate: T,
        /// Momentum.
        momentum: T,
    },
    /// m = beta1 m + (1 - beta1) g, v = beta2 v + (1 - beta2) g^2,
    /// p -= rate m / (root_scale sqrt(v) + epsilon) + decay p.
    Adam {
        /// Decay of m.
        beta1: T,
        /// Decay of v.
        beta2: T,
        /// Guard of the denominator.
        epsilon: T,
        /// Learning rate over the bias correction of m.
        rate: T,
        /// 1 over the root of the bias correction of v.
        root_scale: T,
        /// Learning rate times weight decay.
        decay: T,
    },
}

impl<T: Real> UpdateRule<T> {
    /// Changes parameter `p` by gradient `g`, with optimiser state `m` and `v`.
    #[inline]
    pub fn apply(&self, p: &mut T, g: T, m: &mut T, v: &mut T) {
        match *self {
            Self::Sgd { learning_rate, momentum } => {
                *m = momentum.mul_add(*m, g);
                *p = (-learning_rate).mul_add(*m, *p);
            }
            Self::Adam { beta1, beta2, epsilon, rate, root_scale, decay } => {
                *m = beta1.mul_add(*m, (T::one() - beta1) * g);
                *v = beta2.mul_add(*v, (T::one() - beta2) * g * g);
                let step = rate * *m / root_scale.mul_add(v.sqrt(), epsilon);
                *p -= decay.mul_add(*p, step);
            }
        }
    }

    /// The same rule with its learning rate multiplied by `factor`, and without weight decay unless
    /// `decays`.
    pub fn scaled(self, factor: T, decays: bool) -> Self {
        match self {
            Self::Sgd { learning_rate, momentum } => {
                Self::Sgd { learning_rate: learning_rate * factor, momentum }
            }
            Self::Adam { beta1, beta2, epsilon, rate, root_scale, decay } => Self::Adam {
                beta1,
                beta2,
                epsilon,
                rate: rate * factor,
                root_scale,
                decay: if decays { decay * factor } else { T::zero() },
            },
        }
    }
}

/// What is done to a gradient before it is used.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Clip {
    /// Every component is cut to [-x, x].
    Value(f64),
    /// The whole gradient is scaled to a Euclidean norm of at most x.
    Norm(f64),
}

/// Which parameters learn, and how fast against the learning rate: factors, 0 for not at all.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LearningRates {
    /// Synaptic weights.
    pub weights: f64,
    /// Synaptic delays (in ms).
    pub delays: f64,
    /// Membrane time constants (in ms).
    pub tau_mem: f64,
    /// Synaptic time constants (in ms).
    pub tau_syn: f64,
    /// Thresholds.
    pub threshold: f64,
    /// Bias currents.
    pub bias: f64,
    /// beta and tau of adaptive thresholds.
    pub adaptation: f64,
}

impl Default for LearningRates {
    /// Weights learn, nothing else does.
    fn default() -> Self {
        Self {
            weights: 1.0,
            delays: 0.0,
            tau_mem: 0.0,
            tau_syn: 0.0,
            threshold: 0.0,
            bias: 0.0,
            adaptation: 0.0,
        }
    }
}

impl LearningRates {
    /// The factor for a list of parameters.
    pub fn of(&self, id: ParameterId) -> f64 {
        match id {
            ParameterId::Weights(_) => self.weights,
            ParameterId::Delays(_) => self.delays,
            ParameterId::TauMem(_) => self.tau_mem,
            ParameterId::TauSyn(_) => self.tau_syn,
            ParameterId::Threshold(_) => self.threshold,
            ParameterId::Bias(_) => self.bias,
            ParameterId::AdaptationBeta(_) | ParameterId::AdaptationTau(_) => self.adaptation,
        }
    }

    /// Whether weights are all that learns.
    pub fn only_weights(&self) -> bool {
        *self == Self { weights: self.weights, delays: 0.0, ..Self::fixed() }
    }

    /// Whether any constant of the neurons learns.
    pub fn learns_constants(&self) -> bool {
        let constants = [self.tau_mem, self.tau_syn, self.threshold, self.bias, self.adaptation];
        constants.iter().any(|&factor| factor != 0.0)
    }

    fn fixed() -> Self {
        Self { weights: 0.0, ..Self::default() }
    }
}
