"""Spiking neural networks trained with exact EventProp gradients (Wunderlich & Pehle 2021).

Event times are exact, gradients are exact, times are in ms. The same configuration and seed give the
same weights to the bit, here and by the command ``eventprop``, on any number of threads.

>>> import eventprop as ep
>>> trainer = ep.train(ep.Config.preset("mnist").override(epochs=1))        # doctest: +SKIP
>>> trainer.save("mnist.safetensors")                                       # doctest: +SKIP

A network is described by a `Config` (a TOML file, or built here) or a `Network`; an `Engine` runs and
differentiates it (`Engine.run`, `Engine.grad`); a `Trainer` trains it; a `Checkpoint` keeps it. Spike
trains are `Spikes`: three flat numpy arrays. `eventprop.torch` makes a network a module of PyTorch.
"""

from . import _machine

_machine.check()

from ._core import (  # noqa: E402
    Batch,
    Checkpoint,
    Config,
    Data,
    Engine,
    Error,
    Gradient,
    Network,
    Run,
    RunFolder,
    Samples,
    Spikes,
    Trainer,
    __version__,
    evaluate,
    idx_images,
    latency,
    mnist,
    points,
    two_time,
    yin_yang,
)
from .network import constant, conv2d, dense, input, li, lif, normal, sum_pool2d, uniform  # noqa: E402
from .problem import grad  # noqa: E402
from .train import train  # noqa: E402

load = Checkpoint.load

__all__ = [
    "Batch",
    "Checkpoint",
    "Config",
    "Data",
    "Engine",
    "Error",
    "Gradient",
    "Network",
    "Run",
    "RunFolder",
    "Samples",
    "Spikes",
    "Trainer",
    "__version__",
    "constant",
    "conv2d",
    "dense",
    "evaluate",
    "grad",
    "idx_images",
    "input",
    "latency",
    "li",
    "lif",
    "load",
    "mnist",
    "normal",
    "points",
    "sum_pool2d",
    "train",
    "two_time",
    "uniform",
    "yin_yang",
]
