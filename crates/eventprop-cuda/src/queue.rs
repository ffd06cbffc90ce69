//! The steps that are to be made, on the device: which samples of the data, at which learning rate. Kernels take one
//! after the other by themselves.

use crate::abi;
use crate::device::{Buffer, Device};
use lif_core::engine::{BatchStatistics, EngineError, Training, UpdateStatistics};
use lif_core::optimiser::{Clip, LearningRates, UpdateRule};

/// A queue of steps and how far they are.
pub(crate) struct Queue {
    /// The state, then what each step came to, in words.
    pub(crate) control: Buffer<u64>,
    pub(crate) steps: Buffer<abi::Step>,
    pub(crate) order: Buffer<i32>,
    /// The steps that are queued.
    queued: usize,
}

/// What the steps of a queue learn at.
#[derive(Clone, Copy)]
pub(crate) struct Rates<'a> {
    pub(crate) training: &'a Training<f32>,
    /// Updates made before.
    pub(crate) made: u64,
    /// A learning rate a step.
    pub(crate) rates: &'a [f64],
}

impl Queue {
    /// An empty one.
    pub(crate) fn new(device: &Device) -> Result<Self, EngineError> {
        Ok(Self {
            control: device.copy(&fresh(1))?,
            steps: device.zeros(1)?,
            order: device.zeros(1)?,
            queued: 1,
        })
    }

    /// Whether there is room for so many steps and samples: if not, [`Queue::set`] moves it, and what was recorded
    /// with its addresses is of no use.
    pub(crate) fn holds(&self, steps: usize, samples: usize) -> bool {
        steps <= self.steps.len() && samples <= self.order.len()
    }

    /// Replaces it: steps of (first, samples) of `order`.
    pub(crate) fn set(
        &mut self,
        device: &Device,
        steps: &[(usize, usize)],
        order: &[u32],
        rates: Rates<'_>,
    ) -> Result<(), EngineError> {
        let entries: Vec<abi::Step> = steps
            .iter()
            .zip(rates.rates)
            .zip(rates.made + 1..)
            .map(|((&(first, samples), &rate), number)| abi::Step {
                first: first as i32,
                samples: samples as i32,
                rule: rule(rates.training, number, rate),
            })
            .collect();
        let order: Vec<i32> = order.iter().map(|&sample| sample as i32).collect();
        if !self.holds(entries.len(), order.len()) {
            let most = entries.len().max(self.steps.len());
            self.steps = device.unset(most)?;
            self.control = device.copy(&fresh(most))?;
            self.order = device.unset(order.len().max(self.order.len()))?;
        }
        self.queued = entries.len();
        device.write(&entries, &mut self.steps)?;
        device.write(&order, &mut self.order)
    }

    /// Forgets faults and counts and goes back to the first step.
    pub(crate) fn reset(&mut self, device: &Device) -> Result<(), EngineError> {
        device.write(&fresh(self.queued), &mut self.control)
    }

    /// What happened since.
    pub(crate) fn outcome(&self, device: &Device) -> Result<Outcome, EngineError> {
        let words = device.read(&self.control, STATE + self.queued * TOTALS)?;
        let (state, totals) = words.split_at(STATE);
        let mut control: abi::Control = *bytemuck::from_bytes(bytemuck::cast_slice(state));
        // Of the last update, if no kernel came after it.
        control.parameter_not_finite = control.parameter_not_finite.min(control.not_finite);
        Ok(Outcome { control, totals: bytemuck::cast_slice(totals).to_vec() })
    }
}

/// What happened to a queue of steps.
pub(crate) struct Outcome {
    pub(crate) control: abi::Control,
    /// Of each step; of those that were not finished, 0.
    totals: Vec<abi::Totals>,
}

impl Outcome {
    /// The steps that were finished.
    pub(crate) fn finished(&self) -> usize {
        self.control.cursor as usize
    }

    /// What each step came to.
    pub(crate) fn statistics(
        &self,
    ) -> impl Iterator<Item = (BatchStatistics, UpdateStatistics)> + '_ {
        self.totals.iter().map(|totals| {
            let batch = BatchStatistics {
                samples: totals.samples as usize,
                loss: totals.loss,
                correct: totals.correct as usize,
                grazing: totals.grazing,
                ..BatchStatistics::default()
            };
            (batch, UpdateStatistics { clipped: totals.clipped })
        })
    }

    /// The same of a queue of one.
    pub(crate) fn of_one(&self) -> (BatchStatistics, UpdateStatistics) {
        self.statistics().next().unwrap_or_default()
    }
}

/// Words of the state, and of what a step came to.
const STATE: usize = size_of::<abi::Control>() / size_of::<u64>();
const TOTALS: usize = size_of::<abi::Totals>() / size_of::<u64>();

/// Nothing wrong and nothing counted in any of so many steps, at the first.
fn fresh(steps: usize) -> Vec<u64> {
    let mut words = bytemuck::cast::<abi::Control, [u64; STATE]>(abi::Control::fresh()).to_vec();
    words.resize(STATE + steps * TOTALS, 0);
    words
}

/// Checks an order of samples, of which `kept` are kept, in batches of `size` at a learning rate each.
pub(crate) fn check_order(
    kept: usize,
    order: &[u32],
    size: usize,
    rates: &[f64],
) -> Result<(), EngineError> {
    let refuse = |reason: String| Err(EngineError::Batch(reason));
    if let Some(sample) = order.iter().find(|&&sample| sample as usize >= kept) {
        return refuse(format!("there is no sample {sample}: {kept} are kept on the device"));
    }
    if size == 0 {
        return refuse(String::from("a batch must have at least one sample"));
    }
    let batches = order.len().div_ceil(size);
    if rates.len() != batches {
        return refuse(format!("{} learning rates for {batches} batches", rates.len()));
    }
    Ok(())
}

/// One step after the other of samples that are taken from an order: (first, samples) of each.
pub(crate) fn ranges(steps: &[&[u32]]) -> Vec<(usize, usize)> {
    let mut first = 0;
    let range = |samples: &&[u32]| {
        first += samples.len();
        (first - samples.len(), samples.len())
    };
    steps.iter().map(range).collect()
}

/// The rule of update number `step`.
fn rule(training: &Training<f32>, step: u64, learning_rate: f64) -> abi::Rule {
    let rule = training.optimiser.rule::<f32>(step, learning_rate);
    let (clip_value, clip_norm) = match training.clip {
        None => (0.0, 0.0),
        Some(Clip::Value(limit)) => (limit as f32, 0.0),
        Some(Clip::Norm(limit)) => (0.0, limit),
    };
    let rates = training.learning_rates;
    let LearningRates { weights, delays, .. } = rates;
    let LearningRates { tau_mem, tau_syn, threshold, bias, adaptation, .. } = rates;
    let of_constants = [tau_mem, tau_syn, threshold, bias, adaptation, adaptation];
    let common = abi::Rule {
        clip_value,
        clip_norm,
        weights: pace(rule, weights, true),
        delays: pace(rule, delays, false),
        constants: of_constants.map(|factor| pace(rule, factor, false)),
        ..abi::Rule::default()
    };
    match rule {
        UpdateRule::Sgd { momentum, .. } => abi::Rule { momentum_or_beta1: momentum, ..common },
        UpdateRule::Adam { beta1, beta2, epsilon, root_scale, .. } => {
            abi::Rule { adam: 1, momentum_or_beta1: beta1, beta2, epsilon, root_scale, ..common }
        }
    }
}

/// How fast the parameters learn whose learning rate has this factor; `decays` if their weights may
/// decay.
fn pace(rule: UpdateRule<f32>, factor: f64, decays: bool) -> abi::Pace {
    let learns = i32::from(factor != 0.0);
    match rule.scaled(factor as f32, decays) {
        UpdateRule::Sgd { learning_rate, .. } => {
            abi::Pace { learns, rate: learning_rate, decay: 0.0 }
        }
        UpdateRule::Adam { rate, decay, .. } => abi::Pace { learns, rate, decay },
    }
}
