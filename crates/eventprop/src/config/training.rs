use super::error::suggest;
use crate::SilentRemedy;
use crate::backend;
use crate::schedule::{LearningRate, Schedule};
use crate::silent_label::SkipSilentLabel;
use lif_core::engine::{RateTarget, Training};
use lif_core::loss::{Loss, Objective};
use lif_core::network::Layer;
use lif_core::optimiser::{Clip, LearningRates, Optimiser};
use lif_core::{DescriptionError, Network};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// How a network is trained. What a file leaves out is that of the [default](Self::default).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TrainingConfig {
    /// Passes over the training set.
    pub epochs: u32,
    /// Samples a batch; the last of an epoch may be smaller.
    pub batch_size: usize,
    /// Parts that a batch is cut into, whose gradients are computed apart and added along a tree: what
    /// makes results the same on any number of machines (see [`crate::parallel`]). None for the batch
    /// as a whole, on one machine; it rounds differently.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shards: Option<usize>,
    /// The full learning rate.
    pub lr: f64,
    /// Seed of the initial weights, the order of samples and the dropout.
    pub seed: u64,
    /// What computes: one of [`backend::NAMES`].
    pub backend: String,
    /// Threads; 0 for as many as are quickest, up to one a core. The result does not depend on it.
    pub threads: usize,
    /// Epochs (or a part of one) over which the learning rate rises from 0.
    pub warmup: f64,
    /// The slope tau_mem V' at a spike below which the adjoint divides by this floor instead and the
    /// spike counts as grazing; in units of the threshold, 0 for the exact gradient.
    pub slope_floor: f64,
    /// What becomes of the learning rate.
    pub schedule: Schedule,
    /// What is done for neurons that never spike.
    pub silent: SilentRemedy,
    /// Whether samples whose label neuron never spikes leave the gradient alone: see
    /// [`SkipSilentLabel`].
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub skip_silent_label: bool,
    /// How gradients change parameters.
    pub optimiser: Optimiser,
    /// What is done to a gradient before it is used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clip: Option<Clip>,
    /// Which parameters learn, and how fast against `lr`.
    pub learning_rates: LearningRates,
    /// Rate regularisers.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rate_targets: Vec<RateTargetConfig>,
}

impl Default for TrainingConfig {
    /// Ten epochs in batches of 32, Adam at a learning rate of 0.005: a start from which most
    /// small networks learn something. Nothing else is done to them.
    fn default() -> Self {
        Self {
            epochs: 10,
            batch_size: 32,
            lr: 0.005,
            shards: None,
            seed: 0,
            backend: "cpu".into(),
            threads: 0,
            warmup: 0.0,
            slope_floor: 0.0,
            schedule: Schedule::default(),
            silent: SilentRemedy::default(),
            skip_silent_label: false,
            optimiser: Optimiser::ADAM,
            clip: None,
            learning_rates: LearningRates::default(),
            rate_targets: Vec::new(),
        }
    }
}

/// Draws the spike count of each neuron of a layer towards a target; see [`RateTarget`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RateTargetConfig {
    /// The layer's name.
    pub layer: String,
    /// Spikes a neuron and sample.
    pub target: f64,
    /// Strength of the pull.
    pub strength: f64,
}

impl TrainingConfig {
    /// The learning rate over the whole training.
    pub fn learning_rate(&self) -> LearningRate {
        LearningRate {
            full: self.lr,
            schedule: self.schedule,
            warmup: self.warmup,
            epochs: self.epochs,
        }
    }

    /// What an engine needs to know.
    ///
    /// # Errors
    /// Names a rate target whose layer does not exist or never spikes.
    pub fn for_engine(
        &self,
        loss: Loss,
        network: &Network,
    ) -> Result<Training<f32>, DescriptionError> {
        let rate_targets = self
            .rate_targets
            .iter()
            .enumerate()
            .map(|(position, target)| target.resolve(position, network))
            .collect::<Result<_, _>>()?;
        let objective: Arc<dyn Objective<f32>> = if self.skip_silent_label {
            Arc::new(SkipSilentLabel::new(loss, network.duration() as f32))
        } else {
            Arc::new(loss)
        };
        Ok(Training {
            objective,
            optimiser: self.optimiser,
            learning_rates: self.learning_rates,
            clip: self.clip,
            slope_floor: self.slope_floor,
            rate_targets,
            input_gradients: false,
            constant_gradients: false,
        })
    }

    /// Lets nothing learn that `network`, another than it was written for, does not have.
    pub fn fit(&mut self, network: &Network) {
        of_absent(&mut self.learning_rates, network).for_each(|(_, rate)| *rate = 0.0);
        self.rate_targets.retain(|target| network.layer_index(&target.layer).is_some());
    }

    pub(super) fn check(&self, network: &Network) -> Result<(), DescriptionError> {
        let refuse = |field: &str, reason: String| {
            Err(DescriptionError::new(format!("training.{field}"), reason))
        };
        let within = |error: DescriptionError| {
            DescriptionError::new(format!("training.{}", error.path), error.reason)
        };
        if self.epochs == 0 {
            return refuse("epochs", "must be at least 1, got 0".into());
        }
        if self.batch_size == 0 {
            return refuse("batch_size", "must be at least 1, got 0".into());
        }
        if self.shards == Some(0) {
            return refuse("shards", "must be at least 1, got 0".into());
        }
        if i64::try_from(self.seed).is_err() {
            return refuse("seed", format!("must be below 2^63, got {}", self.seed));
        }
        if !backend::NAMES.contains(&self.backend.as_str()) {
            let hint = suggest(&self.backend, backend::NAMES.into_iter());
            let (name, names) = (&self.backend, backend::NAMES.join(", "));
            return refuse("backend", format!("there is no \"{name}\"{hint} (known: {names})"));
        }
        self.learning_rate().check().map_err(within)?;
        self.optimiser.check().map_err(within)?;
        let not_negative = |value: f64| value.is_finite() && value >= 0.0;
        if !not_negative(self.slope_floor) {
            let reason = format!("must be finite and not negative, got {}", self.slope_floor);
            return refuse("slope_floor", reason);
        }
        match self.clip {
            Some(Clip::Value(bound) | Clip::Norm(bound))
                if !(not_negative(bound) && bound > 0.0) =>
            {
                return refuse("clip", format!("must be positive and finite, got {bound}"));
            }
            _ => {}
        }
        match self.silent {
            SilentRemedy::Lift(lift) if !not_negative(lift) => {
                return refuse(
                    "silent.lift",
                    format!("must be finite and not negative, got {lift}"),
                );
            }
            _ => {}
        }
        let LearningRates { weights, delays, tau_mem, tau_syn, threshold, bias, adaptation } =
            self.learning_rates;
        let factors = [weights, delays, tau_mem, tau_syn, threshold, bias, adaptation];
        if let Some(factor) = factors.iter().find(|&&factor| !not_negative(factor)) {
            return refuse(
                "learning_rates",
                format!("must be finite and not negative, got {factor}"),
            );
        }
        // They would learn nothing and cost time.
        let mut rates = self.learning_rates;
        for (name, &mut rate) in of_absent(&mut rates, network) {
            if rate > 0.0 {
                let reason = format!("means nothing for a network without {name}; remove it");
                return refuse(&format!("learning_rates.{name}"), reason);
            }
        }
        if self.skip_silent_label && !network.output().is_lif() {
            let reason = "means nothing for an li output, which never spikes; remove it";
            return refuse("skip_silent_label", reason.into());
        }
        for (position, target) in self.rate_targets.iter().enumerate() {
            target.resolve(position, network)?;
        }
        Ok(())
    }
}

/// The learning rates of what a network lacks, by name.
fn of_absent<'a>(
    rates: &'a mut LearningRates,
    network: &Network,
) -> impl Iterator<Item = (&'static str, &'a mut f64)> {
    let layers = || network.layers().iter();
    let adapts = |layer: &Layer| layer.constants().is_some_and(|own| own.adaptation.is_some());
    let delays = network.connections().iter().any(|connection| connection.delays);
    let all = [
        ("delays", &mut rates.delays, delays),
        ("threshold", &mut rates.threshold, layers().any(Layer::is_lif)),
        ("adaptation", &mut rates.adaptation, layers().any(adapts)),
    ];
    all.into_iter().filter(|(_, _, there)| !there).map(|(name, rate, _)| (name, rate))
}

impl RateTargetConfig {
    fn resolve(&self, position: usize, network: &Network) -> Result<RateTarget, DescriptionError> {
        let at = |field| format!("training.rate_targets[{position}].{field}");
        let spiking = network.layers().iter().filter(|layer| layer.is_lif());
        let Some(layer) =
            network.layer_index(&self.layer).filter(|&layer| network.layers()[layer].is_lif())
        else {
            let names: Vec<_> = spiking.map(|layer| layer.name.as_str()).collect();
            let hint = suggest(&self.layer, names.iter().copied());
            let (name, names) = (&self.layer, names.join(", "));
            let reason = format!("no lif layer is called \"{name}\"{hint} (there are: {names})");
            return Err(DescriptionError::new(at("layer"), reason));
        };
        for (field, value) in [("target", self.target), ("strength", self.strength)] {
            if !(value.is_finite() && value >= 0.0) {
                let reason = format!("must be finite and not negative, got {value}");
                return Err(DescriptionError::new(at(field), reason));
            }
        }
        Ok(RateTarget { layer, target: self.target, strength: self.strength })
    }
}
