use super::cases::on_draws;
use super::{Build, Problem, problem};
use lif_core::SpikeBatch;
use lif_core::engine::Batch;
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;
use std::ops::{ControlFlow, Range};

/// Through [`Engine::bump`](lif_core::engine::Engine::bump) a batch in two parts has the weights and
/// losses of the whole, and the next batch may be a whole one again.
///
/// # Panics
/// If the parts have others.
#[track_caller]
pub fn parts_of_a_batch_are_bumped_as_the_whole(build: &Build<'_>, layers: usize, cases: u32) {
    on_draws(cases, &(problem(layers), 0..=20_usize), |(problem, cut)| {
        bumps_parts(build, &problem, cut.min(problem.labels.len()))
    });
}

fn bumps_parts(build: &Build<'_>, problem: &Problem, cut: usize) -> Result<(), TestCaseError> {
    let labels = &problem.labels;
    let (spikes, parts) = (problem.spikes(), [0..cut, cut..labels.len()]);
    let part = |range: &Range<usize>| {
        let mut part = SpikeBatch::new();
        range.clone().for_each(|sample| part.push_train(spikes.get(sample)));
        part
    };
    let mut whole = problem.engine(build, problem.training())?;
    let statistics = whole.differentiate(problem.batch(&spikes))?;

    let mut cut = problem.engine(build, problem.training())?;
    let Some(bump) = cut.bump() else {
        return Err(TestCaseError::fail("the engine bumps no batch in parts"));
    };
    let bumped = loop {
        let mut silent = Vec::new();
        for range in &parts {
            let of_part = bump.silent(&part(range))?;
            silent.resize(of_part.len(), 0);
            silent.iter_mut().zip(of_part).for_each(|(sum, silent)| *sum += silent);
        }
        if let ControlFlow::Break(statistics) = bump.raise(&silent) {
            break statistics;
        }
    };
    prop_assert_eq!(bumped.bumps, statistics.bumps);
    prop_assert_eq!(bumped.bump_gave_up, statistics.bump_gave_up);
    let mut losses = Vec::new();
    for range in &parts {
        let batch = Batch { spikes: &part(range), labels: &labels[range.clone()] };
        let of_part = cut.differentiate(batch)?;
        prop_assert_eq!((of_part.bumps, of_part.bump_gave_up), (0, 0));
        losses.extend_from_slice(cut.losses());
    }
    prop_assert_eq!(losses, whole.losses());
    cut.update(0.0)?;
    whole.update(0.0)?;
    prop_assert_eq!(cut.parameters(), whole.parameters());

    let batch = problem.batch(&spikes);
    prop_assert_eq!(cut.differentiate(batch)?, whole.differentiate(batch)?);
    prop_assert_eq!(cut.parameters(), whole.parameters());
    Ok(())
}
