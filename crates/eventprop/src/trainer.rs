//! The training loop: see [`Trainer`].

mod batches;
mod error;
mod event;
mod step;

pub use error::TrainError;
pub use event::Event;

use crate::checkpoint::Checkpoint;
use crate::config::{Config, TrainingConfig};
use crate::data::{Data, EpochDraws, Samples};
use crate::engines::engine_for;
use crate::evaluate::evaluate;
use crate::gather::{Pass, Pick};
use crate::metrics::{EpochRecord, Evaluation, LayerActivity};
use crate::parallel::{Parallel, Team, TeamError};
use crate::progress::{EpochSums, Progress};
use crate::schedule::LearningRate;
use crate::silent::{SilentRemedy, lift_silent, silent_neurons};
use crate::stride::Stride;
use batches::{Batches, Feed};
use error::Place;
use lif_core::engine::{Engine, EngineError};
use lif_core::loss::Objective;
use lif_core::{DescriptionError, Network};
use mnist_spikes::Dropout;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Instant;

/// Trains a network epoch by epoch. Prints nothing: what happens comes as [`Event`]s.
///
/// ```no_run
/// use eventprop::{Config, Data, Event, Trainer};
/// use std::ops::ControlFlow;
///
/// let config = Config::preset("mnist")?;
/// let data = Data::load(&config)?;
/// let mut trainer = Trainer::new(config, data)?;
/// while !trainer.is_finished() {
///     trainer.run_epoch(|event| {
///         if let Event::EpochFinished(record) = event {
///             println!("epoch {}: test accuracy {}", record.epoch, record.test.accuracy);
///         }
///         ControlFlow::Continue(())
///     })?;
/// }
/// trainer.checkpoint().save("mnist.safetensors".as_ref())?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Trainer {
    config: Config,
    engine: Box<dyn Engine<f32>>,
    objective: Arc<dyn Objective<f32>>,
    rate: LearningRate,
    data: Data,
    /// Those who share each batch; none where it is computed as a whole.
    team: Option<Team>,
    feed: Feed,
    /// The batches that it takes at a time.
    stride: Stride,
    progress: Progress,
    tested: Option<Evaluation>,
}

impl Trainer {
    /// A training from the start: engine and initial parameters are those of `config`.
    ///
    /// # Errors
    /// If the configuration is invalid, the data do not fit the network, or the engine cannot
    /// compute it.
    pub fn new(config: Config, data: Data) -> Result<Self, TrainError> {
        Self::new_in(config, data, Parallel::alone())
    }

    /// The same as one of the ranks of `parallel`, each of which has the same `config` and `data`.
    ///
    /// # Errors
    /// As [`new`](Self::new), and if a batch has fewer shards or samples than there are ranks.
    pub fn new_in(config: Config, data: Data, parallel: Parallel) -> Result<Self, TrainError> {
        let mut engine = local_engine(&config.network.build()?, &config, &parallel)?;
        engine.load(&config.network.initial_parameters(config.training.seed)?)?;
        let objective = Arc::new(config.loss);
        Self::with_engine_in(config, engine, objective, data, parallel)
    }

    /// A training from the start on an engine of one's own, with the parameters it holds. The engine
    /// must have been built for `objective`; `config` gives the rest.
    ///
    /// # Errors
    /// If the configuration is invalid or the data do not fit the engine's network.
    pub fn with_engine(
        config: Config,
        engine: Box<dyn Engine<f32>>,
        objective: Arc<dyn Objective<f32>>,
        data: Data,
    ) -> Result<Self, TrainError> {
        Self::with_engine_in(config, engine, objective, data, Parallel::alone())
    }

    /// The same as one of the ranks of `parallel`.
    ///
    /// # Errors
    /// As [`with_engine`](Self::with_engine), and if a batch has fewer shards or samples than there are ranks.
    pub fn with_engine_in(
        config: Config,
        mut engine: Box<dyn Engine<f32>>,
        objective: Arc<dyn Objective<f32>>,
        data: Data,
        parallel: Parallel,
    ) -> Result<Self, TrainError> {
        config.check()?;
        data.check(engine.network())?;
        let Parallel { collective, replicated, .. } = parallel;
        let (rank, ranks) = (collective.rank(), collective.ranks());
        check_ranks(ranks, &config.training)?;
        let shards = config.training.shards.unwrap_or(1);
        let data = data.parted(rank, ranks, replicated);
        let team = (shards > 1).then(|| Team::new(collective, shards));
        let rate = config.training.learning_rate();
        let progress = Progress::default();
        let are_fixed = config.data.dropout == 0.0 && data.train.are_fixed();
        let feed = match engine.resident().filter(|_| team.is_none()) {
            None => Feed::Batches,
            Some(_) if !are_fixed => Feed::Strides,
            Some(engine) => match engine.keep(data.train.whole_set()) {
                Ok(()) => Feed::Kept,
                // They do not fit, all at a time.
                Err(_) => Feed::Strides,
            },
        };
        let (stride, tested) = (Stride::one(), None);
        Ok(Self { config, engine, objective, rate, data, team, feed, stride, progress, tested })
    }

    /// Goes on from a checkpoint.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn resume(checkpoint: Checkpoint, data: Data) -> Result<Self, TrainError> {
        Self::resume_in(checkpoint, data, Parallel::alone())
    }

    /// The same as one of the ranks of `parallel`, of which there need not be as many as before.
    ///
    /// # Errors
    /// As [`new_in`](Self::new_in).
    pub fn resume_in(
        checkpoint: Checkpoint,
        data: Data,
        parallel: Parallel,
    ) -> Result<Self, TrainError> {
        let Checkpoint { config, network, parameters, optimiser, progress } = checkpoint;
        let mut engine = local_engine(&network, &config, &parallel)?;
        engine.load(&parameters)?;
        engine.load_optimiser_state(&optimiser)?;
        let objective = Arc::new(config.loss);
        let trainer = Self::with_engine_in(config, engine, objective, data, parallel)?;
        Ok(Self { progress, ..trainer })
    }

    /// The configuration.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The network.
    pub fn network(&self) -> &Network {
        self.engine.network()
    }

    /// How far it has come.
    pub fn progress(&self) -> &Progress {
        &self.progress
    }

    /// What the test set came to after the last epoch that this trainer finished itself.
    pub fn tested(&self) -> Option<&Evaluation> {
        self.tested.as_ref()
    }

    /// Whether all epochs are done.
    pub fn is_finished(&self) -> bool {
        self.progress.epoch >= self.config.training.epochs
    }

    /// All that is needed to go on from here, wherever here is.
    pub fn checkpoint(&self) -> Checkpoint {
        Checkpoint {
            config: self.config.clone(),
            network: self.engine.network().clone(),
            parameters: self.engine.parameters(),
            optimiser: self.engine.optimiser_state(),
            progress: self.progress.clone(),
        }
    }

    /// Trains to the end of the epoch under way, measures, and returns its record; or none if
    /// `on_event` broke off after a batch (the next call goes on there) or all epochs are done. Where
    /// ranks share the training, all break off if one does, and all fail if one does.
    ///
    /// # Errors
    /// Names epoch, batch, layer and sample where a loss or a gradient is not finite or the activity
    /// runs away.
    pub fn run_epoch(
        &mut self,
        mut on_event: impl FnMut(Event<'_>) -> ControlFlow<()>,
    ) -> Result<Option<EpochRecord>, TrainError> {
        if self.is_finished() {
            return Ok(None);
        }
        let started = on_event(Event::EpochStarted {
            epoch: self.progress.epoch,
            batches: self.data.train.len().div_ceil(self.config.training.batch_size),
        });
        if self.any(started.is_break())? || self.train_batches(&mut on_event)?.is_break() {
            return Ok(None);
        }
        self.remedy_silence()?;
        let _ = on_event(Event::Evaluating);
        let record = self.finish_epoch()?;
        let _ = on_event(Event::EpochFinished(&record));
        Ok(Some(record))
    }

    fn train_batches(
        &mut self,
        on_event: &mut impl FnMut(Event<'_>) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, TrainError> {
        let Self { config, engine, rate, data, team, feed, stride, progress, .. } = self;
        let (epoch, seed) = (progress.epoch, config.training.seed);
        let order = mnist_spikes::order(seed, u64::from(epoch), data.train.len());
        let pass = Pass {
            samples: &data.train,
            order: &order,
            batch_size: config.training.batch_size,
            first: progress.batch,
            draws: Some(EpochDraws {
                epoch: u64::from(epoch),
                dropout: Dropout::new(config.data.dropout, seed, u64::from(epoch)),
            }),
            pick: match team {
                None => Pick::All,
                Some(team) if data.train.are_whole() => Pick::Own(team.layout()),
                Some(_) => Pick::Held,
            },
            stride,
        };
        let start = (Instant::now(), progress.sums.seconds);
        let (engine_now, pass) = (engine.as_mut(), &pass);
        let mut batches =
            Batches { pass, epoch, engine: engine_now, rate, progress, on_event, start };
        let flow = batches.train(*feed, team.as_mut());
        let mut activity = engine.take_activity();
        if let (Some(team), Ok(_)) = (team, &flow) {
            team.sum_activity(&mut activity)
                .map_err(|error| between_batches(progress, data).of(error.into()))?;
        }
        progress.sums.add_activity(activity);
        flow
    }

    /// Whether any rank wants what this one may want: every rank asks at once, and learns the same. For
    /// what ranks do between epochs.
    ///
    /// # Errors
    /// If another rank cannot be reached.
    pub fn any(&mut self, wants: bool) -> Result<bool, TrainError> {
        let Self { team, progress, data, .. } = self;
        let Some(team) = team else { return Ok(wants) };
        team.any(wants).map_err(|error| between_batches(progress, data).of(error.into()))
    }

    fn remedy_silence(&mut self) -> Result<(), TrainError> {
        let SilentRemedy::Lift(lift) = self.config.training.silent else { return Ok(()) };
        let activity = &self.progress.sums.activity;
        if silent_neurons(activity).iter().all(|&silent| silent == 0) {
            return Ok(());
        }
        let mut parameters = self.engine.parameters();
        let lifted = lift_silent(self.engine.network(), activity, lift, &mut parameters);
        self.engine.load(&parameters)?;
        self.progress.sums.lifted += lifted as u64;
        Ok(())
    }

    fn finish_epoch(&mut self) -> Result<EpochRecord, TrainError> {
        let Self { engine, objective, team, data, progress, .. } = &mut *self;
        let mut measure = |samples: &Samples| match team {
            None => Ok(evaluate(engine.as_mut(), objective.as_ref(), samples)?),
            Some(team) => {
                team.evaluate(engine.as_mut(), objective.as_ref(), samples).map_err(|error| {
                    match error {
                        TeamError::Own(error) => TrainError::Engine(error),
                        error => between_batches(progress, data).of(error.into()),
                    }
                })
            }
        };
        let validation = data.validation.as_ref().map(&mut measure).transpose()?;
        let tested = measure(&data.test)?;
        let sums = std::mem::take(&mut self.progress.sums);
        let batches = self.progress.batch;
        let record = EpochRecord {
            epoch: self.progress.epoch + 1,
            lr: self.rate.at(self.progress.epoch, batches.saturating_sub(1), batches),
            train_loss: sums.mean_loss(),
            train_accuracy: sums.accuracy(),
            validation: validation.map(|evaluation| evaluation.score),
            test: tested.score,
            layers: layer_activity(self.engine.network(), &sums),
            grazing: sums.grazing,
            clipped: sums.clipped,
            lifted: sums.lifted,
            bumps: sums.bumps,
            bump_gave_up: sums.bump_gave_up,
            samples: sums.samples,
            seconds: sums.seconds,
        };
        self.progress.epoch += 1;
        self.progress.batch = 0;
        self.progress.history.push(record.clone());
        self.tested = Some(tested);
        Ok(record)
    }
}

/// The engine of `config` as one rank of `parallel`.
fn local_engine(
    network: &Network,
    config: &Config,
    parallel: &Parallel,
) -> Result<Box<dyn Engine<f32>>, EngineError> {
    let mut local = config.clone();
    if local.training.threads == 0 {
        local.training.threads = parallel.threads;
    }
    engine_for(network, &local)
}

/// Where something fails that belongs to no batch.
fn between_batches<'a>(progress: &Progress, data: &'a Data) -> Place<'a> {
    let (epoch, position) = (progress.epoch, progress.batch);
    Place { epoch, position, samples: &[], set: &data.train }
}

fn check_ranks(ranks: usize, training: &TrainingConfig) -> Result<(), DescriptionError> {
    let (batch_size, shards) = (training.batch_size, training.shards.unwrap_or(1));
    if ranks <= shards.min(batch_size) {
        return Ok(());
    }
    let reason = format!(
        "{ranks} ranks share batches of {batch_size} samples, cut into {shards}: each needs a shard of \
         at least one sample"
    );
    Err(DescriptionError::new("training.shards", reason))
}

fn layer_activity(network: &Network, sums: &EpochSums) -> Vec<LayerActivity> {
    let silent = silent_neurons(&sums.activity);
    let layers = network.layers().iter().zip(&sums.activity).zip(silent);
    layers
        .filter(|((layer, _), _)| layer.is_lif())
        .map(|((layer, activity), silent)| LayerActivity {
            layer: layer.name.clone(),
            spikes_per_sample: activity.iter().sum::<u64>() as f64 / sums.samples.max(1) as f64,
            silent,
        })
        .collect()
}
