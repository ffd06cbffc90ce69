"""Ctrl-C, in a process of its own."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

import eventprop as ep
from conftest import toy_config, toy_data

#: Says where it is, waits for nothing, and trains for far longer than the test does.
PROGRAM = """
import signal
import sys
# A shell's background job ignores it, and so would its children.
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.path.insert(0, sys.argv[1])
import eventprop as ep
from conftest import toy_config, toy_data

data = ep.Data(ep.Samples(*toy_data()), ep.Samples(*toy_data(100, seed=2)))
trainer = ep.Trainer(toy_config(epochs=100_000), data)
try:
    if sys.argv[3] == "quiet":
        print("training", flush=True)
        trainer.train()
    else:
        trainer.train(on_batch=lambda batch: print("training", flush=True) if batch.batch == 3 else None)
except KeyboardInterrupt:
    trainer.save(sys.argv[2])
    print("stopped", trainer, flush=True)
"""


def interrupt(path, how):
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(Path(__file__).parent), str(path), how],
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )
    assert process.stdout.readline() == "training\n"
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    sent = time.monotonic()
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    return output, time.monotonic() - sent


def test_ctrl_c_stops_at_the_next_batch(tmp_path):
    for how in ("quiet", "with a callback"):
        output, seconds = interrupt(tmp_path / "stopped.safetensors", how)
        assert "stopped Trainer" in output
        # A batch takes milliseconds; what is left is the end of the interpreter on a busy machine.
        assert seconds < 10.0
        # It stopped between two batches: what it left is what as many batches come to.
        stopped = ep.load(tmp_path / "stopped.safetensors")
        data = ep.Data(ep.Samples(*toy_data()), ep.Samples(*toy_data(100, seed=2)))
        trainer = ep.Trainer(toy_config(epochs=100_000), data)
        place = output.split("stopped ")[1].strip()
        trainer.train(lambda batch: not is_after(batch, place), lambda record: not is_between(record, place))
        assert repr(trainer) == place
        for name, values in trainer.parameters().items():
            assert np.array_equal(values, stopped.parameters()[name]), name


def is_after(batch, place):
    """Whether `place`, a trainer's repr, is right after `batch`."""
    return f" {batch.epoch} of 100000 epochs and {batch.batch + 1} batches" in place


def is_between(record, place):
    """Whether it is between the epoch of `record` and the next."""
    return f" {record['epoch']} of 100000 epochs and 0 batches" in place
