use super::spec::{GridSpec, GridVariant};
use crate::engine::BatchStatistics;

/// How far an engine has come with the silent neurons of a batch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bumping {
    /// By neuron.
    raised: Vec<u64>,
    repeats: u32,
}

/// What is to be done about them.
#[derive(Clone, Debug, PartialEq)]
pub enum BumpAction {
    /// Raise all input weights of these neurons by the spec's bump and run the batch again. Who gives
    /// up later needs the weights as they were before the first raise.
    Raise(Vec<u32>),
    /// The batch has the weights it is to have once this is done.
    Done {
        /// Neurons that stayed silent however often: their weights are put back to what they were
        /// before the first raise, and the batch is run again if there are any.
        restore: Vec<u32>,
        /// What came of it all.
        bumped: Bumped,
    },
}

/// What came of waking the silent neurons of a layer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Bumped {
    /// [`bumps`](BatchStatistics::bumps) and [`bump_gave_up`](BatchStatistics::bump_gave_up).
    pub statistics: BatchStatistics,
    /// The neurons whose weights are raised once after the pass, whose own outputs are kept (variant `first`, which
    /// has one layer).
    pub after: Vec<u32>,
}

impl Bumping {
    /// What comes next. `silent`: neurons, ascending, silent in some sample of the batch's last pass;
    /// `neurons` how many the layer has.
    pub fn next(&mut self, spec: &GridSpec, neurons: usize, silent: &[u32]) -> BumpAction {
        self.raised.resize(neurons, 0);
        if silent.is_empty() || spec.bump == 0.0 {
            return self.done(Vec::new(), Vec::new());
        }
        if spec.variant == GridVariant::First {
            self.count(silent, |_| 1);
            return self.done(Vec::new(), silent.to_vec());
        }
        if self.repeats == spec.max_repeats {
            self.count(silent, |_| 0);
            return self.done(silent.to_vec(), Vec::new());
        }
        self.repeats += 1;
        self.count(silent, |times| times + 1);
        BumpAction::Raise(silent.to_vec())
    }

    /// How often the weights of each neuron are raised; 0 for those that are put back.
    pub fn raised(&self) -> &[u64] {
        &self.raised
    }

    fn count(&mut self, neurons: &[u32], times: impl Fn(u64) -> u64) {
        for &neuron in neurons {
            if let Some(raised) = self.raised.get_mut(neuron as usize) {
                *raised = times(*raised);
            }
        }
    }

    fn done(&self, restore: Vec<u32>, after: Vec<u32>) -> BumpAction {
        let (bumps, bump_gave_up) = (self.raised.iter().sum(), restore.len() as u64);
        let statistics = BatchStatistics { bumps, bump_gave_up, ..BatchStatistics::default() };
        BumpAction::Done { restore, bumped: Bumped { statistics, after } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn done(restore: &[u32], after: &[u32], bumps: u64) -> BumpAction {
        let (restore, after) = (restore.to_vec(), after.to_vec());
        let bump_gave_up = restore.len() as u64;
        let statistics = BatchStatistics { bumps, bump_gave_up, ..BatchStatistics::default() };
        BumpAction::Done { restore, bumped: Bumped { statistics, after } }
    }

    #[test]
    fn head_raises_until_nobody_is_silent() {
        let (spec, mut bumping) = (GridSpec::new(1.0, GridVariant::Head), Bumping::default());
        assert_eq!(bumping.next(&spec, 3, &[0, 2]), BumpAction::Raise(vec![0, 2]));
        assert_eq!(bumping.next(&spec, 3, &[2]), BumpAction::Raise(vec![2]));
        assert_eq!(bumping.next(&spec, 3, &[]), done(&[], &[], 3));
        assert_eq!(bumping.raised(), [1, 0, 2]);
    }

    #[test]
    fn head_gives_up_after_the_last_repeat() {
        let spec = GridSpec { max_repeats: 2, ..GridSpec::new(1.0, GridVariant::Head) };
        let mut bumping = Bumping::default();
        assert_eq!(bumping.next(&spec, 2, &[0, 1]), BumpAction::Raise(vec![0, 1]));
        assert_eq!(bumping.next(&spec, 2, &[1]), BumpAction::Raise(vec![1]));
        assert_eq!(bumping.next(&spec, 2, &[1]), done(&[1], &[], 1));
        assert_eq!(bumping.raised(), [1, 0]);
        let never = GridSpec { max_repeats: 0, ..spec };
        assert_eq!(Bumping::default().next(&never, 2, &[0]), done(&[0], &[], 0));
    }

    #[test]
    fn first_raises_once_after_the_pass() {
        let (spec, mut bumping) = (GridSpec::new(1.0, GridVariant::First), Bumping::default());
        assert_eq!(bumping.next(&spec, 3, &[1, 2]), done(&[], &[1, 2], 2));
        assert_eq!(bumping.raised(), [0, 1, 1]);
    }

    #[test]
    fn without_a_bump_silence_stays() {
        for variant in [GridVariant::Head, GridVariant::First] {
            let spec = GridSpec { bump: 0.0, ..GridSpec::new(1.0, variant) };
            assert_eq!(Bumping::default().next(&spec, 2, &[0, 1]), done(&[], &[], 0));
        }
    }
}
