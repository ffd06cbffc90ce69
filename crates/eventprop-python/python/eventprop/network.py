"""Layers, connections and initialisers: the fields of the TOML file, as dictionaries.

Fields that are not given are left out and take the defaults named here. Constants of a layer are one
number for all neurons or one for each.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

OneOrMany = float | Sequence[float]
Description = dict[str, Any]


def input(name: str, size: int, *, shape: tuple[int, int, int] | None = None) -> Description:
    """Neurons that send the spikes of the sample.

    Args:
        name: unique in the network.
        size: the number of neurons.
        shape: (channels, height, width), where a convolution or a pooling needs it.
    """
    return _given(name=name, kind="input", size=size, shape=shape)


def lif(
    name: str,
    size: int,
    *,
    tau_mem: OneOrMany,
    tau_syn: OneOrMany,
    threshold: OneOrMany | None = None,
    reset: float | None = None,
    bias: OneOrMany | None = None,
    refractory: float | None = None,
    adaptation: dict[str, float] | None = None,
    shape: tuple[int, int, int] | None = None,
) -> Description:
    """Leaky integrate-and-fire neurons: tau_mem dV/dt = -V + I + bias, tau_syn dI/dt = -I.

    Args:
        name: unique in the network.
        size: the number of neurons.
        tau_mem: membrane time constant in ms.
        tau_syn: synaptic time constant in ms.
        threshold: firing threshold, default 1.
        reset: voltage after a spike, default 0.
        bias: constant input current, default 0.
        refractory: absolute refractory time in ms, default 0.
        adaptation: ``{"beta": ..., "tau": ...}``: what a spike adds to the threshold, and its time
            constant in ms; default none.
        shape: (channels, height, width), where a convolution or a pooling needs it.
    """
    return _given(
        name=name,
        kind="lif",
        size=size,
        shape=shape,
        tau_mem=tau_mem,
        tau_syn=tau_syn,
        threshold=threshold,
        reset=reset,
        bias=bias,
        refractory=refractory,
        adaptation=adaptation,
    )


def li(
    name: str,
    size: int,
    *,
    tau_mem: OneOrMany,
    tau_syn: OneOrMany,
    bias: OneOrMany | None = None,
    shape: tuple[int, int, int] | None = None,
) -> Description:
    """Leaky integrators: a readout that never spikes. Arguments as those of `lif`."""
    return _given(
        name=name, kind="li", size=size, shape=shape, tau_mem=tau_mem, tau_syn=tau_syn, bias=bias
    )


def dense(source: str, target: str, *, weights: Any, delays: Any = None) -> Description:
    """Every neuron of ``source`` to every neuron of ``target``; weights ``[source, target]``.

    Args:
        source: the name of the sending layer.
        target: the name of the receiving layer.
        weights: how they start: `normal`, `uniform`, `constant` or ``"zeros"``.
        delays: how they start, in ms; without it there are none.
    """
    return _given(**{"from": source}, to=target, kind="dense", weights=weights, delays=delays)


def conv2d(
    source: str,
    target: str,
    *,
    kernel: tuple[int, int],
    weights: Any,
    stride: tuple[int, int] | None = None,
    padding: tuple[int, int] | None = None,
    delays: Any = None,
) -> Description:
    """Cross-correlation with shared weights ``[out_channel, in_channel, ky, kx]``.

    Args:
        source: the name of the sending layer, which needs a shape.
        target: the name of the receiving layer, which needs a shape.
        kernel: (height, width).
        weights: how they start.
        stride: default 1.
        padding: zeros around, default 0.
        delays: how they start, in ms; without it there are none.
    """
    return _given(
        **{"from": source},
        to=target,
        kind="conv2d",
        kernel=kernel,
        stride=stride,
        padding=padding,
        weights=weights,
        delays=delays,
    )


def sum_pool2d(
    source: str,
    target: str,
    *,
    kernel: tuple[int, int],
    weight: float,
    stride: tuple[int, int] | None = None,
    padding: tuple[int, int] | None = None,
) -> Description:
    """Sums over windows of (height, width) ``kernel`` with one fixed weight; stride as the kernel."""
    return _given(
        **{"from": source},
        to=target,
        kind="sum_pool2d",
        kernel=kernel,
        stride=stride,
        padding=padding,
        weight=weight,
    )


def normal(mean: float, sd: float) -> Description:
    """Values drawn from a normal distribution."""
    return {"normal": {"mean": mean, "sd": sd}}


def uniform(low: float, high: float) -> Description:
    """Values drawn uniformly from ``[low, high)``."""
    return {"uniform": {"low": low, "high": high}}


def constant(value: float) -> Description:
    """All the same value."""
    return {"constant": value}


def _given(**fields: Any) -> Description:
    return {name: value for name, value in fields.items() if value is not None}
