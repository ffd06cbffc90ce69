use super::{Build, Problem};
use lif_core::engine::{Engine, EngineError};

/// A weight that an update leaves without a finite value is an error, of the batch it happened in; with other weights the
/// engine works on.
///
/// # Panics
/// If the engine says something else, or keeps no samples.
#[track_caller]
pub fn weights_stay_finite(build: &Build<'_>, layers: usize) {
    (1..=layers).for_each(|layers| stays_finite(build, &Problem::small(layers)));
}

#[track_caller]
fn stays_finite(build: &Build<'_>, problem: &Problem) {
    let mut engine = problem.engine(build, problem.training()).expect("an engine");
    let spikes = problem.spikes();
    let batch = problem.batch(&spikes);
    let fits = |engine: &mut dyn Engine<f32>| engine.load(&problem.parameters()).expect("its own");

    engine.differentiate(batch).expect("a batch of its own");
    let error = engine.update(TOO_FAST).expect_err("weights beyond all bounds");
    assert!(matches!(error, EngineError::NotFinite { .. }), "{error}");

    fits(&mut *engine);
    let kept = engine.resident().expect("samples can be kept");
    kept.keep(batch).expect("a batch of its own");
    let rates = [1e-3, 1e-3, TOO_FAST, 1e-3];
    let mut trained = 0;
    let error = kept
        .train(&[0, 1, 1, 0], 1, &rates, &mut |_, _| trained += 1)
        .expect_err("weights beyond all bounds");
    assert!(matches!(error.error, EngineError::NotFinite { .. }), "{error}");
    assert_eq!((error.batch, trained), (2, 2), "{error}");

    fits(&mut *engine);
    let kept = engine.resident().expect("samples can be kept");
    kept.train(&[0, 1], 1, &[1e-3, 1e-3], &mut |_, _| {}).expect("weights of its own");
}

/// Infinite in single precision.
const TOO_FAST: f64 = 1e60;
