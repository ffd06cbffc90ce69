"""Problem files: small, complete experiments by which gradients are compared."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from ._core import solve_problem


def grad(
    problem: str | os.PathLike[str] | Mapping[str, Any],
    *,
    backend: str = "reference",
    precision: str = "f64",
    method: str = "eventprop",
) -> Any:
    """Solve a problem: loss, every spike, and the gradient by everything there is.

    Args:
        problem: the path of a problem file, or what one holds, as a dictionary.
        backend: ``"reference"``, ``"cpu"`` or ``"cuda"``.
        precision: ``"f64"`` or ``"f32"``.
        method: ``"eventprop"`` (exact) or ``"finite-difference"``.

    Returns:
        What a result file holds, with float64 arrays in place of lists of numbers: ``loss``, ``losses``
        ``[samples]``, ``spikes`` (per sample and lif layer: times in ms and neurons), ``gradients``
        (``connections``, ``layers``, ``samples``: by each input spike's time, in 1/ms).

    Raises:
        Error: with the place in the file of what is wrong.
    """
    is_path = not isinstance(problem, Mapping)
    origin = os.fspath(problem) if is_path else json.dumps(problem).encode()
    solution = solve_problem(origin, backend, precision, method)
    gradients = solution["gradients"]
    return {
        "loss": solution["loss"],
        "losses": np.array(solution["losses"]),
        "spikes": [
            {layer: _train(train) for layer, train in sample.items()}
            for sample in solution["spikes"]
        ],
        "gradients": {
            "connections": [_arrays(connection) for connection in gradients["connections"]],
            "layers": {name: _arrays(layer) for name, layer in gradients["layers"].items()},
            "samples": [np.array(sample, dtype=np.float64) for sample in gradients["samples"]],
        },
    }


def _train(train: Any) -> tuple[np.ndarray, np.ndarray]:
    times = np.array([time for time, _ in train], dtype=np.float64)
    return times, np.array([neuron for _, neuron in train], dtype=np.uint32)


def _arrays(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Lists as arrays; what the adaptation holds are numbers."""
    return {
        name: np.array(value, dtype=np.float64) if isinstance(value, list) else value
        for name, value in fields.items()
    }
