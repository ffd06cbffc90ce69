use super::exchange::exchange;
use super::layout::Layout;
use super::sum::OrderedSum;
use super::{Collective, agree, gather_text};
use crate::data::Samples;
use crate::evaluate::{Measured, measure};
use crate::gather::GatheredBatch;
use crate::metrics::Evaluation;
use lif_core::SpikeBatch;
use lif_core::engine::{Batch, BatchStatistics, Engine, EngineError};
use lif_core::loss::Objective;
use std::io;
use std::ops::ControlFlow;

/// This rank and its connection to the others.
pub(crate) struct Team {
    collective: Box<dyn Collective>,
    layout: Layout,
    sum: OrderedSum,
    /// Memory for the next exchange.
    exchanged: GatheredBatch,
    shard: SpikeBatch<f32>,
}

/// Why ranks together could not do something.
#[derive(Debug)]
pub(crate) enum TeamError {
    /// Another rank cannot be reached.
    Connection(io::Error),
    /// This rank failed, and the others know.
    Own(EngineError),
    /// Another rank failed, and says why.
    Elsewhere(String),
}

/// What is known of a shard: whether it failed (and then the length of the reason), and its statistics.
type Record = [u64; 8];

impl Team {
    pub(crate) fn new(collective: Box<dyn Collective>, shards: usize) -> Self {
        let (rank, ranks) = (collective.rank(), collective.ranks());
        let layout = Layout { rank, ranks, shards };
        let (sum, exchanged) = (OrderedSum::default(), GatheredBatch::default());
        Self { collective, layout, sum, exchanged, shard: SpikeBatch::new() }
    }

    pub(crate) fn layout(&self) -> Layout {
        self.layout
    }

    /// This rank's samples of a batch, brought together from the ranks that hold them. `held` are those
    /// of the batch that this rank holds.
    pub(crate) fn exchange(
        &mut self,
        set: &Samples,
        batch: &[u32],
        held: &GatheredBatch,
    ) -> io::Result<GatheredBatch> {
        let own = std::mem::take(&mut self.exchanged);
        exchange(self.collective.as_mut(), self.layout, set, batch, held, own)
    }

    /// Takes the memory of a batch back.
    pub(crate) fn return_batch(&mut self, batch: GatheredBatch) {
        self.exchanged = batch;
    }

    /// Leaves the gradient of a batch of `samples`, of which `own` is this rank's part, in the engine of
    /// every rank. `describe` says of an error what all ranks are to report.
    pub(crate) fn differentiate(
        &mut self,
        engine: &mut dyn Engine<f32>,
        own: Batch<'_, f32>,
        samples: usize,
        describe: impl Fn(&EngineError) -> String,
    ) -> Result<BatchStatistics, TeamError> {
        let bumped = self.bump(engine, own.spikes, &describe)?;
        let layout = self.layout;
        let shards = layout.shards_of(layout.rank, samples);
        let first = layout.samples_of(layout.rank, samples).start;
        let mut records = vec![Record::default(); shards.len()];
        let Self { sum, shard: spikes, .. } = self;
        let outcome = sum.compute(layout.nodes_of(layout.rank, samples), |shard, into| {
            let range = layout.shard(shard, samples);
            let local = range.start - first..range.end - first;
            spikes.clear();
            local.clone().for_each(|sample| spikes.push_train(own.spikes.get(sample)));
            let batch = Batch { spikes, labels: &own.labels[local.clone()] };
            let statistics = engine
                .differentiate(batch)
                .map_err(|error| (shard, in_batch(error, range.start)))?;
            let share = (range.len() as f64 / samples as f64) as f32;
            into.put(engine.gradient_buffer(), share);
            records[shard - shards.start] = record(&statistics);
            Ok(())
        });
        let text = outcome.as_ref().err().map(|(_, error)| describe(error)).unwrap_or_default();
        if let Err((shard, _)) = &outcome {
            records[shard - shards.start][0] = 1;
            records[shard - shards.start][1] = text.len() as u64;
        }
        let all = self.gather(&records, samples).map_err(TeamError::Connection)?;
        if let Some(shard) = all.iter().position(|record| record[0] != 0) {
            let from = (0..layout.ranks)
                .find(|&rank| layout.shards_of(rank, samples).contains(&shard))
                .unwrap_or(0);
            let length = all[shard][1] as usize;
            let text = gather_text(self.collective.as_mut(), from, &text, length)
                .map_err(TeamError::Connection)?;
            return Err(match outcome {
                Err((_, error)) if from == layout.rank => TeamError::Own(error),
                _ => TeamError::Elsewhere(text),
            });
        }
        self.sum
            .reduce(self.collective.as_mut(), layout, samples, engine.gradient_buffer())
            .map_err(TeamError::Connection)?;
        Ok(all.iter().fold(bumped, add_record))
    }

    /// Has the engine of every rank look after neurons that are silent somewhere in a batch, of which
    /// `own` is this rank's part.
    fn bump(
        &mut self,
        engine: &mut dyn Engine<f32>,
        own: &SpikeBatch<f32>,
        describe: impl Fn(&EngineError) -> String,
    ) -> Result<BatchStatistics, TeamError> {
        let Some(engine) = engine.bump() else { return Ok(BatchStatistics::default()) };
        let collective = self.collective.as_mut();
        loop {
            let outcome = engine.silent(own);
            let text = outcome.as_ref().map(|_| ()).map_err(&describe);
            let agreed = agree(collective, text).map_err(TeamError::Connection)?;
            let mut silent = match (outcome, agreed) {
                (Ok(silent), Ok(())) => silent,
                (Err(error), _) => return Err(TeamError::Own(error)),
                (_, Err(text)) => return Err(TeamError::Elsewhere(text)),
            };
            collective.sum(&mut silent).map_err(TeamError::Connection)?;
            if let ControlFlow::Break(statistics) = engine.raise(&silent) {
                return Ok(statistics);
            }
        }
    }

    fn gather(&mut self, own: &[Record], samples: usize) -> io::Result<Vec<Record>> {
        let layout = self.layout;
        let counts: Vec<_> = (0..layout.ranks)
            .map(|rank| layout.shards_of(rank, samples).len() * size_of::<Record>())
            .collect();
        let mut all = vec![Record::default(); layout.shards(samples)];
        self.collective.all_gather(
            bytemuck::cast_slice(own),
            &counts,
            bytemuck::cast_slice_mut(&mut all),
        )?;
        Ok(all)
    }

    /// Whether any rank wants to.
    pub(crate) fn any(&mut self, wants: bool) -> io::Result<bool> {
        let mut count = [u64::from(wants)];
        if self.layout.ranks > 1 {
            self.collective.sum(&mut count)?;
        }
        Ok(count[0] > 0)
    }

    /// Spike counts `[layer][neuron]`, summed over ranks.
    pub(crate) fn sum_activity(&mut self, activity: &mut [Vec<u64>]) -> io::Result<()> {
        activity.iter_mut().try_for_each(|layer| self.collective.sum(layer))
    }

    /// What `samples` come to, each rank measuring its part.
    pub(crate) fn evaluate(
        &mut self,
        engine: &mut dyn Engine<f32>,
        objective: &dyn Objective<f32>,
        samples: &Samples,
    ) -> Result<Evaluation, TeamError> {
        let Layout { rank, ranks, .. } = self.layout;
        let part = |rank| super::part(rank, ranks, samples.len());
        let own = measure(engine, objective, samples, part(rank));
        let collective = self.collective.as_mut();
        let own = match agree(collective, own.as_ref()).map_err(TeamError::Connection)? {
            Ok(own) => own,
            Err(text) => {
                return Err(own.err().map_or(TeamError::Elsewhere(text), TeamError::Own));
            }
        };
        let mut all = Measured { spikes: own.spikes.clone(), samples: Vec::new() };
        all.samples.resize(samples.len(), [0; 2]);
        let counts: Vec<_> = (0..ranks).map(|rank| part(rank).len() * 8).collect();
        collective
            .all_gather(
                bytemuck::cast_slice(&own.samples),
                &counts,
                bytemuck::cast_slice_mut(&mut all.samples),
            )
            .and_then(|()| all.spikes.iter_mut().try_for_each(|layer| collective.sum(layer)))
            .map_err(TeamError::Connection)?;
        Ok(all.evaluation(engine.network(), samples))
    }
}

fn record(statistics: &BatchStatistics) -> Record {
    let BatchStatistics { samples, loss, correct, grazing, bumps, bump_gave_up } = *statistics;
    [0, 0, samples as u64, loss.to_bits(), correct as u64, grazing, bumps, bump_gave_up]
}

fn add_record(sum: BatchStatistics, record: &Record) -> BatchStatistics {
    let [_, _, samples, loss, correct, grazing, bumps, bump_gave_up] = *record;
    BatchStatistics {
        samples: sum.samples + samples as usize,
        loss: sum.loss + f64::from_bits(loss),
        correct: sum.correct + correct as usize,
        grazing: sum.grazing + grazing,
        bumps: sum.bumps + bumps,
        bump_gave_up: sum.bump_gave_up + bump_gave_up,
    }
}

/// An error of a shard as one of the batch, where the shard's first sample is number `first`.
fn in_batch(mut error: EngineError, first: usize) -> EngineError {
    if let EngineError::NotFinite { sample, .. } | EngineError::Runaway { sample, .. } = &mut error
    {
        *sample += first;
    }
    error
}
