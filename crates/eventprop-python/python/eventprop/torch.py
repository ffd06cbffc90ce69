"""A spiking network as a module of PyTorch: exact gradients to its parameters and to its input.

>>> import eventprop as ep, torch
>>> from eventprop.torch import Spiking
>>> network = ep.Network(
...     duration=30.0,
...     layers=[ep.input("in", 4), ep.lif("out", 2, tau_mem=20.0, tau_syn=5.0)],
...     connections=[ep.dense("in", "out", weights=ep.normal(2.0, 0.5))],
... )
>>> layer = Spiking(network, readout="first_spike")
>>> times = torch.rand(8, 4, requires_grad=True)
>>> layer(10.0 * times).sum().backward()
>>> times.grad.shape, layer.connections_0_weights.grad.shape
(torch.Size([8, 4]), torch.Size([4, 2]))

The engine computes on the processor, in the precision of the parameters; on another device tensors are
copied there and back. `torch` is imported here and nowhere else in the package.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from torch.autograd.function import once_differentiable

from ._core import Engine, Network, Run, Spikes

__all__ = ["Spiking", "SpikingFunction", "flatten"]

_KINDS = (
    "weights",
    "delays",
    "tau_mem",
    "tau_syn",
    "threshold",
    "bias",
    "adaptation_beta",
    "adaptation_tau",
)
_PRECISIONS = {torch.float32: "f32", torch.float64: "f64"}


class SpikingFunction(torch.autograd.Function):
    """From input spike times and parameters to what the output layer measures.

    ``SpikingFunction.apply(engine, names, times, indices, offsets, *parameters)``: an `Engine` with a
    readout; the parameters' names; times in ms ``[spikes]``; numpy arrays ``indices`` ``[spikes]`` and
    ``offsets`` ``[samples + 1]``; one tensor a name. Returns ``[samples, outputs]``. The backward pass
    runs the network forward once more and its adjoint back. It cannot be differentiated again.
    """

    @staticmethod
    def forward(
        ctx: Any,
        engine: Engine,
        names: tuple[str, ...],
        times: torch.Tensor,
        indices: np.ndarray,
        offsets: np.ndarray,
        *parameters: torch.Tensor,
    ) -> torch.Tensor:
        ctx.engine, ctx.names, ctx.indices, ctx.offsets = engine, names, indices, offsets
        ctx.save_for_backward(times, *parameters)
        engine.load(dict(zip(names, map(_array, parameters))))
        run = engine.run(Spikes(_array(times), indices, offsets), record=False)
        return torch.from_numpy(run.outputs).to(times.device)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, by_outputs: torch.Tensor) -> tuple[Any, ...]:
        times, *parameters = ctx.saved_tensors
        # Others may have used the engine since.
        ctx.engine.load(dict(zip(ctx.names, map(_array, parameters))))
        spikes = Spikes(_array(times), ctx.indices, ctx.offsets)
        gradient = ctx.engine.pull_back(spikes, _array(by_outputs))

        def tensor(array: np.ndarray) -> torch.Tensor:
            return torch.from_numpy(array).to(times.device)

        by_parameters = (
            tensor(gradient.parameters[name]) if needed else None
            for name, needed in zip(ctx.names, ctx.needs_input_grad[5:])
        )
        return None, None, tensor(gradient.times), None, None, *by_parameters


class Spiking(torch.nn.Module):
    """A spiking network inside a PyTorch model, trained by any optimiser of torch.

    Its parameters are those of the network, one torch parameter a list, dots in names replaced by
    underscores: ``connections_0_weights`` ``[source, target]``, ``layers_hidden_tau_mem`` (ms).

    Args:
        network: what it computes; several layers are one module.
        readout: what each output neuron measures: ``"first_spike"`` (ms, the duration where there is
            none, then without gradient; its output can be the next module's input),
            ``"spike_time_sum"`` (ms), ``"vmax"``, ``"mean"`` or ``"exp_mean"`` of the voltage.
        learn: the kinds of parameters that require gradients, of ``"weights"``, ``"delays"``,
            ``"tau_mem"``, ``"tau_syn"``, ``"threshold"``, ``"bias"``, ``"adaptation_beta"`` and
            ``"adaptation_tau"``.
        seed: of the initial parameters.
        dtype: of the initial parameters: ``torch.float32`` or ``torch.float64``.
        backend: ``"cpu"``, or ``"reference"`` in double precision.
        threads: 0 for as many as are quickest, up to one a core.
        slope_floor: the slope below which a spike counts as grazing, in units of the threshold; 0 for
            the exact gradient.
    """

    def __init__(
        self,
        network: Network,
        readout: str = "vmax",
        *,
        learn: Iterable[str] = ("weights", "delays"),
        seed: int = 0,
        dtype: torch.dtype = torch.float32,
        backend: str = "cpu",
        threads: int = 0,
        slope_floor: float = 0.0,
    ) -> None:
        super().__init__()
        self.network = network
        learn = set(learn)
        if unknown := learn - set(_KINDS):
            raise ValueError(f"learn: no {', '.join(sorted(unknown))} (there are: {', '.join(_KINDS)})")
        initial = network.initial_parameters(seed, precision=_PRECISIONS[dtype])
        self._names = {name: name.replace(".", "_") for name in initial}
        for name, values in initial.items():
            parameter = torch.nn.Parameter(
                torch.from_numpy(values), requires_grad=name.rsplit(".", 1)[1] in learn
            )
            self.register_parameter(self._names[name], parameter)
        self._options: dict[str, Any] = {
            "readout": readout,
            "backend": backend,
            "threads": threads,
            "slope_floor": slope_floor,
        }
        self._engines: dict[tuple[torch.dtype, bool], Engine] = {}

    def forward(
        self,
        times: torch.Tensor,
        indices: Any = None,
        offsets: Any = None,
    ) -> torch.Tensor:
        """Run a batch.

        Args:
            times: spike times in ms, not negative: ``[samples, inputs]``, one spike an input, none
                where it is not before the duration (infinity, say); or with the others flat
                ``[spikes]``, ascending within each sample.
            indices: integers ``[spikes]``: the input that sends each spike.
            offsets: integers ``[samples + 1]``: where each sample begins.

        Returns:
            ``[samples, outputs]``: what the readout measures.
        """
        if indices is None:
            times, indices, offsets = flatten(times, self.network.duration)
        parameters = self._parameters_by_name()
        engine, dtype = self._engine(parameters)
        return SpikingFunction.apply(
            engine,
            tuple(parameters),
            times.to(dtype),
            _integers(indices),
            _integers(offsets),
            *parameters.values(),
        )

    @torch.no_grad()
    def record(self, times: torch.Tensor, indices: Any = None, offsets: Any = None) -> Run:
        """Run a batch without gradients; arguments as those of `forward`.

        Returns:
            What an engine's ``run`` gives, the spikes of every lif layer among it.
        """
        if indices is None:
            times, indices, offsets = flatten(times, self.network.duration)
        parameters = self._parameters_by_name()
        engine, _ = self._engine(parameters)
        engine.load({name: _array(parameter) for name, parameter in parameters.items()})
        spikes = Spikes(_array(times), _integers(indices), _integers(offsets))
        return engine.run(spikes)

    @torch.no_grad()
    def clamp_(self) -> Spiking:
        """Move parameters that an optimiser took out of their range back: delays to 0 ms, time constants
        to 0.1 ms, what a spike adds to a threshold to 0."""
        for name, parameter in self._parameters_by_name().items():
            kind = name.rsplit(".", 1)[1]
            if kind in ("delays", "adaptation_beta"):
                parameter.clamp_(min=0.0)
            elif kind in ("tau_mem", "tau_syn", "adaptation_tau"):
                parameter.clamp_(min=0.1)
        return self

    def extra_repr(self) -> str:
        return f"{self.network!r}, readout={self._options['readout']!r}"

    def _parameters_by_name(self) -> dict[str, torch.nn.Parameter]:
        return {name: getattr(self, own) for name, own in self._names.items()}

    def _engine(self, parameters: dict[str, torch.nn.Parameter]) -> tuple[Engine, torch.dtype]:
        """An engine for these parameters, made at the first call, and their type."""
        dtype = next(iter(parameters.values())).dtype
        if dtype not in _PRECISIONS:
            raise TypeError(f"parameters are {dtype}; engines compute in float32 or float64")
        constants = any(
            parameter.requires_grad and not name.endswith((".weights", ".delays"))
            for name, parameter in parameters.items()
        )
        if (dtype, constants) not in self._engines:
            self._engines[dtype, constants] = Engine(
                self.network,
                precision=_PRECISIONS[dtype],
                constant_gradients=constants,
                **self._options,
            )
        return self._engines[dtype, constants], dtype

    def __getstate__(self) -> dict[str, Any]:
        # Engines are made anew where the copy is used.
        return {**self.__dict__, "_engines": {}}


def flatten(
    times: torch.Tensor, duration: float
) -> tuple[torch.Tensor, np.ndarray, np.ndarray]:
    """Sort a batch with one spike an input into flat trains; torch differentiates through it.

    Args:
        times: ``[samples, inputs]``, in ms; inputs not before ``duration`` do not spike.
        duration: in ms.

    Returns:
        times ``[spikes]``, indices ``[spikes]``, offsets ``[samples + 1]``.
    """
    ascending, inputs = times.sort(dim=1, stable=True)
    # What is no number is kept, and refused by the engine.
    spikes = ~(ascending >= duration)
    offsets = np.zeros(len(times) + 1, dtype=np.uint64)
    np.cumsum(spikes.sum(dim=1).cpu().numpy(), out=offsets[1:])
    return ascending[spikes], inputs[spikes].cpu().numpy().astype(np.uint32), offsets


def _array(tensor: torch.Tensor) -> np.ndarray:
    """A tensor's own memory where it is on the processor."""
    return tensor.detach().cpu().numpy()


def _integers(values: Any) -> np.ndarray:
    """An array in whatever type it has: `Spikes` refuses what is no integer or out of range."""
    return np.asarray(values.cpu() if isinstance(values, torch.Tensor) else values)
