use super::cases::once;
use super::{Build, LOSS, Problem};
use lif_core::Parameters;
use lif_core::engine::{OptimiserState, Training};
use lif_core::optimiser::{Clip, LearningRates, Optimiser};
use proptest::prelude::*;

/// An update is that of the optimiser's rule by the clipped gradient, and says how much it clipped.
///
/// # Panics
/// If it is another.
#[track_caller]
pub fn updates_by_the_clipped_gradient(build: &Build<'_>, layers: usize) {
    for (clip, optimiser) in [
        (None, Optimiser::SGD),
        (Some(Clip::Value(1e-3)), Optimiser::ADAM),
        (Some(Clip::Norm(1e-3)), Optimiser::Sgd { momentum: 0.5 }),
    ] {
        for layers in 1..=layers {
            updates(build, &Problem::small(layers), clip, optimiser);
            leaves_alone(build, &Problem::small(layers), clip, optimiser);
        }
    }
}

/// What does not learn is not clipped, and its moments do not move.
#[track_caller]
fn leaves_alone(build: &Build<'_>, problem: &Problem, clip: Option<Clip>, optimiser: Optimiser) {
    once(|| {
        let learning_rates = LearningRates { weights: 0.0, ..LearningRates::default() };
        let training = Training { clip, optimiser, learning_rates, ..Training::exact(LOSS) };
        let mut engine = problem.engine(build, training)?;
        let state = engine.optimiser_state();
        let spikes = problem.spikes();
        engine.differentiate(problem.batch(&spikes))?;
        prop_assert_eq!(engine.update(0.1)?.clipped, 0);
        prop_assert_eq!(engine.optimiser_state(), OptimiserState { steps: 1, ..state });
        Ok(())
    });
}

#[track_caller]
fn updates(build: &Build<'_>, problem: &Problem, clip: Option<Clip>, optimiser: Optimiser) {
    once(|| {
        let training = Training { clip, optimiser, ..Training::exact(LOSS) };
        let mut engine = problem.engine(build, training)?;
        let spikes = problem.spikes();
        engine.differentiate(problem.batch(&spikes))?;
        for connection in &engine.gradient().connections {
            prop_assert!(
                connection.weights.iter().any(|&gradient| gradient != 0.0),
                "nothing to learn"
            );
        }
        let weights = |of: Parameters<f32>| -> Vec<f32> {
            of.connections.into_iter().flat_map(|connection| connection.weights).collect()
        };
        let (gradient, before) = (weights(engine.gradient()), weights(engine.parameters()));
        let norm = gradient.iter().map(|g| g * g).sum::<f32>().sqrt();
        let (clipped, factor) = match clip {
            None => (0, 1.0),
            Some(Clip::Value(limit)) => {
                (gradient.iter().filter(|g| g.abs() > limit as f32).count(), 1.0)
            }
            Some(Clip::Norm(limit)) => (gradient.len(), limit as f32 / norm),
        };
        prop_assert!(clip.is_none() || clipped > 0, "nothing to clip");
        prop_assert_eq!(engine.update(0.1)?.clipped, clipped as u64);
        let rule = optimiser.rule(1, 0.1);
        let after = weights(engine.parameters());
        for ((mut weight, gradient), after) in before.into_iter().zip(gradient).zip(after) {
            let limit = if let Some(Clip::Value(limit)) = clip { limit as f32 } else { f32::MAX };
            let gradient = (gradient * factor).clamp(-limit, limit);
            rule.apply(&mut weight, gradient, &mut 0.0, &mut 0.0);
            prop_assert!((weight - after).abs() < 1e-6, "{} {}", weight, after);
        }
        Ok(())
    });
}

/// Training goes on from parameters and an optimiser's state that were loaded as if it had not stopped.
///
/// # Panics
/// If it goes elsewhere.
#[track_caller]
pub fn state_goes_out_and_in(build: &Build<'_>, layers: usize) {
    (1..=layers).for_each(|layers| goes_out_and_in(build, &Problem::small(layers)));
}

#[track_caller]
fn goes_out_and_in(build: &Build<'_>, problem: &Problem) {
    once(|| {
        let training = Training { optimiser: Optimiser::ADAM, ..Training::exact(LOSS) };
        let spikes = problem.spikes();
        let batch = problem.batch(&spikes);
        let mut one = problem.engine(build, training.clone())?;
        one.train_step(batch, 0.1)?;
        let mut other = problem.engine(build, training)?;
        other.load(&one.parameters())?;
        other.load_optimiser_state(&one.optimiser_state())?;
        one.train_step(batch, 0.1)?;
        other.train_step(batch, 0.1)?;
        prop_assert_eq!(one.parameters(), other.parameters());
        prop_assert_eq!(one.optimiser_state(), other.optimiser_state());
        Ok(())
    });
}
