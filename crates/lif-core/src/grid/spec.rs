use crate::DescriptionError;
use serde::{Deserialize, Serialize};

/// How a network is put on a grid of time steps. The network's description gives the rest: duration,
/// sizes, time constants, thresholds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GridSpec {
    /// The time step in ms.
    pub dt: f64,
    /// The order of operations within a step.
    #[serde(default)]
    pub variant: GridVariant,
    /// In training, what every input weight of a silent neuron is raised by, where a neuron is silent
    /// if it does not spike in some sample of the batch; 0 for no such remedy.
    #[serde(default = "default_bump")]
    pub bump: f64,
    /// The most passes that are repeated, a batch and layer, to wake silent neurons. A neuron that
    /// is silent after them gets its weights back.
    #[serde(default = "default_max_repeats")]
    pub max_repeats: u32,
}

/// The two published versions of the script, which order the operations of a step differently.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GridVariant {
    /// Its code as published (2020-09-28). An input reaches the current one step later. Silent
    /// neurons are bumped until there is none. The loss acts on the first spike of a neuron; a silent
    /// one counts as spiking at the last step.
    #[default]
    Head,
    /// The version its README describes (2020-09-23). An input reaches the current at once. Silent
    /// neurons are bumped once a batch, after the pass. The loss acts on every spike of a neuron, the
    /// current after the spike is taken for its slope; a silent neuron counts as spiking after the
    /// last step. One layer only, no gradient by input times.
    First,
}

/// The script's: a weight spread of its initialisation (mean 0.1, deviation 0.1).
fn default_bump() -> f64 {
    0.1
}

/// The script repeats for ever. At its bump of 0.1, a hundred repeats lift a weight by ten
/// thresholds: what is silent then has no input that could wake it.
fn default_max_repeats() -> u32 {
    100
}

impl GridSpec {
    /// A grid with the script's bump and a bound of 100 repeats.
    pub fn new(dt: f64, variant: GridVariant) -> Self {
        Self { dt, variant, bump: default_bump(), max_repeats: default_max_repeats() }
    }

    /// Checks the constants.
    ///
    /// # Errors
    /// Names a step that is not positive or a bump that is negative.
    pub fn check(&self) -> Result<(), DescriptionError> {
        if !(self.dt.is_finite() && self.dt > 0.0) {
            let reason = format!("must be positive and finite (ms), got {}", self.dt);
            return Err(DescriptionError::new("grid.dt", reason));
        }
        if !(self.bump.is_finite() && self.bump >= 0.0) {
            let reason = format!("must be finite and not negative, got {}", self.bump);
            return Err(DescriptionError::new("grid.bump", reason));
        }
        Ok(())
    }

    /// The step of an event at `time` ms: the nearest.
    pub fn step_of(&self, time: f64) -> usize {
        (time / self.dt).round() as usize
    }
}

impl GridVariant {
    /// The step at which an input of step `step` reaches the current.
    pub fn arrival(self, step: usize) -> usize {
        match self {
            Self::Head => step + 1,
            Self::First => step,
        }
    }

    /// The step whose inputs reach the current at step `step`.
    pub(super) fn arriving(self, step: usize) -> Option<usize> {
        match self {
            Self::Head => step.checked_sub(1),
            Self::First => Some(step),
        }
    }

    /// The step a neuron without a spike counts as spiking at, in `steps` steps.
    pub fn silent_step(self, steps: usize) -> usize {
        match self {
            Self::Head => steps - 1,
            Self::First => steps,
        }
    }
}
