use super::cases::{on_draws, once};
use super::own_loss::OwnLoss;
use super::{Build, LOSS, Problem, problem};
use lif_core::SpikeBatch;
use lif_core::engine::{Batch, BatchStatistics, Engine, EngineError, Training, UpdateStatistics};
use lif_core::grid::GridVariant;
use lif_core::optimiser::{Clip, Optimiser};
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::TestCaseError;

/// Through [`Engine::resident`], samples kept and trained in any order, some of them again, leave what
/// the same batches leave when each is given: every bit of parameters and optimiser.
///
/// # Panics
/// If something differs, or the engine keeps no samples.
#[track_caller]
pub fn kept_samples_train_as_given_ones(build: &Build<'_>, layers: usize, cases: u32) {
    on_draws(cases, &course(layers), |course| trains_the_same(build, &course).map(|_| ()));
    for variant in [GridVariant::Head, GridVariant::First] {
        once(|| {
            let woken = trains_the_same(build, &silent(variant, false))?;
            prop_assert!(woken.bumps > 0 && woken.bump_gave_up == 0, "{woken:?}");
            let hopeless = trains_the_same(build, &silent(variant, true))?;
            prop_assert_eq!(hopeless.bump_gave_up > 0, variant == GridVariant::Head);
            Ok(())
        });
    }
}

/// A training of a few batches.
#[derive(Clone, Debug)]
struct Course {
    problem: Problem,
    /// Samples, `size` a batch; the last may have fewer.
    order: Vec<u32>,
    size: usize,
    /// One a batch.
    rates: Vec<f64>,
    own_loss: bool,
}

fn course(layers: usize) -> impl Strategy<Value = Course> {
    // Up to 24 samples a batch: more than an engine may take at a time.
    let sizes = (1..=24_usize, 1..=3_usize, any::<Index>());
    let places = proptest::collection::vec(any::<Index>(), 96);
    let rates = proptest::collection::vec((1..=100_u32).prop_map(|rate| f64::from(rate) * 1e-3), 4);
    (problem(layers), sizes, places, rates, any::<bool>()).prop_map(
        |(problem, (size, full, rest), places, rates, own_loss)| {
            let length = full * size + rest.index(size);
            let samples = problem.samples.len();
            let order = places[..length].iter().map(|place| place.index(samples) as u32);
            Course {
                order: order.collect(),
                size,
                rates: rates[..length.div_ceil(size)].to_vec(),
                problem,
                own_loss,
            }
        },
    )
}

/// Neurons that wake after two or three raises; or that do not, for there is a sample without spikes.
fn silent(variant: GridVariant, for_good: bool) -> Course {
    let mut problem =
        Problem { variant, weights: vec![vec![2.85, 2.95, 2.85, 2.95]], ..Problem::small(1) };
    if for_good {
        problem.samples.push(Vec::new());
        problem.labels.push(0);
    }
    let last = problem.samples.len() as u32 - 1;
    Course {
        order: vec![0, 1, last, 1, 0],
        size: 3,
        rates: vec![1e-2, 1e-3],
        problem,
        own_loss: false,
    }
}

/// The statistics of all batches, if both engines end up with the same.
fn trains_the_same(build: &Build<'_>, course: &Course) -> Result<BatchStatistics, TestCaseError> {
    let Course { problem, order, size, rates, own_loss } = course;
    let start = || {
        let training = if *own_loss {
            problem.training_by(OwnLoss::ByPlace)
        } else {
            problem.training_by(LOSS)
        };
        let (optimiser, clip) = (Optimiser::ADAM, Some(Clip::Value(0.05)));
        problem.engine(build, Training { optimiser, clip, input_gradients: false, ..training })
    };
    let (mut keeping, mut given) = (start()?, start()?);
    let spikes = problem.spikes();
    let Some(resident) = keeping.resident() else {
        return Err(TestCaseError::fail("the engine keeps no samples"));
    };
    resident.keep(problem.batch(&spikes))?;
    let mut all = BatchStatistics::default();
    // What is kept stays for a second round, the other way through.
    let back = order.iter().rev().copied().collect();
    for order in [order, &back] {
        let mut trained = Vec::new();
        resident.train(order, *size, rates, &mut |batch, update| trained.push((batch, update)))?;
        let mut expected = Vec::new();
        for (samples, &rate) in order.chunks(*size).zip(rates) {
            expected.push(train_step(given.as_mut(), problem, &spikes, samples, rate)?);
        }
        prop_assert_eq!(&trained, &expected);
        expected.into_iter().for_each(|(batch, _)| all += batch);
    }
    prop_assert_eq!(keeping.parameters(), given.parameters());
    prop_assert_eq!(keeping.optimiser_state(), given.optimiser_state());
    prop_assert_eq!(keeping.take_activity(), given.take_activity());
    Ok(all)
}

fn train_step(
    engine: &mut dyn Engine<f32>,
    problem: &Problem,
    spikes: &SpikeBatch<f32>,
    samples: &[u32],
    rate: f64,
) -> Result<(BatchStatistics, UpdateStatistics), EngineError> {
    let mut batch = SpikeBatch::new();
    samples.iter().for_each(|&sample| batch.push_train(spikes.get(sample as usize)));
    let labels: Vec<_> = samples.iter().map(|&sample| problem.labels[sample as usize]).collect();
    engine.train_step(Batch { spikes: &batch, labels: &labels }, rate)
}
