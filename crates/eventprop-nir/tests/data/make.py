"""Writes the fixtures beside it with the Python package `nir` (1.0.8) and, for one, snnTorch (1.0.0).

`cargo xtask nir-check --fixtures` runs it. Every number is one that tests/fixtures.rs can name.
"""

import os
import sys

import nir
import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))


def f32(*values):
    return np.array(values, dtype=np.float32)


def full(shape, value, dtype=np.float32):
    return np.full(shape, value, dtype=dtype)


def cuba(kind, shape, dtype=np.float32, **changes):
    """Neurons with tau_mem 20 ms, tau_syn 5 ms whose current jumps by the weight."""
    fields = dict(
        tau_mem=full(shape, 0.02, dtype),
        tau_syn=full(shape, 0.005, dtype),
        r=full(shape, 1, dtype),
        v_leak=full(shape, 0, dtype),
        w_in=full(shape, 0.005, dtype),
    )
    if kind is nir.CubaLIF:
        fields.update(v_threshold=full(shape, 1, dtype), v_reset=full(shape, 0, dtype))
    fields.update(changes)
    return kind(**fields)


def write(name, nodes, edges, **options):
    nir.write(os.path.join(HERE, name), nir.NIRGraph(nodes, edges), **options)


# An affine map, a recurrent one, a readout; gains and biases that are not 1 and 0.
write(
    "recurrent.nir",
    {
        "in": nir.Input(np.array([3])),
        "fc": nir.Affine(weight=f32(1, 2, 3, 4, 5, 6).reshape(2, 3), bias=f32(0.5, -0.25)),
        "lif": cuba(nir.CubaLIF, (2,), r=f32(2, 4), v_leak=f32(0.125, 0), v_reset=f32(-0.5, -0.5)),
        "back": nir.Linear(weight=f32(0, -1, 1, 0).reshape(2, 2)),
        "fc2": nir.Linear(weight=f32(1, -1).reshape(1, 2)),
        "li": cuba(nir.CubaLI, (1,)),
        "out": nir.Output(np.array([1])),
    },
    [("in", "fc"), ("fc", "lif"), ("lif", "back"), ("back", "lif"), ("lif", "fc2"), ("fc2", "li"), ("li", "out")],
)

# Images: a convolution, a sum, a flattened readout, in double precision; not packed.
write(
    "images.nir",
    {
        "input": nir.Input(np.array([1, 4, 4])),
        "conv": nir.Conv2d(
            input_shape=(4, 4),
            weight=np.arange(18, dtype=np.float64).reshape(2, 1, 3, 3),
            stride=1,
            padding=(1, 1),
            dilation=1,
            groups=1,
            bias=np.array([0.0, 100.0]),
        ),
        "a": cuba(nir.CubaLIF, (2, 4, 4), np.float64),
        "pool": nir.SumPool2d(kernel_size=np.array([2, 2]), stride=np.array([2, 2]), padding=np.array([0, 0])),
        "b": cuba(nir.CubaLIF, (2, 2, 2), np.float64),
        "flat": nir.Flatten(input_type={"input": np.array([2, 2, 2])}, start_dim=0),
        "fc": nir.Linear(weight=np.arange(16, dtype=np.float64).reshape(2, 8)),
        "c": cuba(nir.CubaLI, (2,), np.float64),
        "output": nir.Output(np.array([2])),
    },
    [("input", "conv"), ("conv", "a"), ("a", "pool"), ("pool", "b"), ("b", "flat"), ("flat", "fc"), ("fc", "c"), ("c", "output")],
    compression=None,
)

# A synaptic current and a voltage as nodes of their own (LI, LIF), delays before and behind weights,
# a graph within the graph.
def plain(kind, size, tau, **more):
    return kind(tau=full((size,), tau), r=full((size,), more.pop("r", 1)), v_leak=full((size,), 0), **more)


inner = nir.NIRGraph(
    {
        "input": nir.Input(np.array([2])),
        "fc": nir.Linear(weight=f32(1, 2, 3, 4).reshape(2, 2)),
        "after": nir.Delay(delay=f32(0.002, 0.004)),
        "synapse": plain(nir.LI, 2, 0.005, r=0.01),
        "lif": plain(nir.LIF, 2, 0.02, v_threshold=full((2,), 1)),
        "output": nir.Output(np.array([2])),
    },
    [("input", "fc"), ("fc", "after"), ("after", "synapse"), ("synapse", "lif"), ("lif", "output")],
)
write(
    "pieces.nir",
    {
        "input": nir.Input(np.array([2])),
        "before": nir.Delay(delay=f32(0.001, 0)),
        "layer": inner,
        "fc": nir.Linear(weight=f32(1, 1).reshape(1, 2)),
        "synapse": plain(nir.LI, 1, 0.005, r=0.005),
        "li": plain(nir.LI, 1, 0.02),
        "output": nir.Output(np.array([1])),
    },
    [("input", "before"), ("before", "layer"), ("layer", "fc"), ("fc", "synapse"), ("synapse", "li"), ("li", "output")],
)

# What snnTorch makes of a Synaptic neuron with its steps of 0.1 ms: tau_syn 5 ms, tau_mem 20 ms.
if "--without-snntorch" not in sys.argv:
    import snntorch
    import torch
    from snntorch.export_nir import export_to_nir

    dt = 1e-4
    net = torch.nn.Sequential(
        torch.nn.Linear(3, 2),
        snntorch.Synaptic(
            alpha=torch.full((2,), 1 - dt / 0.005),
            beta=torch.full((2,), 1 - dt / 0.02),
            threshold=torch.ones(2),
            init_hidden=True,
            reset_mechanism="zero",
        ),
    )
    net[0].weight.data = torch.arange(6.0).reshape(2, 3)
    net[0].bias.data = torch.zeros(2)
    nir.write(os.path.join(HERE, "snntorch.nir"), export_to_nir(net, torch.zeros(3)))
