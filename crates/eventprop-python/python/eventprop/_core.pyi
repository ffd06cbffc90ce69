"""What the compiled half of the package holds: types, shapes and units. Times are in ms."""

from collections.abc import Callable, Mapping, Sequence
from os import PathLike
from typing import Any, TypedDict, final

import numpy as np
from numpy.typing import ArrayLike, NDArray

__version__: str

_Path = str | PathLike[str]
_Floats = NDArray[np.float32] | NDArray[np.float64]
_Images = tuple[NDArray[np.uint8], NDArray[np.uint32]]

class Score(TypedDict):
    loss: float
    accuracy: float

class LayerActivity(TypedDict):
    layer: str
    spikes_per_sample: float
    silent: int

class EpochRecord(TypedDict, total=False):
    epoch: int
    lr: float
    train_loss: float
    train_accuracy: float
    validation: Score
    test: Score
    layers: list[LayerActivity]
    grazing: int
    clipped: int
    lifted: int
    bumps: int
    bump_gave_up: int
    samples: int
    seconds: float

class Evaluation(TypedDict):
    samples: int
    score: Score
    layers: list[LayerActivity]
    confusion: list[list[int]]

class NeuronTrace(TypedDict):
    time: NDArray[np.float64]
    v: NDArray[np.float64]
    i: NDArray[np.float64]
    adjoint_time: NDArray[np.float64]
    lambda_v: NDArray[np.float64]
    lambda_i: NDArray[np.float64]
    spikes: NDArray[np.float64]

class Error(Exception): ...

@final
class Spikes:
    times: _Floats
    """``[spikes]``, in ms."""
    indices: NDArray[np.uint32]
    """``[spikes]``: the neuron that sends each spike."""
    offsets: NDArray[np.uint64]
    """``[samples + 1]``: where each sample begins."""
    def __new__(
        cls, times: ArrayLike, indices: ArrayLike, offsets: ArrayLike | None = None
    ) -> Spikes: ...
    def __len__(self) -> int: ...
    def __getitem__(self, sample: int) -> tuple[_Floats, NDArray[np.uint32]]: ...

@final
class Network:
    duration: float
    """In ms."""
    layers: list[tuple[str, int]]
    def __new__(
        cls,
        duration: float,
        layers: Sequence[Mapping[str, Any]],
        connections: Sequence[Mapping[str, Any]],
    ) -> Network: ...
    def initial_parameters(
        self, seed: int = 0, precision: str = "f32"
    ) -> dict[str, _Floats]: ...
    def to_dict(self) -> dict[str, Any]: ...

@final
class Config:
    name: str
    network: Network
    def __new__(cls, **fields: Any) -> Config: ...
    @staticmethod
    def presets() -> list[str]: ...
    @classmethod
    def preset(cls, name: str) -> Config: ...
    @classmethod
    def load(cls, path: _Path) -> Config: ...
    @classmethod
    def parse(cls, text: str, origin: str = "configuration") -> Config: ...
    def override(
        self,
        *,
        epochs: int = ...,
        lr: float = ...,
        batch_size: int = ...,
        seed: int = ...,
        backend: str = ...,
        threads: int = ...,
        data_folder: str = ...,
        xi: float = ...,
        alpha: float = ...,
        beta: float = ...,
        duration: float = ...,
        dt: float = ...,
        tau_mem: float = ...,
        tau_syn: float = ...,
        t_min: float = ...,
        t_max: float = ...,
    ) -> Config: ...
    def to_toml(self) -> str: ...
    def to_dict(self) -> dict[str, Any]: ...

@final
class Run:
    outputs: _Floats
    """``[samples, outputs]``."""
    predictions: NDArray[np.int64]
    """``[samples]``, -1 for none."""
    spikes: dict[str, Spikes]
    """By the names of the lif layers."""

@final
class Gradient:
    loss: float
    losses: _Floats
    """``[samples]``."""
    accuracy: float
    grazing: int
    parameters: dict[str, _Floats]
    """By name, of the parameters' shapes."""
    times: _Floats
    """``[spikes]``, in 1/ms."""

@final
class Engine:
    def __new__(
        cls,
        network: Network,
        loss: str | Mapping[str, Any] | None = None,
        *,
        readout: str | None = None,
        parameters: dict[str, ArrayLike] | None = None,
        seed: int = 0,
        backend: str = "cpu",
        precision: str = "f32",
        threads: int = 0,
        slope_floor: float = 0.0,
        constant_gradients: bool = False,
    ) -> Engine: ...
    def run(self, spikes: Spikes, record: bool = True) -> Run: ...
    def grad(self, spikes: Spikes, labels: ArrayLike) -> Gradient: ...
    def pull_back(self, spikes: Spikes, by_outputs: ArrayLike) -> Gradient: ...
    def load(self, parameters: dict[str, ArrayLike]) -> None: ...
    def parameters(self) -> dict[str, _Floats]: ...
    def trace(
        self,
        spikes: Spikes,
        label: int,
        neurons: Sequence[tuple[str, int]],
        step: float | None = None,
    ) -> list[NeuronTrace]: ...

@final
class Samples:
    inputs: int
    classes: int
    shape: tuple[int, int, int]
    def __new__(
        cls,
        spikes: Spikes,
        labels: ArrayLike,
        classes: int | None = None,
        inputs: int | None = None,
        shape: tuple[int, int, int] | None = None,
    ) -> Samples: ...
    def __len__(self) -> int: ...
    def batch(
        self, start: int = 0, stop: int | None = None
    ) -> tuple[Spikes, NDArray[np.uint32]]: ...

@final
class Data:
    train: Samples
    test: Samples
    validation: Samples | None
    def __new__(
        cls, train: Samples, test: Samples, validation: Samples | None = None
    ) -> Data: ...
    @staticmethod
    def load(config: Config) -> Data: ...

@final
class Batch:
    epoch: int
    batch: int
    batches: int
    lr: float
    loss: float
    accuracy: float
    samples: int
    seconds: float

@final
class Checkpoint:
    config: Config
    epoch: int
    history: list[EpochRecord]
    @classmethod
    def load(cls, path: _Path) -> Checkpoint: ...
    def save(self, path: _Path) -> None: ...
    def to_bytes(self) -> bytes: ...
    def parameters(self) -> dict[str, NDArray[np.float32]]: ...
    def engine(self, *, backend: str | None = None, threads: int = 0) -> Engine: ...

@final
class Trainer:
    config: Config
    history: list[EpochRecord]
    epoch: int
    finished: bool
    def __new__(cls, config: Config, data: Data | None = None) -> Trainer: ...
    @classmethod
    def resume(cls, checkpoint: Checkpoint, data: Data | None = None) -> Trainer: ...
    def train(
        self,
        on_batch: Callable[[Batch], Any] | None = None,
        on_epoch: Callable[[EpochRecord], Any] | None = None,
    ) -> bool: ...
    def run_epoch(self, on_batch: Callable[[Batch], Any] | None = None) -> EpochRecord | None: ...
    def checkpoint(self) -> Checkpoint: ...
    def save(self, path: _Path) -> None: ...
    def parameters(self) -> dict[str, NDArray[np.float32]]: ...

@final
class RunFolder:
    path: str
    def __new__(cls, parent: _Path, config: Config) -> RunFolder: ...
    @classmethod
    def open(cls, path: _Path) -> RunFolder: ...
    def save(self, trainer: Trainer) -> None: ...

def evaluate(
    checkpoint: Checkpoint,
    samples: Samples | None = None,
    *,
    backend: str | None = None,
    threads: int = 0,
) -> Evaluation: ...
def latency(
    images: NDArray[np.uint8], t_min: float = 0.0, t_max: float = 20.0, cut: int = 1
) -> Spikes: ...
def two_time(images: NDArray[np.uint8], t_min: float, t_max: float) -> Spikes: ...
def points(
    points: ArrayLike, t_min: float = 0.0, t_max: float = 30.0, bias: float | None = None
) -> Spikes: ...
def yin_yang(size: int, seed: int) -> tuple[NDArray[np.float64], NDArray[np.uint32]]: ...
def mnist() -> tuple[_Images, _Images]: ...
def idx_images(folder: _Path, name: str | None = None) -> tuple[_Images, _Images]: ...
def solve_problem(
    problem: str | bytes, backend: str, precision: str, method: str
) -> dict[str, Any]: ...
