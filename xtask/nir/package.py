"""What the Python package `nir` makes of an exported file: it is read with all its checks, its nodes are
those that are expected, and what the package writes of it is written to another file.

    package.py EXPORTED REWRITTEN
"""

import sys

import nir
import numpy as np

exported, rewritten = sys.argv[1:]
graph = nir.read(exported)
kinds = {name: type(node).__name__ for name, node in graph.nodes.items()}
print(f"nir {nir.__version__} reads {len(graph.nodes)} nodes and {len(graph.edges)} edges")
for name, kind in kinds.items():
    into = {key: tuple(int(side) for side in value) for key, value in graph.nodes[name].input_type.items()}
    out = {key: tuple(int(side) for side in value) for key, value in graph.nodes[name].output_type.items()}
    print(f"  {name:<18} {kind:<10} {into.get('input')} -> {out.get('output')}")

if "input_to_hidden" in graph.nodes:
    assert kinds == {
        "input": "Input",
        "input_to_hidden": "Linear",
        "hidden": "CubaLIF",
        "hidden_to_output": "Linear",
        "output": "CubaLI",
        "network_output": "Output",
    }, kinds
    names = ["input", "input_to_hidden", "hidden", "hidden_to_output", "output", "network_output"]
    assert graph.edges == list(zip(names, names[1:])), graph.edges
    hidden = graph.nodes["hidden"]
    assert graph.nodes["input_to_hidden"].weight.shape == (350, 784)
    assert graph.nodes["input_to_hidden"].weight.dtype == np.float32
    assert np.all(hidden.tau_mem == np.float32(0.02))
    assert np.all(hidden.r == 1) and np.all(hidden.w_in == hidden.tau_syn)
nir.write(rewritten, graph)
