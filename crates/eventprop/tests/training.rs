//! The training loop on the real engines: what it reports, and that nothing but the configuration
//! decides the result.
#![cfg(feature = "cpu")]

use eventprop::lif_core::SpikeBatch;
use eventprop::lif_core::engine::Training;
use eventprop::lif_core::loss::{Objective, Readout};
use eventprop::mnist_spikes::SpikeData;
use eventprop::{
    Checkpoint, Config, Data, Event, Initialiser, Samples, SilentRemedy, TrainError, Trainer,
    backend,
};
use std::ops::ControlFlow;
use std::sync::Arc;

const INPUTS: usize = 24;
const CLASSES: usize = 3;

/// Each class has inputs of its own, which spike with a jitter that depends on the sample alone.
fn samples(count: usize, salt: usize) -> Samples {
    let mut spikes = SpikeBatch::new();
    let mut labels = Vec::new();
    for sample in 0..count {
        let label = (sample * 7 + salt) % CLASSES;
        let mut train: Vec<(f32, u32)> = (0..INPUTS)
            .filter(|input| input % CLASSES == label)
            .map(|input| (((sample * 31 + input * 17 + salt * 5) % 13) as f32 / 3.0, input as u32))
            .collect();
        train.sort_by(|a, b| a.0.total_cmp(&b.0));
        spikes.push_sorted(train).unwrap();
        labels.push(label as u32);
    }
    Samples::new(SpikeData {
        spikes,
        labels,
        classes: CLASSES,
        inputs: INPUTS,
        shape: [1, 1, INPUTS],
    })
}

fn data() -> Data {
    let (validation, train) = samples(110, 0).split_at(20);
    Data { train, validation: Some(validation), test: samples(40, 1) }
}

/// A preset at the size of these data: ten batches an epoch, the last smaller.
fn config(preset: &str) -> Config {
    let mut config = Config::preset(preset).unwrap();
    let layers = &mut config.network.layers;
    let last = layers.len() - 1;
    layers[0].size = INPUTS;
    layers[last].size = CLASSES;
    if last == 2 {
        layers[1].size = 20;
        config.network.connections[0].weights = Some(Initialiser::Normal { mean: 1.2, sd: 0.6 });
        config.training.lr = 0.03;
    } else {
        config.network.connections[0].weights = Some(Initialiser::Normal { mean: 1.0, sd: 0.3 });
    }
    config.data.dropout = 0.1;
    config.training.epochs = 4;
    config.training.batch_size = 9;
    config.training.seed = 3;
    config.training.threads = 1;
    config.check().unwrap();
    config
}

fn run(trainer: &mut Trainer) {
    while !trainer.is_finished() {
        trainer.run_epoch(|_| ControlFlow::Continue(())).unwrap();
    }
}

/// A checkpoint without the one thing that differs between equal runs.
fn timeless(mut checkpoint: Checkpoint) -> Checkpoint {
    checkpoint.progress.sums.seconds = 0.0;
    checkpoint.progress.history.iter_mut().for_each(|record| record.seconds = 0.0);
    checkpoint
}

fn trained(config: Config) -> Checkpoint {
    let mut trainer = Trainer::new(config, data()).unwrap();
    run(&mut trainer);
    timeless(trainer.checkpoint())
}

const BOTH: [&str; 2] = ["mnist", "seed"];

#[test]
fn learns_and_reports_each_epoch() {
    for preset in BOTH {
        let mut trainer = Trainer::new(config(preset), data()).unwrap();
        let mut events = Vec::new();
        while !trainer.is_finished() {
            trainer
                .run_epoch(|event| {
                    events.push(match event {
                        Event::EpochStarted { epoch, batches } => {
                            format!("start {epoch} {batches}")
                        }
                        Event::Batch { batch, sums, .. } => {
                            format!("batch {batch} {}", sums.samples)
                        }
                        Event::Evaluating => "evaluating".into(),
                        Event::EpochFinished(record) => format!("finish {}", record.epoch),
                        _ => "other".into(),
                    });
                    ControlFlow::Continue(())
                })
                .unwrap();
        }
        assert_eq!(events.len(), 4 * 13);
        assert_eq!(events[13..16], ["start 1 10", "batch 0 9", "batch 1 18"]);
        assert_eq!(events[23..26], ["batch 9 90", "evaluating", "finish 2"]);
        let history = &trainer.progress().history;
        let (first, last) = (&history[0], &history[3]);
        assert!(last.train_loss < first.train_loss, "{preset}: {first:?} {last:?}");
        // Forty updates: far above chance, a third.
        assert!(last.test.accuracy > 0.6, "{preset}: {last:?}");
        assert!(last.validation.is_some_and(|score| score.accuracy > 0.6), "{preset}: {last:?}");
        assert!(last.layers[0].spikes_per_sample > 1.0, "{preset}: {last:?}");
    }
}

#[test]
fn the_seed_alone_decides_the_bits() {
    for preset in BOTH {
        let one = trained(config(preset));
        for threads in [1, 2, 3] {
            let mut config = config(preset);
            config.training.threads = threads;
            let mut other = trained(config);
            other.config.training.threads = 1;
            assert!(other == one, "{preset} on {threads} threads");
        }
        let mut config = config(preset);
        config.training.seed += 1;
        assert!(trained(config).parameters != one.parameters, "{preset}: the seed does nothing");
    }
}

#[test]
fn a_resumed_training_ends_with_the_same_bits() {
    for (preset, stops) in [("mnist", [1, 9, 10]), ("seed", [4, 11, 25])] {
        let whole = trained(config(preset));
        for stop in stops {
            let mut trainer = Trainer::new(config(preset), data()).unwrap();
            let mut batches = 0;
            while !trainer.is_finished() && batches < stop {
                trainer
                    .run_epoch(|event| {
                        batches += usize::from(matches!(event, Event::Batch { .. }));
                        if batches == stop {
                            ControlFlow::Break(())
                        } else {
                            ControlFlow::Continue(())
                        }
                    })
                    .unwrap();
            }
            // Through the bytes of a file, into a new engine.
            let bytes = trainer.checkpoint().to_bytes();
            let checkpoint = Checkpoint::from_bytes(&bytes).unwrap();
            let mut resumed = Trainer::resume(checkpoint, data()).unwrap();
            run(&mut resumed);
            assert!(timeless(resumed.checkpoint()) == whole, "{preset}, stopped after {stop}");
        }
    }
}

/// Cross-entropy of the highest voltage, but NaN where the label is 2.
struct Broken;

impl Objective<f32> for Broken {
    fn readout(&self) -> Readout {
        Readout::VMax
    }

    fn evaluate(&self, _: &[f32], label: usize, gradient: &mut [f32]) -> f32 {
        gradient.fill(0.0);
        if label == 2 { f32::NAN } else { 0.5 }
    }
}

#[test]
fn a_loss_that_is_not_finite_names_its_sample() {
    let config = config("mnist");
    let network = config.network.build().unwrap();
    let objective: Arc<dyn Objective<f32>> = Arc::new(Broken);
    let training = Training {
        objective: Arc::clone(&objective),
        ..config.training.for_engine(config.loss, &network).unwrap()
    };
    let mut engine = backend::create("cpu", &network, training, Some(1)).unwrap();
    engine.load(&config.network.initial_parameters(3).unwrap()).unwrap();
    let data = data();
    let train = data.train.clone();
    let mut trainer = Trainer::with_engine(config, engine, objective, data).unwrap();
    let before = trainer.checkpoint();
    let error = trainer.run_epoch(|_| ControlFlow::Continue(())).unwrap_err();
    let TrainError::Batch { epoch: 1, batch: 1, sample, .. } = &error else { panic!("{error}") };
    // Counted in the whole set: the first 20 are for validation.
    assert_eq!(train.label(sample.0.unwrap() - 20), 2);
    let message = error.to_string();
    assert!(message.contains("the loss is not finite (layer \"output\""), "{message}");
    let after = trainer.checkpoint();
    let learned =
        |checkpoint: &Checkpoint| (checkpoint.parameters.clone(), checkpoint.optimiser.clone());
    assert!(learned(&after) == learned(&before), "the broken batch must change nothing");
}

#[test]
fn silent_neurons_are_lifted_until_they_spike() {
    let mut config = config("mnist");
    config.network.connections[0].weights = Some(Initialiser::Zeros);
    config.training.silent = SilentRemedy::Lift(0.3);
    config.training.epochs = 8;
    let checkpoint = trained(config);
    let history = &checkpoint.progress.history;
    assert_eq!((history[0].layers[0].silent, history[0].lifted), (20, 20));
    assert_eq!(history[7].layers[0].silent, 0, "{history:?}");
}

#[test]
fn data_that_do_not_fit_are_refused() {
    let mut config = config("mnist");
    config.network.layers[0].size = 25;
    let message = Trainer::new(config.clone(), data()).err().unwrap().to_string();
    assert!(message.contains("the input layer has 25 neurons, the data 24 inputs"), "{message}");
    config.network.layers[0].size = INPUTS;
    let other = SpikeData {
        spikes: SpikeBatch::new(),
        labels: Vec::new(),
        classes: CLASSES,
        inputs: INPUTS + 1,
        shape: [1, 1, INPUTS + 1],
    };
    let data = Data { validation: Some(Samples::new(other)), ..data() };
    let message = Trainer::new(config, data).err().unwrap().to_string();
    assert!(message.contains("the input layer has 24 neurons, the data 25 inputs"), "{message}");
}
