"""Training: accuracy, callbacks, checkpoints, and the same bits as the command."""

import json
import struct

import numpy as np
import pytest

import eventprop as ep
from conftest import toy_config, toy_data


@pytest.fixture(scope="module")
def data():
    spikes, labels = toy_data()
    return ep.Data(ep.Samples(spikes, labels), ep.Samples(*toy_data(100, seed=2)))


def tensors(path):
    """Everything in a checkpoint but its description: names, places and bits."""
    content = path.read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8 : 8 + length])
    header.pop("__metadata__")
    return header, content[8 + length :]


def test_a_short_run_on_mnist():
    """A sixth of MNIST, two epochs, 784-100-10: 90 % of the test set."""
    (images, labels), (test_images, test_labels) = ep.mnist()
    shape = (1, 28, 28)
    data = ep.Data(
        ep.Samples(ep.latency(images[:10_000]), labels[:10_000], inputs=784, shape=shape),
        ep.Samples(ep.latency(test_images), test_labels, inputs=784, shape=shape),
    )
    fields = ep.Config.preset("mnist").override(epochs=2).to_dict()
    fields["network"]["layers"][1]["size"] = 100
    fields["data"]["dropout"] = 0.0
    trainer = ep.Trainer(ep.Config(**fields), data)
    assert trainer.train()
    accuracy = trainer.history[-1]["test"]["accuracy"]
    print(f"test accuracy {100 * accuracy:.2f} %")
    assert accuracy > 0.88
    # The checkpoint's engine predicts what was measured.
    spikes, truth = data.test.batch()
    run = trainer.checkpoint().engine().run(spikes, record=False)
    assert (run.predictions == truth).mean() == pytest.approx(accuracy)
    measured = ep.evaluate(trainer.checkpoint(), data.test)
    assert measured["score"]["accuracy"] == pytest.approx(accuracy)
    assert np.sum(measured["confusion"]) == 10_000


def idx(folder, prefix, images, labels):
    """Writes the two files of a half of an IDX set."""
    header = struct.pack(">IIII", 0x803, *images.shape)
    (folder / f"{prefix}-images-idx3-ubyte").write_bytes(header + images.tobytes())
    header = struct.pack(">II", 0x801, len(labels))
    (folder / f"{prefix}-labels-idx1-ubyte").write_bytes(header + labels.astype(np.uint8).tobytes())


@pytest.mark.parametrize("preset", ["mnist", "yin-yang-delays", "seed"])
def test_the_same_bits_as_the_command(preset, command, tmp_path):
    """Configuration and seed decide every bit of weights, delays and optimiser."""
    config = ep.Config.preset(preset).override(epochs=1, seed=5)
    fields = config.to_dict()
    if preset == "yin-yang-delays":
        fields["data"]["draws"] = {"train": {"size": 500, "seed": 1}}
    else:
        (images, labels), (test_images, test_labels) = ep.mnist()
        idx(tmp_path, "train", images[:1000], labels[:1000])
        idx(tmp_path, "t10k", test_images[:300], test_labels[:300])
        fields["data"]["folder"] = str(tmp_path)
    config = ep.Config(**fields)
    (tmp_path / "own.toml").write_text(config.to_toml())
    done = command("train", tmp_path / "own.toml", "--run-dir", tmp_path / "runs", "--json")
    assert done.returncode == 0, done.stderr
    theirs = tmp_path / "runs/latest"
    trainer = ep.train(config, run_dir=tmp_path / "ours")
    ours = tmp_path / "ours/latest"
    assert tensors(ours / "checkpoint.safetensors") == tensors(theirs / "checkpoint.safetensors")
    assert (ours / "config.toml").read_text() == (theirs / "config.toml").read_text()
    record = json.loads((theirs / "metrics.jsonl").read_text())
    own = trainer.history[0]
    assert {**own, "seconds": 0} == {**record, "seconds": 0}
    # Each reads what the other left.
    assert ep.load(theirs).parameters().keys() == trainer.parameters().keys()
    for name, values in ep.load(theirs).parameters().items():
        assert np.array_equal(values, trainer.parameters()[name]), name
    measured = command("eval", ours, "--json")
    assert measured.returncode == 0, measured.stderr
    assert json.loads(measured.stdout) == ep.evaluate(ep.load(ours))


def test_gradients_are_the_commands(command, tmp_path):
    from conftest import worked_problems

    problem = worked_problems()[3].values[0]["problem"]
    (tmp_path / "problem.json").write_text(json.dumps(problem))
    for backend in ("reference", "cpu"):
        done = command("grad", tmp_path / "problem.json", "--backend", backend)
        theirs, ours = json.loads(done.stdout), ep.grad(problem, backend=backend)
        assert theirs["loss"] == ours["loss"]
        for own, connection in zip(ours["gradients"]["connections"], theirs["gradients"]["connections"]):
            assert np.array_equal(own["weights"], connection["weights"])


def test_callbacks_hear_of_everything(data):
    batches, epochs = [], []
    trainer = ep.Trainer(toy_config(), data)
    assert trainer.train(batches.append, epochs.append)
    assert [(b.epoch, b.batch) for b in batches] == [(e, b) for e in range(3) for b in range(20)]
    assert all(b.batches == 20 and b.lr == 0.01 for b in batches)
    assert batches[19].samples == 400 and batches[20].samples == 20
    assert [record["epoch"] for record in epochs] == [1, 2, 3]
    assert epochs == trainer.history and trainer.finished and trainer.epoch == 3
    assert batches[59].loss == pytest.approx(epochs[2]["train_loss"])
    assert epochs[2]["test"]["accuracy"] > 0.9
    assert trainer.train()
    assert trainer.run_epoch() is None


def test_a_callback_stops_and_nothing_is_lost(data, tmp_path):
    whole = ep.Trainer(toy_config(), data)
    whole.train()
    trainer = ep.Trainer(toy_config(), data)
    assert not trainer.train(on_batch=lambda batch: (batch.epoch, batch.batch) != (1, 6))
    assert repr(trainer) == 'Trainer("toy", 1 of 3 epochs and 7 batches)'
    trainer.save(tmp_path / "half.safetensors")
    checkpoint = ep.load(tmp_path / "half.safetensors")
    assert checkpoint.epoch == 1 and checkpoint.config == toy_config()
    resumed = ep.Trainer.resume(checkpoint, data)
    assert not resumed.train(on_epoch=lambda record: record["epoch"] < 2)
    assert resumed.epoch == 2
    assert resumed.train() and trainer.train()
    for name, values in whole.parameters().items():
        assert np.array_equal(values, resumed.parameters()[name]), name
        assert np.array_equal(values, trainer.parameters()[name]), name
    # Other values stop nothing.
    assert ep.Trainer(toy_config(epochs=1), data).train(on_batch=lambda batch: 0)


def test_an_exception_of_a_callback_comes_out(data):
    trainer = ep.Trainer(toy_config(), data)

    def fail(batch):
        if batch.batch == 4:
            raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match="mine"):
        trainer.train(fail)
    assert "0 of 3 epochs and 5 batches" in repr(trainer)

    def ask(batch):
        trainer.checkpoint()

    with pytest.raises(ep.Error, match="the trainer is at work"):
        trainer.train(ask)
    kept = []
    trainer.train(on_epoch=lambda record: kept.append(trainer.checkpoint().epoch))
    assert kept == [1, 2, 3]


def test_checkpoints_are_the_same_bytes(data, tmp_path):
    trainer = ep.Trainer(toy_config(epochs=1), data)
    trainer.train()
    trainer.save(tmp_path / "one.safetensors")
    loaded = ep.Checkpoint.load(tmp_path / "one.safetensors")
    loaded.save(tmp_path / "two.safetensors")
    content = (tmp_path / "one.safetensors").read_bytes()
    assert content == (tmp_path / "two.safetensors").read_bytes() == loaded.to_bytes()
    assert loaded.history == trainer.history
    engine = loaded.engine()
    for name, values in trainer.parameters().items():
        assert np.array_equal(values, engine.parameters()[name])


def test_a_run_folder_is_the_commands(data, tmp_path):
    heard = []
    ep.train(toy_config(), data, run_dir=tmp_path, on_epoch=heard.append)
    names = {path.name for path in (tmp_path / "latest").iterdir()}
    assert {"config.toml", "metrics.jsonl", "metrics.csv", "log.txt", "checkpoint.safetensors"} <= names
    assert {"curves.svg", "confusion.svg"} <= names
    lines = (tmp_path / "latest/metrics.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == heard
    folder = ep.RunFolder.open(tmp_path / "latest")
    assert ep.load(folder.path).epoch == 3
    with pytest.raises(ep.Error, match="is in use"):
        ep.RunFolder.open(tmp_path / "latest")
