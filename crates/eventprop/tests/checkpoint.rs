//! A checkpoint comes back as it was, or is refused with a reason: never in between, never a panic.

use eventprop::lif_core::engine::OptimiserState;
use eventprop::lif_core::network::{ConnectionSpec, LayerSpec};
use eventprop::lif_core::{Network, Parameters};
use eventprop::metrics::Score;
use eventprop::{Checkpoint, CheckpointError, Config, EpochRecord, Progress, RunFolder};
use proptest::prelude::*;
use proptest::sample::Index;
use std::sync::LazyLock;

/// A checkpoint with a value in every place, of a network small enough to be altered everywhere.
fn checkpoint() -> Checkpoint {
    let layers = vec![
        LayerSpec::input("in", 3),
        LayerSpec::lif("hidden", 4, 20.0, 5.0),
        LayerSpec::li("out", 2, 20.0, 5.0),
    ];
    let mut delayed = ConnectionSpec::dense("in", "hidden");
    delayed.delays = true;
    let connections = vec![delayed, ConnectionSpec::dense("hidden", "out")];
    let network = Network::new(30.0, layers, connections).unwrap();
    let filled = |seed: f32| {
        let (mut parameters, mut next) = (Parameters::zeros(&network), seed);
        parameters.for_each_mut(|_, values| {
            for value in values {
                next = (next * 1.37).fract() + 0.01;
                *value = next;
            }
        });
        parameters
    };
    let record = EpochRecord {
        epoch: 1,
        lr: 0.1 + 0.2,
        train_loss: 1.0 / 3.0,
        train_accuracy: 0.5,
        validation: Some(Score { loss: 0.1, accuracy: 0.7 }),
        test: Score { loss: 0.2, accuracy: 0.8 },
        layers: Vec::new(),
        grazing: 1,
        clipped: 2,
        lifted: 3,
        bumps: 4,
        bump_gave_up: 5,
        samples: 6,
        seconds: 7.8,
    };
    let mut progress =
        Progress { epoch: 1, batch: 17, history: vec![record], ..Progress::default() };
    progress.sums.loss = 0.1 + 0.7;
    progress.sums.activity = vec![vec![], vec![1, 2, 3, u64::MAX], vec![]];
    Checkpoint {
        config: Config::preset("mnist").unwrap(),
        parameters: filled(0.3),
        optimiser: OptimiserState { steps: 12_345, first: filled(0.4), second: filled(0.5) },
        network,
        progress,
    }
}

static CHECKPOINT: LazyLock<Checkpoint> = LazyLock::new(checkpoint);
static BYTES: LazyLock<Vec<u8>> = LazyLock::new(|| CHECKPOINT.to_bytes());

#[test]
fn comes_back_to_the_bit() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.safetensors");
    CHECKPOINT.save(&path).unwrap();
    assert_eq!(Checkpoint::load(&path).unwrap(), *CHECKPOINT);
    assert_eq!(std::fs::read(&path).unwrap(), *BYTES, "the same checkpoint is the same bytes");
    // Written over the old one; nothing else is left behind.
    CHECKPOINT.save(&path).unwrap();
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn a_checkpoint_that_cannot_be_written_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("missing").join("run.safetensors");
    let message = CHECKPOINT.save(&path).unwrap_err().to_string();
    assert!(
        message.contains("cannot write checkpoint") && message.contains("missing"),
        "{message}"
    );
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn what_nobody_could_read_is_not_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.safetensors");
    CHECKPOINT.save(&path).unwrap();
    let mut broken = checkpoint();
    broken.optimiser.second.connections[1].weights[0] = f32::INFINITY;
    let message = broken.save(&path).unwrap_err().to_string();
    assert!(message.contains("second.connections.1.weights holds a value"), "{message}");
    assert_eq!(std::fs::read(&path).unwrap(), *BYTES, "the good one is still there");
    // Losses may be anything.
    let mut infinite = checkpoint();
    infinite.progress.history[0].test.loss = f64::INFINITY;
    let read = Checkpoint::from_bytes(&infinite.to_bytes()).unwrap();
    assert!(read.progress.history[0].test.loss.is_nan());
}

#[test]
fn every_truncation_is_refused() {
    for length in 0..BYTES.len() {
        let error = Checkpoint::from_bytes(&BYTES[..length]).unwrap_err();
        assert!(matches!(error, CheckpointError::Broken(_)), "{length}: {error}");
    }
    let mut longer = BYTES.clone();
    longer.push(0);
    assert!(Checkpoint::from_bytes(&longer).is_err());
}

#[test]
fn every_altered_byte_of_the_tensors_is_refused() {
    let header = u64::from_le_bytes(BYTES[..8].try_into().unwrap()) as usize + 8;
    for place in header..BYTES.len() {
        let mut bytes = BYTES.clone();
        bytes[place] ^= 1;
        let error = Checkpoint::from_bytes(&bytes).unwrap_err().to_string();
        assert!(error.contains("altered"), "{place}: {error}");
    }
}

#[test]
fn other_versions_files_and_networks_are_refused_by_name() {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let from = r#"{\"version\":1,"#;
    assert!(text(&BYTES).contains(from));
    let place = BYTES.windows(from.len()).position(|window| window == from.as_bytes()).unwrap();
    let mut newer = BYTES.clone();
    newer[place + from.len() - 2] = b'7';
    let message = Checkpoint::from_bytes(&newer).unwrap_err().to_string();
    assert!(message.contains("format version 7"), "{message}");

    let other = Config::preset("mnist").unwrap().network.build().unwrap();
    let message = CHECKPOINT.check_network(&other).unwrap_err().to_string();
    assert_eq!(message, "the checkpoint is of another network: 3-4-2 in place of 784-350-10");

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("text");
    std::fs::write(&path, "no tensors here, but more than eight bytes").unwrap();
    let message = Checkpoint::load(&path).unwrap_err().to_string();
    assert!(message.contains("text") && !message.contains('\n'), "{message}");
}

#[test]
fn a_small_file_cannot_ask_for_much_memory() {
    // 2^48 weights, described truthfully, checksum and all; but the tensors are not there.
    let layers = vec![LayerSpec::input("in", 1 << 24), LayerSpec::lif("out", 1 << 24, 20.0, 5.0)];
    let network = Network::new(30.0, layers, vec![ConnectionSpec::dense("in", "out")]).unwrap();
    let empty = Parameters { layers: Vec::new(), connections: Vec::new() };
    let optimiser = OptimiserState { steps: 0, first: empty.clone(), second: empty.clone() };
    let bytes = Checkpoint { network, parameters: empty, optimiser, ..checkpoint() }.to_bytes();
    assert!(bytes.len() < 10_000);
    let message = Checkpoint::from_bytes(&bytes).unwrap_err().to_string();
    assert!(message.contains("parameters.connections.0.weights is missing"), "{message}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn arbitrary_bytes_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(Checkpoint::from_bytes(&bytes).is_err());
    }

    #[test]
    fn arbitrary_headers_are_refused(text in "\\PC{0,100}", length in any::<u64>()) {
        let text = format!(r#"{{"__metadata__":{{"eventprop":"{text}"}}}}"#);
        for length in [length, text.len() as u64] {
            let bytes: Vec<_> = length.to_le_bytes().into_iter().chain(text.bytes()).collect();
            prop_assert!(Checkpoint::from_bytes(&bytes).is_err());
        }
    }

    #[test]
    fn an_altered_byte_changes_nothing_or_is_refused(place in any::<Index>(), byte in any::<u8>()) {
        let mut bytes = BYTES.clone();
        let place = place.index(bytes.len());
        bytes[place] = byte;
        // A byte that means nothing, such as a blank for a blank, may change.
        if let Ok(read) = Checkpoint::from_bytes(&bytes) {
            prop_assert_eq!(read, CHECKPOINT.clone());
        }
    }

    #[test]
    fn bytes_cut_out_or_put_in_are_refused(
        start in any::<Index>(),
        length in 1_usize..40,
        with in prop::collection::vec(any::<u8>(), 0..10),
    ) {
        let mut bytes = BYTES.clone();
        let start = start.index(bytes.len());
        let end = bytes.len().min(start + length);
        bytes.splice(start..end, with);
        if let Ok(read) = Checkpoint::from_bytes(&bytes) {
            prop_assert_eq!(read, CHECKPOINT.clone());
        }
    }
}

#[test]
fn an_event_file_grows_with_the_history_and_follows_another() {
    let parent = tempfile::tempdir().unwrap();
    let run = RunFolder::create(parent.path(), &CHECKPOINT.config).unwrap();
    let events = run.path().join("events.out.tfevents.eventprop");
    let mut checkpoint = checkpoint();
    let mut saved = |change: &dyn Fn(&mut Progress)| {
        change(&mut checkpoint.progress);
        run.save(&checkpoint).unwrap();
        std::fs::read(&events)
    };
    assert!(saved(&|_| {}).is_err(), "nobody asked for one");
    run.write_tensorboard().unwrap();
    let one = saved(&|_| {}).unwrap();
    let two = saved(&|progress| {
        let again = EpochRecord { epoch: 2, ..progress.history[0].clone() };
        progress.history.push(again);
    });
    let two = two.unwrap();
    assert!(two.len() > one.len() && two.starts_with(&one));
    let other = saved(&|progress| progress.history[0].test.accuracy = 0.9).unwrap();
    assert!(other.len() == two.len() && !other.starts_with(&one));
}

/// A file of the program before curves, traces and `--resume` of whole runs: three epochs of Yin-Yang
/// on 5-8-3. What is added to the format since must have a default.
#[cfg(feature = "cpu")]
#[test]
fn a_file_of_format_1_is_read_and_measures_what_it_did() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/checkpoint-1.safetensors");
    let old = Checkpoint::load(path.as_ref()).unwrap();
    assert_eq!((old.config.name.as_str(), old.optimiser.steps), ("format-1", 471));
    assert_eq!((old.progress.epoch, old.progress.history.len()), (3, 3));
    let test = eventprop::Samples::load_test(&old.config.data).unwrap();
    let mut engine = eventprop::engine_for(&old.network, &old.config).unwrap();
    engine.load(&old.parameters).unwrap();
    let measured = eventprop::evaluate(engine.as_mut(), &old.config.loss, &test).unwrap();
    assert_eq!(measured.score.accuracy, 0.515);
    assert_eq!(old.progress.history[2].test.accuracy, 0.515);
    // Written anew it is the same, whatever the format has become.
    assert_eq!(Checkpoint::from_bytes(&old.to_bytes()).unwrap(), old);
}
