use super::bump::{Bumped, Bumping};
use crate::engine::BatchStatistics;
use std::ops::ControlFlow;

/// How an engine's layers have come on with the silent neurons of a batch that it is given in parts: its side of
/// [`Bump`](crate::engine::Bump). `W` is what it keeps of weights to put them back.
#[derive(Clone, Debug)]
pub struct BatchInParts<W> {
    state: State<W>,
}

#[derive(Clone, Debug)]
enum State<W> {
    /// Batches are differentiated as a whole.
    Whole,
    /// The layer whose turn it is, and what those below it came to.
    Bumping { layer: usize, raising: Raising<W>, below: BatchStatistics },
    /// Weights are as they should be until the update; those of some neurons are raised then.
    Bumped(Vec<u32>),
}

/// A layer whose silent neurons are looked after.
#[derive(Clone, Debug)]
pub struct Raising<W> {
    /// How far that has come.
    pub bumping: Bumping,
    /// The weights before the first raise.
    pub original: Option<W>,
}

impl<W> Default for BatchInParts<W> {
    fn default() -> Self {
        Self { state: State::Whole }
    }
}

impl<W> Default for Raising<W> {
    fn default() -> Self {
        Self { bumping: Bumping::default(), original: None }
    }
}

impl<W> BatchInParts<W> {
    /// Whether no batch in parts has been begun.
    pub fn is_whole(&self) -> bool {
        matches!(self.state, State::Whole)
    }

    /// The layer after the input whose silent neurons are asked for, counted from 0. Begins a batch if none is being
    /// looked after.
    pub fn layer(&mut self) -> usize {
        match self.state {
            State::Bumping { layer, .. } => layer,
            State::Whole | State::Bumped(_) => {
                self.turn_to(0, BatchStatistics::default());
                0
            }
        }
    }

    /// [`Bump::raise`](crate::engine::Bump::raise) of an engine with `layers` layers after the input: `raise` does it for
    /// the neurons of a layer.
    pub fn raise(
        &mut self,
        layers: usize,
        silent: &[u64],
        raise: impl FnOnce(usize, &mut Raising<W>, &[u32]) -> ControlFlow<Bumped>,
    ) -> ControlFlow<BatchStatistics> {
        self.layer();
        let State::Bumping { layer, raising, below } = &mut self.state else {
            return ControlFlow::Break(BatchStatistics::default());
        };
        let silent: Vec<u32> = (0..).zip(silent).filter(|(_, n)| **n > 0).map(|(j, _)| j).collect();
        let ControlFlow::Break(Bumped { mut statistics, after }) = raise(*layer, raising, &silent)
        else {
            return ControlFlow::Continue(());
        };
        statistics += *below;
        let above = *layer + 1;
        if above < layers {
            self.turn_to(above, statistics);
            return ControlFlow::Continue(());
        }
        self.state = State::Bumped(after);
        ControlFlow::Break(statistics)
    }

    /// Ends the batch, before its update: the neurons of the only layer whose weights are to be raised now.
    pub fn end(&mut self) -> Vec<u32> {
        match std::mem::take(self).state {
            State::Bumped(after) => after,
            State::Whole | State::Bumping { .. } => Vec::new(),
        }
    }

    fn turn_to(&mut self, layer: usize, below: BatchStatistics) {
        self.state = State::Bumping { layer, raising: Raising::default(), below };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bumped(bumps: u64, after: &[u32]) -> Bumped {
        let statistics = BatchStatistics { bumps, ..BatchStatistics::default() };
        Bumped { statistics, after: after.to_vec() }
    }

    #[test]
    fn layers_take_turns() {
        let mut parts = BatchInParts::<()>::default();
        assert!(parts.is_whole());
        assert_eq!(parts.layer(), 0);
        let raised = parts.raise(2, &[0, 2, 1], |layer, raising, silent| {
            assert_eq!((layer, silent), (0, &[1, 2][..]));
            raising.original = Some(());
            ControlFlow::Continue(())
        });
        assert_eq!((raised, parts.layer()), (ControlFlow::Continue(()), 0));
        let raised = parts.raise(2, &[0, 0, 0], |_, raising, _| {
            assert!(raising.original.is_some());
            ControlFlow::Break(bumped(2, &[]))
        });
        assert_eq!((raised, parts.layer()), (ControlFlow::Continue(()), 1));
        let raised = parts.raise(2, &[1], |layer, raising, _| {
            assert!(layer == 1 && raising.original.is_none());
            ControlFlow::Break(bumped(3, &[0]))
        });
        let ControlFlow::Break(statistics) = raised else { panic!("goes on") };
        assert_eq!(statistics.bumps, 5);
        assert!(!parts.is_whole());
        assert_eq!(parts.end(), [0]);
        assert!(parts.is_whole());
    }

    #[test]
    fn a_batch_begins_anew_after_the_one_before() {
        let mut parts = BatchInParts::<()>::default();
        let _ = parts.raise(1, &[], |_, _, _| ControlFlow::Break(bumped(1, &[0])));
        assert_eq!(parts.layer(), 0);
        assert_eq!(parts.end(), []);
    }
}
