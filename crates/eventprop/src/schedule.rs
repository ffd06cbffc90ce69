use lif_core::DescriptionError;
use serde::{Deserialize, Serialize};

/// How the learning rate changes over a training.
///
/// In a configuration: `schedule = "constant"`, `schedule = { step = { every = 10, factor = 0.1 } }`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Schedule {
    /// Always the same.
    #[default]
    Constant,
    /// Multiplied by `factor` after every `every` epochs.
    Step {
        /// Epochs between two changes.
        every: u32,
        /// The factor.
        factor: f64,
    },
    /// Multiplied by `factor` after every epoch.
    Exponential {
        /// The factor.
        factor: f64,
        /// Whether nothing changes after the first epoch, as in Wunderlich & Pehle's own code.
        #[serde(default)]
        first_epoch_free: bool,
    },
    /// Half a cosine, batch by batch, from the full rate after the warm-up down to `floor` at the end
    /// (Loshchilov & Hutter 2017, without restarts).
    Cosine {
        /// Where it ends, as a fraction of the full rate.
        floor: f64,
    },
}

/// A learning rate over a whole training: a schedule after a linear warm-up.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LearningRate {
    /// The full rate.
    pub full: f64,
    /// What becomes of it.
    pub schedule: Schedule,
    /// Epochs (or a part of one) over which it rises from 0, batch by batch.
    pub warmup: f64,
    /// The epochs of the whole training.
    pub epochs: u32,
}

impl LearningRate {
    /// The rate for batch `batch` (from 0) of epoch `epoch` (from 0), of `batches` an epoch.
    pub fn at(&self, epoch: u32, batch: usize, batches: usize) -> f64 {
        let batches = batches.max(1) as f64;
        // The last step of the warm-up has the full rate, its first step is not wasted on 0.
        let done = f64::from(epoch) + (batch as f64 + 1.0) / batches;
        let warm = if done < self.warmup { done / self.warmup } else { 1.0 };
        let position = f64::from(epoch) + batch as f64 / batches;
        self.full * warm * self.factor(epoch, position)
    }

    fn factor(&self, epoch: u32, position: f64) -> f64 {
        match self.schedule {
            Schedule::Constant => 1.0,
            Schedule::Step { every, factor } => factor.powi((epoch / every.max(1)) as i32),
            Schedule::Exponential { factor, first_epoch_free } => {
                factor.powi(epoch.saturating_sub(u32::from(first_epoch_free)) as i32)
            }
            Schedule::Cosine { floor } => {
                let length = f64::from(self.epochs) - self.warmup;
                let part = ((position - self.warmup) / length).clamp(0.0, 1.0);
                floor + (1.0 - floor) * 0.5 * (1.0 + (std::f64::consts::PI * part).cos())
            }
        }
    }

    /// Checks the numbers.
    ///
    /// # Errors
    /// Names the first out of its range.
    pub fn check(&self) -> Result<(), DescriptionError> {
        let refuse = |field: &str, reason: String| Err(DescriptionError::new(field, reason));
        if !(self.full.is_finite() && self.full > 0.0) {
            return refuse("lr", format!("must be positive and finite, got {}", self.full));
        }
        if !(0.0..f64::from(self.epochs)).contains(&self.warmup) {
            let (epochs, warmup) = (self.epochs, self.warmup);
            let reason = format!("must be at least 0 and below the {epochs} epochs, got {warmup}");
            return refuse("warmup", reason);
        }
        match self.schedule {
            Schedule::Constant => Ok(()),
            Schedule::Step { every: 0, .. } => {
                refuse("schedule.step.every", "must be at least 1, got 0".into())
            }
            Schedule::Step { factor, .. } => check_fraction("schedule.step.factor", factor),
            Schedule::Exponential { factor, .. } => {
                check_fraction("schedule.exponential.factor", factor)
            }
            Schedule::Cosine { floor } if (0.0..=1.0).contains(&floor) => Ok(()),
            Schedule::Cosine { floor } => refuse(
                "schedule.cosine.floor",
                format!("must be at least 0 and at most 1, got {floor}"),
            ),
        }
    }
}

fn check_fraction(field: &str, value: f64) -> Result<(), DescriptionError> {
    if value > 0.0 && value <= 1.0 {
        return Ok(());
    }
    Err(DescriptionError::new(field, format!("must be above 0 and at most 1, got {value}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rate(schedule: Schedule, warmup: f64) -> LearningRate {
        LearningRate { full: 2.0, schedule, warmup, epochs: 10 }
    }

    #[test]
    fn steps_and_exponentials_change_between_epochs() {
        let step = rate(Schedule::Step { every: 3, factor: 0.1 }, 0.0);
        assert_eq!(step.at(2, 99, 100), 2.0);
        assert_eq!(step.at(3, 0, 100), 2.0 * 0.1);
        let paper = rate(Schedule::Exponential { factor: 0.95, first_epoch_free: true }, 0.0);
        assert_eq!([0, 1, 2].map(|epoch| paper.at(epoch, 5, 10)), [2.0, 2.0, 2.0 * 0.95]);
        let plain = rate(Schedule::Exponential { factor: 0.5, first_epoch_free: false }, 0.0);
        assert_eq!([0, 1, 2].map(|epoch| plain.at(epoch, 5, 10)), [2.0, 1.0, 0.5]);
    }

    proptest! {
        #[test]
        fn cosine_falls_from_full_to_floor(floor in 0.0..1.0, warmup in 0.0..3.0, batches in 1_usize..50) {
            let rate = rate(Schedule::Cosine { floor }, warmup);
            let all: Vec<_> = (0..10)
                .flat_map(|epoch| (0..batches).map(move |batch| rate.at(epoch, batch, batches)))
                .collect();
            let steps = (warmup * batches as f64).ceil() as usize;
            prop_assert!(all[..steps].windows(2).all(|pair| pair[0] <= pair[1] + 1e-12));
            prop_assert!(all[steps..].windows(2).all(|pair| pair[0] >= pair[1] - 1e-12));
            prop_assert!(all.iter().all(|&rate| rate > 0.0 && rate <= 2.0));
            prop_assert!(*all.last().unwrap() >= 2.0 * floor - 1e-12);
        }

        #[test]
        fn warmup_rises_to_the_full_rate(warmup in 0.01..9.0, batches in 1_usize..50) {
            let rate = rate(Schedule::Constant, warmup);
            for step in 0..10 * batches {
                let (epoch, batch) = ((step / batches) as u32, step % batches);
                let expected = (2.0 * (step + 1) as f64 / (warmup * batches as f64)).min(2.0);
                prop_assert!((rate.at(epoch, batch, batches) - expected).abs() < 1e-9);
            }
        }
    }
}
