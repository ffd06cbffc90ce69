//! The batches of an epoch, on their way through the engine.

use super::error::Place;
use super::step::{step, step_in_team, steps_kept};
use super::{Event, TrainError};
use crate::gather::{GatheredBatch, Pass};
use crate::parallel::Team;
use crate::progress::Progress;
use crate::schedule::LearningRate;
use lif_core::engine::{BatchStatistics, Engine, UpdateStatistics};
use std::ops::ControlFlow;
use std::time::Instant;

/// How samples come to the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Feed {
    /// Batch by batch.
    Batches,
    /// A stride of batches at a time, which it keeps until the next.
    Strides,
    /// It keeps all of them from the start.
    Kept,
}

/// What an epoch's training needs.
pub(super) struct Batches<'a, F> {
    pub(super) pass: &'a Pass<'a>,
    /// From 0.
    pub(super) epoch: u32,
    pub(super) engine: &'a mut dyn Engine<f32>,
    pub(super) rate: &'a LearningRate,
    pub(super) progress: &'a mut Progress,
    pub(super) on_event: F,
    /// When it began, and the seconds spent before.
    pub(super) start: (Instant, f64),
}

type Visited = Result<ControlFlow<()>, TrainError>;

impl<'a, F: FnMut(Event<'_>) -> ControlFlow<()>> Batches<'a, F> {
    /// Trains from the pass's first batch on, until `on_event` breaks off.
    pub(super) fn train(&mut self, feed: Feed, team: Option<&mut Team>) -> Visited {
        let pass = self.pass;
        match (team, feed) {
            (Some(team), _) => pass.for_each(|gathered| self.in_team(team, gathered)),
            (None, Feed::Batches) => pass.for_each(|gathered| self.one(gathered)),
            (None, Feed::Strides) => pass.for_each(|gathered| self.given(gathered)),
            (None, Feed::Kept) => pass.for_each_in_set(|first, samples| self.kept(first, samples)),
        }
    }

    fn one(&mut self, gathered: &GatheredBatch) -> Visited {
        let position = gathered.position;
        let rate = self.rate(position);
        let stepped = step(self.engine, gathered, rate);
        let (batch, update) = stepped.map_err(|error| self.place(position).of(error))?;
        Ok(self.after(position, batch, update))
    }

    fn in_team(&mut self, team: &mut Team, gathered: &GatheredBatch) -> Visited {
        let position = gathered.position;
        let (place, rate) = (self.place(position), self.rate(position));
        let stepped = step_in_team(team, self.engine, gathered, rate, place);
        let (batch, update) = stepped.map_err(|error| place.of(error))?;
        let flow = self.after(position, batch, update);
        let broken = team.any(flow.is_break()).map_err(|error| place.of(error.into()))?;
        Ok(if broken { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    }

    /// A stride of batches, which the engine keeps until the next.
    fn given(&mut self, gathered: &GatheredBatch) -> Visited {
        let first = gathered.position;
        if let Some(resident) = self.engine.resident() {
            let kept = resident.keep(gathered.batch());
            kept.map_err(|error| self.place(first).of(error.into()))?;
        }
        let samples: Vec<u32> = (0..gathered.samples.len() as u32).collect();
        self.kept(first, &samples)
    }

    /// A stride of batches whose `samples` the engine keeps.
    fn kept(&mut self, first: usize, samples: &[u32]) -> Visited {
        let size = self.pass.batch_size;
        let count = samples.len().div_ceil(size);
        let rates: Vec<f64> = (first..first + count).map(|position| self.rate(position)).collect();
        let start = Instant::now();
        let mut all = Vec::with_capacity(count);
        let trained = steps_kept(self.engine, samples, size, &rates, &mut |batch, update| {
            all.push((batch, update));
        });
        self.pass.stride.adapt(count, start.elapsed());
        let mut flow = ControlFlow::Continue(());
        for (position, (batch, update)) in (first..).zip(all) {
            if self.after(position, batch, update).is_break() {
                flow = ControlFlow::Break(());
            }
        }
        match trained {
            Ok(()) => Ok(flow),
            Err(failed) => Err(self.place(first + failed.batch).of(failed.error.into())),
        }
    }

    fn after(
        &mut self,
        position: usize,
        batch: BatchStatistics,
        update: UpdateStatistics,
    ) -> ControlFlow<()> {
        let (lr, (start, before)) = (self.rate(position), self.start);
        let Self { progress, on_event, pass, epoch, .. } = self;
        progress.sums.add(batch, update);
        progress.sums.seconds = before + start.elapsed().as_secs_f64();
        progress.batch = position + 1;
        let (epoch, batches, sums) = (*epoch, pass.batches(), &progress.sums);
        on_event(Event::Batch { epoch, batch: position, batches, lr, sums })
    }

    fn rate(&self, position: usize) -> f64 {
        self.rate.at(self.epoch, position, self.pass.batches())
    }

    fn place(&self, position: usize) -> Place<'a> {
        let samples = self.pass.samples_of(position..position + 1);
        Place { epoch: self.epoch, position, samples, set: self.pass.samples }
    }
}
