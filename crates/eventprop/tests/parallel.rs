//! Training on several ranks, which are threads here: any number of them gives the same bits.
#![cfg(feature = "cpu")]

use eventprop::lif_core::SpikeBatch;
use eventprop::lif_core::engine::Training;
use eventprop::lif_core::loss::{Objective, Readout};
use eventprop::mnist_spikes::SpikeData;
use eventprop::{
    Checkpoint, Collective, Config, Data, EpochRecord, Initialiser, Parallel, Samples,
    SilentRemedy, TrainError, Trainer, backend,
};
use proptest::prelude::*;
use std::io;
use std::ops::ControlFlow;
use std::sync::{Arc, Barrier, Mutex};
use std::thread;

/// A place where threads leave bytes for one another.
struct Meeting {
    barrier: Barrier,
    left: Mutex<Vec<Vec<u8>>>,
}

/// One of the threads that meet.
struct Member {
    rank: usize,
    ranks: usize,
    meeting: Arc<Meeting>,
}

impl Member {
    fn all(ranks: usize) -> Vec<Self> {
        let left = Mutex::new(vec![Vec::new(); ranks]);
        let meeting = Arc::new(Meeting { barrier: Barrier::new(ranks), left });
        (0..ranks).map(|rank| Self { rank, ranks, meeting: Arc::clone(&meeting) }).collect()
    }

    /// What every rank gives, in order of rank.
    fn meet(&self, own: &[u8]) -> Vec<Vec<u8>> {
        self.meeting.left.lock().unwrap()[self.rank] = own.to_vec();
        self.meeting.barrier.wait();
        let all = self.meeting.left.lock().unwrap().clone();
        self.meeting.barrier.wait();
        all
    }
}

impl Collective for Member {
    fn rank(&self) -> usize {
        self.rank
    }

    fn ranks(&self) -> usize {
        self.ranks
    }

    fn all_gather(&mut self, own: &[u8], counts: &[usize], all: &mut [u8]) -> io::Result<()> {
        let met = self.meet(own);
        assert!(met.iter().map(Vec::len).eq(counts.iter().copied()));
        all.copy_from_slice(&met.concat());
        Ok(())
    }

    fn all_to_all(
        &mut self,
        own: &[u8],
        own_counts: &[usize],
        given: &mut [u8],
        given_counts: &[usize],
    ) -> io::Result<()> {
        assert_eq!(own_counts.iter().sum::<usize>(), own.len());
        let counts: Vec<u8> = own_counts.iter().flat_map(|count| count.to_le_bytes()).collect();
        let counts = self.meet(&counts);
        let met = self.meet(own);
        let mut rest = given;
        for (rank, (counts, bytes)) in counts.iter().zip(&met).enumerate() {
            let counts: Vec<_> = counts
                .chunks_exact(8)
                .map(|count| usize::from_le_bytes(count.try_into().unwrap()))
                .collect();
            let start: usize = counts[..self.rank].iter().sum();
            assert_eq!(counts[self.rank], given_counts[rank]);
            let (place, after) = rest.split_at_mut(given_counts[rank]);
            place.copy_from_slice(&bytes[start..start + counts[self.rank]]);
            rest = after;
        }
        Ok(())
    }

    fn sum(&mut self, numbers: &mut [u64]) -> io::Result<()> {
        let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
        let met = self.meet(&bytes);
        numbers.fill(0);
        for bytes in met {
            for (sum, number) in numbers.iter_mut().zip(bytes.chunks_exact(8)) {
                *sum += u64::from_le_bytes(number.try_into().unwrap());
            }
        }
        Ok(())
    }
}

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
    let shape = [1, 1, INPUTS];
    Samples::new(SpikeData { spikes, labels, classes: CLASSES, inputs: INPUTS, shape })
}

fn data() -> Data {
    let (validation, train) = samples(110, 0).split_at(20);
    Data { train, validation: Some(validation), test: samples(40, 1) }
}

/// Batches of 11 samples, the last of an epoch of 2.
fn config(shards: Option<usize>) -> Config {
    let mut config = Config::preset("mnist").unwrap();
    let layers = &mut config.network.layers;
    (layers[0].size, layers[1].size, layers[2].size) = (INPUTS, 20, CLASSES);
    config.network.connections[0].weights = Some(Initialiser::Normal { mean: 0.4, sd: 0.6 });
    config.data.dropout = 0.1;
    let training = &mut config.training;
    (training.epochs, training.batch_size, training.lr) = (3, 11, 0.03);
    (training.seed, training.threads, training.shards) = (3, 1, shards);
    // Some neurons are silent to begin with.
    training.silent = SilentRemedy::Lift(0.05);
    config
}

/// A checkpoint without the one thing that differs between equal runs.
fn timeless(mut checkpoint: Checkpoint) -> Checkpoint {
    checkpoint.progress.sums.seconds = 0.0;
    checkpoint.progress.history.iter_mut().for_each(|record| record.seconds = 0.0);
    checkpoint
}

/// What `work` makes of each of several ranks that run it at once.
fn on_ranks<T: Send>(ranks: usize, limit: usize, work: impl Fn(Parallel) -> T + Sync) -> Vec<T> {
    thread::scope(|scope| {
        let work = &work;
        let threads: Vec<_> = Member::all(ranks)
            .into_iter()
            .map(|member| {
                let parallel = Parallel { replicated: limit, ..Parallel::new(Box::new(member)) };
                scope.spawn(move || work(parallel))
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

fn finish(mut trainer: Trainer) -> Checkpoint {
    while !trainer.is_finished() {
        trainer.run_epoch(|_| ControlFlow::Continue(())).unwrap();
    }
    timeless(trainer.checkpoint())
}

fn trained(config: &Config, ranks: usize, limit: usize) -> Vec<Checkpoint> {
    on_ranks(ranks, limit, |parallel| {
        finish(Trainer::new_in(config.clone(), data(), parallel).unwrap())
    })
}

#[test]
fn any_number_of_ranks_gives_the_same_bits() {
    for shards in [5, 8, 11] {
        let config = config(Some(shards));
        // Without any ranks.
        let one = finish(Trainer::new(config.clone(), data()).unwrap());
        assert!(one.progress.history[0].lifted > 0, "nothing was lifted");
        for ranks in 1..=5 {
            for (rank, other) in trained(&config, ranks, usize::MAX).into_iter().enumerate() {
                assert!(other == one, "{shards} shards, rank {rank} of {ranks}");
            }
        }
    }
}

#[test]
fn parted_data_give_the_same_bits() {
    let config = config(Some(7));
    let one = finish(Trainer::new(config.clone(), data()).unwrap());
    for ranks in [2, 3, 5] {
        for other in trained(&config, ranks, 0) {
            assert!(other == one, "{ranks} ranks");
        }
    }
}

#[test]
fn silent_neurons_are_bumped_for_what_all_ranks_see() {
    for (preset, sizes) in [
        ("seed", &[INPUTS, CLASSES][..]),
        ("seed-readme", &[INPUTS, CLASSES]),
        ("seed-deep", &[INPUTS, 4, CLASSES]),
    ] {
        let mut config = Config::preset(preset).unwrap();
        for (layer, &size) in config.network.layers.iter_mut().zip(sizes) {
            layer.size = size;
        }
        for connection in &mut config.network.connections {
            connection.weights = Some(Initialiser::Normal { mean: 0.5, sd: 0.5 });
        }
        let training = &mut config.training;
        (training.epochs, training.batch_size, training.threads) = (3, 11, 1);
        config.cut_batches();
        let one = finish(Trainer::new(config.clone(), data()).unwrap());
        assert!(one.progress.history[0].bumps > 0, "nothing was bumped");
        for (ranks, limit) in [(1, 0), (2, 0), (3, usize::MAX), (4, 0)] {
            for (rank, other) in trained(&config, ranks, limit).into_iter().enumerate() {
                assert!(other == one, "{preset}, rank {rank} of {ranks}");
            }
        }
    }
}

#[test]
fn changed_images_come_from_whoever_holds_them() {
    let mut config = Config::preset("mnist").unwrap();
    config.network.layers[1].size = 16;
    config.data.augmentation.shift = 1.0;
    config.data.validation = 59_900;
    (config.training.epochs, config.training.shards) = (1, Some(4));
    config.training.threads = 1;
    let small = |mut data: Data| {
        data.test = data.test.split_at(50).0;
        data.validation = None;
        data
    };
    let data = small(Data::load(&config).unwrap());
    let one = finish(Trainer::new(config.clone(), data.clone()).unwrap());
    let others = on_ranks(3, 0, |parallel| {
        finish(Trainer::new_in(config.clone(), data.clone(), parallel).unwrap())
    });
    assert!(others.iter().all(|other| *other == one));
}

/// The CUDA engine on ranks whose gradients and samples go by NCCL. `cargo xtask cuda-emulate` runs it on
/// stand-ins for GPU and NCCL.
#[cfg(feature = "nccl")]
#[test]
fn ranks_that_talk_by_nccl_give_the_same_bits() {
    let mut config = config(Some(5));
    config.training.backend = "cuda".into();
    config.training.epochs = 1;
    // Its gradient is large enough to go by NCCL on the way back, too.
    config.network.layers[1].size = 700;
    if let Err(missing) = eventprop::parallel::OverNccl::join(Box::new(Member::all(1).remove(0))) {
        assert!(std::env::var_os("SIMT_EMULATOR").is_none(), "{missing}");
        eprintln!("not run: {missing}");
        return;
    }
    let one = finish(Trainer::new(config.clone(), data()).unwrap());
    for (ranks, limit) in [(2, usize::MAX), (3, 0)] {
        let others = on_ranks(ranks, limit, |parallel| {
            let collective = eventprop::parallel::OverNccl::join(parallel.collective).unwrap();
            let parallel = Parallel { collective: Box::new(collective), ..parallel };
            finish(Trainer::new_in(config.clone(), data(), parallel).unwrap())
        });
        assert!(others.iter().all(|other| *other == one), "{ranks} ranks");
    }
}

#[test]
fn one_shard_is_the_batch_as_a_whole() {
    let mut whole = finish(Trainer::new(config(None), data()).unwrap());
    whole.config.training.shards = Some(1);
    assert!(finish(Trainer::new(config(Some(1)), data()).unwrap()) == whole);
    // Cut, the same sums round differently: the losses agree but for that.
    let cut = finish(Trainer::new(config(Some(4)), data()).unwrap());
    assert!(cut.parameters != whole.parameters);
    let first = |checkpoint: &Checkpoint| checkpoint.progress.history[0].train_loss;
    assert!((first(&cut) / first(&whole) - 1.0).abs() < 1e-4);
}

#[test]
fn a_run_goes_on_with_another_number_of_ranks() {
    let config = config(Some(6));
    let whole = finish(Trainer::new(config.clone(), data()).unwrap());
    let stopped = on_ranks(3, 0, |parallel| {
        let rank = parallel.collective.rank();
        let mut trainer = Trainer::new_in(config.clone(), data(), parallel).unwrap();
        let mut batches = 0;
        // One rank wants to stop, and all do.
        let outcome = trainer.run_epoch(|_| {
            batches += 1;
            if rank == 1 && batches == 5 {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        });
        assert!(outcome.unwrap().is_none());
        trainer.checkpoint()
    });
    assert_eq!(stopped[0].progress.batch, 4);
    for ranks in [1, 2, 4] {
        let resumed = on_ranks(ranks, usize::MAX, |parallel| {
            let checkpoint = Checkpoint::from_bytes(&stopped[0].to_bytes()).unwrap();
            finish(Trainer::resume_in(checkpoint, data(), parallel).unwrap())
        });
        assert!(resumed.iter().all(|other| *other == whole), "{ranks} ranks");
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
fn what_goes_wrong_on_one_rank_is_said_by_all() {
    let config = config(Some(11));
    let network = config.network.build().unwrap();
    let failed = |parallel: Parallel| -> (TrainError, u64) {
        let objective: Arc<dyn Objective<f32>> = Arc::new(Broken);
        let training = Training {
            objective: Arc::clone(&objective),
            ..config.training.for_engine(config.loss, &network).unwrap()
        };
        let engine = backend::create("cpu", &network, training, Some(1)).unwrap();
        let mut trainer =
            Trainer::with_engine_in(config.clone(), engine, objective, data(), parallel).unwrap();
        let error = trainer.run_epoch(|_| ControlFlow::Continue(())).unwrap_err();
        (error, trainer.checkpoint().optimiser.steps)
    };
    let (one, steps) = failed(Parallel::alone());
    assert!(one.to_string().starts_with("epoch 1, batch 1, training sample "), "{one}");
    assert_eq!(steps, 0);
    for (rank, (error, steps)) in on_ranks(3, usize::MAX, failed).into_iter().enumerate() {
        assert_eq!(error.to_string(), one.to_string(), "rank {rank}");
        assert_eq!(steps, 0, "rank {rank}");
    }
}

/// One rank whose connection breaks after some calls.
struct Fragile(usize);

impl Collective for Fragile {
    fn rank(&self) -> usize {
        0
    }

    fn ranks(&self) -> usize {
        1
    }

    fn all_gather(&mut self, own: &[u8], _: &[usize], all: &mut [u8]) -> io::Result<()> {
        self.0 = self.0.checked_sub(1).ok_or(io::Error::other("the other machine is gone"))?;
        all.copy_from_slice(own);
        Ok(())
    }

    fn all_to_all(
        &mut self,
        own: &[u8],
        _: &[usize],
        given: &mut [u8],
        _: &[usize],
    ) -> io::Result<()> {
        given.copy_from_slice(own);
        Ok(())
    }

    fn sum(&mut self, _: &mut [u64]) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_lost_connection_ends_the_training() {
    let parallel = Parallel::new(Box::new(Fragile(5)));
    let mut trainer = Trainer::new_in(config(Some(4)), data(), parallel).unwrap();
    let error = trainer.run_epoch(|_| ControlFlow::Continue(())).unwrap_err().to_string();
    let expected = "epoch 1, batch 6: no connection to the other ranks: the other machine is gone";
    assert_eq!(error, expected);
}

#[test]
fn more_ranks_than_shards_or_samples_are_refused() {
    let refused = |config: &Config| {
        let outcomes = on_ranks(4, usize::MAX, |parallel| {
            Trainer::new_in(config.clone(), data(), parallel).err().map(|error| error.to_string())
        });
        outcomes.into_iter().all(|error| {
            error.is_some_and(|error| error.starts_with("training.shards: 4 ranks share batches"))
        })
    };
    assert!(refused(&config(None)));
    assert!(refused(&config(Some(3))));
    let mut small = config(Some(8));
    small.training.batch_size = 3;
    assert!(refused(&small));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn evaluations_and_batches_of_any_size_agree(
        ranks in 2_usize..5, shards in 4_usize..12, batch_size in 4_usize..40, limit in 0_usize..2,
    ) {
        let mut config = config(Some(shards));
        (config.training.batch_size, config.training.epochs) = (batch_size, 1);
        let first = |checkpoint: &Checkpoint| -> EpochRecord { checkpoint.progress.history[0].clone() };
        let one = finish(Trainer::new(config.clone(), data()).unwrap());
        for other in trained(&config, ranks, if limit == 0 { 0 } else { usize::MAX }) {
            prop_assert_eq!(first(&other), first(&one));
            prop_assert!(other == one);
        }
    }
}
