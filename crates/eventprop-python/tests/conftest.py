"""What several tests need: the command, small networks, the worked problems."""

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

import eventprop as ep

CRATES = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def command():
    """Runs the command `eventprop`."""
    program = os.environ.get("EVENTPROP")
    if program is None:
        pytest.skip("there is no command to compare with: cargo xtask wheel builds it (EVENTPROP)")

    def run(*arguments, **options):
        return subprocess.run(
            [program, *map(str, arguments)], capture_output=True, text=True, **options
        )

    return run


def worked_problems():
    """Networks of every kind with spikes and gradients from converged finite differences."""
    paths = sorted((CRATES / "eventprop/tests/problems").glob("*.json"))
    assert len(paths) == 6
    return [pytest.param(json.loads(path.read_text()), id=path.stem) for path in paths]


def small_network(output="li", delays=None):
    """5-6-3, with spikes in the hidden layer."""
    make = {"li": ep.li, "lif": ep.lif}[output]
    return ep.Network(
        duration=40.0,
        layers=[
            ep.input("in", 5),
            ep.lif("hidden", 6, tau_mem=20.0, tau_syn=5.0),
            make("out", 3, tau_mem=15.0, tau_syn=5.0),
        ],
        connections=[
            ep.dense("in", "hidden", weights=ep.normal(2.0, 1.0), delays=delays),
            ep.dense("hidden", "out", weights=ep.normal(1.2, 0.6)),
        ],
    )


def small_spikes(samples=4, dtype=np.float64, seed=3):
    """Trains of 5 inputs within 20 ms, no two spikes at one time."""
    random = np.random.default_rng(seed)
    counts = random.integers(4, 9, samples)
    times = [np.sort(random.uniform(0.0, 20.0, count)) for count in counts]
    offsets = np.concatenate([[0], np.cumsum(counts)])
    indices = random.integers(0, 5, counts.sum())
    return ep.Spikes(np.concatenate(times).astype(dtype), indices, offsets)


def toy_data(count=400, seed=1):
    """Two classes: which half of 8 inputs spikes first."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, 2, count)
    times = np.where((np.arange(8) < 4) == (labels[:, None] == 0), 2.0, 15.0)
    times = (times + random.uniform(0.0, 4.0, times.shape)).astype(np.float32)
    order = np.argsort(times, axis=1)
    spikes = ep.Spikes(
        np.take_along_axis(times, order, 1).ravel(), order.ravel(), np.arange(count + 1) * 8
    )
    return spikes, labels


def toy_config(**training):
    """A network for `toy_data`."""
    return ep.Config(
        name="toy",
        network=ep.Network(
            duration=60.0,
            layers=[
                ep.input("in", 8),
                ep.lif("hidden", 20, tau_mem=20.0, tau_syn=5.0),
                ep.li("out", 2, tau_mem=20.0, tau_syn=5.0),
            ],
            connections=[
                ep.dense("in", "hidden", weights=ep.normal(1.5, 1.0)),
                ep.dense("hidden", "out", weights=ep.normal(0.1, 0.3)),
            ],
        ),
        loss={"kind": "vmax_cross_entropy"},
        training={
            "epochs": 3,
            "batch_size": 20,
            "lr": 0.01,
            "optimiser": {"kind": "adam"},
            **training,
        },
    )
