//! The training loop: see [`Trainer`].

mod error;
mod event;

pub use error::TrainError;
pub use event::Event;

use crate::checkpoint::Checkpoint;
use crate::config::Config;
use crate::data::{Data, EpochDraws, Samples};
use crate::engines::engine_for;
use crate::evaluate::evaluate;
use crate::gather::{GatheredBatch, Pass};
use crate::metrics::{EpochRecord, Evaluation, LayerActivity};
use crate::progress::{EpochSums, Progress};
use crate::schedule::LearningRate;
use crate::silent::{SilentRemedy, lift_silent, silent_neurons};
use lif_core::Network;
use lif_core::engine::{BatchStatistics, Engine, EngineError, UpdateStatistics};
use lif_core::loss::Objective;
use mnist_spikes::Dropout;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Instant;

/// Sums gradients and statistics over the machines that each differentiated a part of a batch.
///
/// The one place between gradient and update: without it a trainer calls
/// [`Engine::train_step`], with it [`Engine::differentiate`], this, [`Engine::update`].
pub trait Reduce: Send {
    /// Replaces both by their sum over all machines. Every machine must get the same bits.
    ///
    /// # Errors
    /// If another machine cannot be reached; training stops with it.
    fn reduce(
        &mut self,
        gradient: &mut [f32],
        statistics: &mut BatchStatistics,
    ) -> std::io::Result<()>;
}

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
    reduce: Option<Box<dyn Reduce>>,
    /// Whether the engine keeps the training samples.
    kept: bool,
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
        let mut engine = engine_for(&config.network.build()?, &config)?;
        engine.load(&config.network.initial_parameters(config.training.seed)?)?;
        let objective = Arc::new(config.loss);
        Self::with_engine(config, engine, objective, data)
    }

    /// A training from the start on an engine of one's own, with the parameters it holds. The engine
    /// must have been built for `objective`; `config` gives the rest.
    ///
    /// # Errors
    /// If the configuration is invalid or the data do not fit the engine's network.
    pub fn with_engine(
        config: Config,
        mut engine: Box<dyn Engine<f32>>,
        objective: Arc<dyn Objective<f32>>,
        data: Data,
    ) -> Result<Self, TrainError> {
        config.check()?;
        data.check(engine.network())?;
        let rate = config.training.learning_rate();
        let progress = Progress::default();
        // Where they do not fit, they are handed over batch by batch.
        let kept = config.data.dropout == 0.0
            && data.train.are_fixed()
            && engine.resident().is_some_and(|engine| engine.keep(data.train.whole_set()).is_ok());
        let (reduce, tested) = (None, None);
        Ok(Self { config, engine, objective, rate, data, reduce, kept, progress, tested })
    }

    /// Goes on from a checkpoint.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn resume(checkpoint: Checkpoint, data: Data) -> Result<Self, TrainError> {
        let Checkpoint { config, network, parameters, optimiser, progress } = checkpoint;
        let mut engine = engine_for(&network, &config)?;
        engine.load(&parameters)?;
        engine.load_optimiser_state(&optimiser)?;
        let objective = Arc::new(config.loss);
        let trainer = Self::with_engine(config, engine, objective, data)?;
        Ok(Self { progress, ..trainer })
    }

    /// Sums gradients by `reduce` before each update.
    pub fn with_reduce(self, reduce: Box<dyn Reduce>) -> Self {
        Self { reduce: Some(reduce), ..self }
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
    /// `on_event` broke off after a batch (the next call goes on there) or all epochs are done.
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
        if started.is_break() || self.train_batches(&mut on_event)?.is_break() {
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
        let Self { config, engine, rate, data, reduce, kept, progress, .. } = self;
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
        };
        let batches = pass.batches();
        let (start, before) = (Instant::now(), progress.sums.seconds);
        let mut after = |position, samples: &[u32], lr, stepped: Result<_, error::StepError>| {
            let (batch, update) =
                stepped.map_err(|error| error.into_error(epoch, position, samples, &data.train))?;
            progress.sums.add(batch, update);
            progress.sums.seconds = before + start.elapsed().as_secs_f64();
            progress.batch = position + 1;
            let sums = &progress.sums;
            Ok(on_event(Event::Batch { epoch, batch: position, batches, lr, sums }))
        };
        let rate = |position| rate.at(epoch, position, batches);
        let flow = if *kept && reduce.is_none() {
            pass.for_each_in_set(|position, samples, in_set| {
                let lr = rate(position);
                after(position, samples, lr, step_kept(engine.as_mut(), in_set, lr))
            })
        } else {
            pass.for_each(|gathered| {
                let lr = rate(gathered.position);
                let stepped = step(engine.as_mut(), gathered, lr, reduce.as_deref_mut());
                after(gathered.position, &gathered.samples, lr, stepped)
            })
        };
        progress.sums.add_activity(engine.take_activity());
        flow
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
        let mut measure =
            |samples: &Samples| evaluate(self.engine.as_mut(), self.objective.as_ref(), samples);
        let validation = self.data.validation.as_ref().map(&mut measure).transpose()?;
        let tested = measure(&self.data.test)?;
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

/// One batch from gradient to update.
fn step(
    engine: &mut dyn Engine<f32>,
    gathered: &GatheredBatch,
    lr: f64,
    reduce: Option<&mut (dyn Reduce + 'static)>,
) -> Result<(BatchStatistics, UpdateStatistics), error::StepError> {
    let (batch, update) = match reduce {
        None => engine.train_step(gathered.batch(), lr)?,
        Some(reduce) => {
            let mut batch = engine.differentiate(gathered.batch())?;
            reduce.reduce(engine.gradient_buffer(), &mut batch)?;
            (batch, engine.update(lr)?)
        }
    };
    check_loss(engine, &batch)?;
    Ok((batch, update))
}

/// The same for samples that the engine keeps.
fn step_kept(
    engine: &mut dyn Engine<f32>,
    samples: &[u32],
    lr: f64,
) -> Result<(BatchStatistics, UpdateStatistics), error::StepError> {
    let Some(resident) = engine.resident() else {
        let reason = "the engine no longer keeps the samples it was given";
        return Err(EngineError::Batch(reason.into()).into());
    };
    let (batch, update) =
        resident.train(samples, samples.len(), &[lr]).map_err(|failed| failed.error)?;
    check_loss(engine, &batch)?;
    Ok((batch, update))
}

fn check_loss(engine: &dyn Engine<f32>, batch: &BatchStatistics) -> Result<(), EngineError> {
    if batch.loss.is_finite() {
        return Ok(());
    }
    let sample = engine.losses().iter().position(|loss| !loss.is_finite()).unwrap_or(0);
    let layer = engine.network().output().name.clone();
    Err(EngineError::NotFinite { what: "the loss", layer, sample })
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
