use super::cases::once;
use super::{Build, LOSS, Problem};
use lif_core::SpikeBatch;
use lif_core::engine::{Batch, EngineError, Training};
use lif_core::grid::{GridSpec, GridVariant};
use lif_core::loss::Loss;
use lif_core::optimiser::LearningRates;
use proptest::prelude::*;

/// What a clock-driven engine does not have it refuses by name when it is built.
///
/// # Panics
/// If it is built all the same, or under another name.
#[track_caller]
pub fn refuses_by_name(build: &Build<'_>) {
    let refusal = |training: Training<f32>, variant| match build(
        &Problem::small(1).network(),
        GridSpec::new(1.0, variant),
        training,
    ) {
        Err(error) => error.to_string(),
        Ok(_) => String::new(),
    };
    let plain = || Training::exact(LOSS);
    let (head, first) = (GridVariant::Head, GridVariant::First);
    let all = LearningRates { tau_mem: 1.0, ..LearningRates::default() };
    once(|| {
        prop_assert_eq!(refusal(plain(), head), "");
        for (training, variant, word) in [
            (Training::exact(Loss::VmaxCrossEntropy {}), head, "first spikes"),
            (Training { learning_rates: all, ..plain() }, head, "anything but weights"),
            (Training { slope_floor: 0.1, ..plain() }, head, "slope floor"),
            (plain(), first, "input gradients"),
        ] {
            let refusal = refusal(training, variant);
            let named = refusal.contains(word) && refusal.ends_with("not supported");
            prop_assert!(named, "{word}: \"{refusal}\"");
        }
        Ok(())
    });
}

/// Batches that do not fit are refused, given or kept, and the engine works on afterwards.
///
/// # Panics
/// If one is not.
#[track_caller]
pub fn refuses_batches_that_do_not_fit(build: &Build<'_>) {
    once(|| {
        let problem = Problem::small(1);
        let mut engine = problem.engine(build, Training::exact(LOSS))?;
        let spikes = problem.spikes();
        let mut bad = Vec::new();
        for stray in [(1.0, 2), (30.0, 7)] {
            let mut spikes = SpikeBatch::new();
            spikes.push_sorted([stray])?;
            bad.push((spikes, vec![0]));
        }
        bad.extend([vec![0], vec![0, 2]].map(|labels| (spikes.clone(), labels)));
        for (spikes, labels) in &bad {
            let batch = Batch { spikes, labels };
            let given = engine.differentiate(batch);
            prop_assert!(matches!(given, Err(EngineError::Batch(_))), "given: {given:?}");
            if let Some(resident) = engine.resident() {
                let kept = resident.keep(batch);
                prop_assert!(matches!(kept, Err(EngineError::Batch(_))), "kept: {kept:?}");
            }
        }
        if let Some(resident) = engine.resident() {
            resident.keep(problem.batch(&spikes))?;
            let trained = resident.train(&[0, 2], 2, &[0.1], &mut |_, _| {});
            let refused =
                trained.as_ref().is_err_and(|error| matches!(error.error, EngineError::Batch(_)));
            prop_assert!(refused, "sample 2 of 2 kept: {trained:?}");
        }
        let mut other = problem.engine(build, Training::exact(LOSS))?;
        let batch = problem.batch(&spikes);
        prop_assert_eq!(engine.train_step(batch, 0.1)?, other.train_step(batch, 0.1)?);
        prop_assert_eq!(engine.parameters(), other.parameters());
        Ok(())
    });
}
