use super::cases::on_draws;
use super::model::differentiates;
use super::{Build, LOSS, Problem, expected, problem};
use lif_core::Real;
use lif_core::grid::GridVariant;
use lif_core::loss::{KnownLoss, Objective, Readout};
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

/// A loss that no engine knows, one of the place in the batch too, and one without the gradient of
/// silent labels are what the plain model makes of them.
///
/// # Panics
/// If the engine takes them for something else.
#[track_caller]
pub fn own_losses_are_evaluated(build: &Build<'_>, layers: usize, cases: u32) {
    let bump = prop_oneof![Just(0.0), Just(0.1)];
    on_draws(cases, &(problem(layers), bump, 0..3_usize), |(problem, bump, which)| {
        let problem = Problem { bump, ..problem };
        match which {
            0 => differentiates(build, &problem, OwnLoss::Nameless),
            1 => differentiates(build, &problem, OwnLoss::ByPlace),
            _ => skips_silent_labels(build, &problem),
        }
    });
}

fn skips_silent_labels(build: &Build<'_>, problem: &Problem) -> Result<(), TestCaseError> {
    let steps = problem.steps();
    let (expected, _) = expected(problem, &LOSS)?;
    let outputs = expected.pass.traces.last().into_iter().flatten();
    let spikes_last = outputs.zip(&problem.labels).any(|(trace, &label)| {
        let first = trace.spikes.first_spikes(problem.outputs());
        first[label as usize] == Some(steps - 1)
    });
    // In `head` its step is that of a silent one: whoever sees outputs alone skips it too.
    if spikes_last && problem.variant == GridVariant::Head {
        return Err(TestCaseError::reject("a label's first spike in the last step"));
    }
    let silent = problem.variant.silent_step(steps) as f64;
    differentiates(build, problem, OwnLoss::SkippingSilentLabels { silent })
}

/// Losses of one's own.
#[derive(Clone, Copy, Debug)]
pub(super) enum OwnLoss {
    /// [`LOSS`], which does not say that it is.
    Nameless,
    /// w (t_label^2 / 2 - the sum of the other t), w being 1 for the first sample of a batch, 2 for the
    /// second, and so on.
    ByPlace,
    /// [`LOSS`] without the gradient of samples whose label is silent: its step is `silent`.
    SkippingSilentLabels {
        /// The step.
        silent: f64,
    },
}

impl<T: Real> Objective<T> for OwnLoss {
    fn readout(&self) -> Readout {
        Readout::FirstSpike
    }

    /// Of no sample by itself where its place matters.
    fn evaluate(&self, outputs: &[T], label: usize, gradient: &mut [T]) -> T {
        if let Self::ByPlace = self {
            gradient.fill(T::nan());
            return T::nan();
        }
        let loss = LOSS.evaluate(outputs, label, gradient);
        if matches!(*self, Self::SkippingSilentLabels { silent } if outputs[label] >= T::of(silent))
        {
            gradient.fill(T::zero());
        }
        loss
    }

    fn evaluate_in_batch(
        &self,
        sample: usize,
        outputs: &[T],
        label: usize,
        gradient: &mut [T],
    ) -> T {
        let Self::ByPlace = self else {
            return self.evaluate(outputs, label, gradient);
        };
        let weight = T::of(sample as f64 + 1.0);
        gradient.fill(-weight);
        gradient[label] = weight * outputs[label];
        let others = outputs.iter().copied().sum::<T>() - outputs[label];
        weight * (T::of(0.5) * outputs[label] * outputs[label] - others)
    }

    fn known(&self) -> Option<KnownLoss> {
        match self {
            Self::Nameless | Self::ByPlace => None,
            Self::SkippingSilentLabels { .. } => {
                Some(KnownLoss { loss: LOSS, skips_silent_label: true })
            }
        }
    }
}
