//! One batch from gradient to update.

use super::error::{Place, StepError};
use crate::gather::GatheredBatch;
use crate::parallel::Team;
use lif_core::engine::{
    BatchError, BatchStatistics, Engine, EngineError, Trained, UpdateStatistics,
};

type Stepped = Result<(BatchStatistics, UpdateStatistics), StepError>;

/// A batch as a whole.
pub(super) fn step(engine: &mut dyn Engine<f32>, gathered: &GatheredBatch, lr: f64) -> Stepped {
    let (batch, update) = engine.train_step(gathered.batch(), lr)?;
    check_loss(engine, &batch)?;
    Ok((batch, update))
}

/// Batches of `size` samples that the engine keeps, at the learning rate of each.
pub(super) fn steps_kept(
    engine: &mut dyn Engine<f32>,
    samples: &[u32],
    size: usize,
    rates: &[f64],
    trained: &mut Trained<'_>,
) -> Result<(), BatchError> {
    let Some(resident) = engine.resident() else {
        let reason = "the engine no longer keeps the samples it was given";
        return Err(BatchError { batch: 0, error: EngineError::Batch(reason.into()) });
    };
    resident.train(samples, size, rates, trained)
}

/// A batch, shared with other ranks. `gathered` are its samples that this rank differentiates, or where
/// no rank has all samples, those that it holds.
pub(super) fn step_in_team(
    team: &mut Team,
    engine: &mut dyn Engine<f32>,
    gathered: &GatheredBatch,
    lr: f64,
    place: Place<'_>,
) -> Stepped {
    let describe = |error: &EngineError| place.of(error.clone().into()).to_string();
    let batch = match place.set.are_whole() {
        true => team.differentiate(engine, gathered.batch(), place.samples.len(), describe)?,
        false => {
            let own = team.exchange(place.set, place.samples, gathered)?;
            let batch = team.differentiate(engine, own.batch(), place.samples.len(), describe);
            team.return_batch(own);
            batch?
        }
    };
    check_loss(engine, &batch)?;
    Ok((batch, engine.update(lr)?))
}

fn check_loss(engine: &dyn Engine<f32>, batch: &BatchStatistics) -> Result<(), EngineError> {
    if batch.loss.is_finite() {
        return Ok(());
    }
    let sample = engine.losses().iter().position(|loss| !loss.is_finite()).unwrap_or(0);
    let layer = engine.network().output().name.clone();
    Err(EngineError::NotFinite { what: "the loss", layer, sample })
}
