"""An exported MNIST network in another simulator, against the exact event times.

    simulate.py SIMULATOR PROBLEM SOLUTION IMAGES ACCURACY FILE:DT...

SIMULATOR is snntorch or spikingjelly. PROBLEM and SOLUTION are a problem file of a few images and what
`eventprop grad` found: the exact spikes. IMAGES is a problem file of the images whose classes are
predicted, with the FILE whose DT is ACCURACY; EXACT_ACCURACY in
the environment is that of exact event times, in per cent. Each FILE was exported with `--dt DT` (ms).

What is changed before a simulator's own import sees the graph, and why:
- CubaLI: neither simulator imports it. It becomes a CubaLIF whose threshold is out of reach, and its
  voltage is read.
- snnTorch has a fixed step of 0.1 ms: for another one the time constants are counted in steps of 0.1 ms
  in place of DT, which leaves every number of steps as it was.
- SpikingJelly 2 writes its surrogate gradients for PyTorch 2; the step function they have in the forward
  direction is put in their place, so that Debian's PyTorch 1.13 runs it too.
A spike at t falls into step floor(t / DT); one that the simulator reports in step k is taken for one in
the step's middle, (k + 1/2) DT. Nothing else is converted: with `--dt` the export has the form
(r = tau_mem / dt, w_in = tau_syn / dt) that both ask for.
"""

import json
import os
import sys

import nir
import numpy as np
import torch

OUT_OF_REACH = 1e9


def prepared(path, dt, unit):
    """The graph of a file, with times in units of `unit` ms in place of `dt` ms."""
    graph = nir.read(path)
    for name, node in graph.nodes.items():
        if not hasattr(node, "tau_syn"):
            continue
        scale = np.float32(unit / dt)
        fields = dict(tau_mem=node.tau_mem * scale, tau_syn=node.tau_syn * scale)
        fields.update(r=node.r, w_in=node.w_in, v_leak=node.v_leak)
        if isinstance(node, nir.CubaLI):
            fields.update(v_threshold=np.full_like(node.r, OUT_OF_REACH), v_reset=np.zeros_like(node.r))
        else:
            fields.update(v_threshold=node.v_threshold, v_reset=node.v_reset)
        graph.nodes[name] = nir.CubaLIF(**fields)
    graph.metadata = {}
    return graph


class Heaviside(torch.nn.Module):
    def forward(self, x):
        return (x >= 0).to(x)


class SnnTorch:
    def __init__(self, path, dt):
        from snntorch.import_nir import import_from_nir

        self.net = import_from_nir(prepared(path, dt, 0.1))
        hidden = self.net.get_submodule("hidden")
        hidden.register_forward_hook(lambda _module, _input, output: setattr(self, "spikes", output))
        self.state = None

    def reset(self):
        self.state = None
        for name in ("hidden", "output"):
            module = self.net.get_submodule(name)
            module.syn, module.mem = torch.zeros(0), torch.zeros(0)

    def step(self, x):
        _, self.state = self.net(x, self.state)
        # The import has put the scale of the voltage into the threshold, which the readout does not need.
        return self.spikes, self.net.get_submodule("output").mem


class SpikingJelly:
    def __init__(self, path, dt):
        from spikingjelly.activation_based.nir_exchange import import_from_nir

        self.net = import_from_nir(prepared(path, dt, dt), dt=dt * 1e-3)
        for module in self.net.modules():
            if hasattr(module, "surrogate_function"):
                module.surrogate_function = Heaviside()
        hidden = self.net.get_submodule("hidden")
        hidden.register_forward_hook(lambda _module, _input, output: setattr(self, "spikes", output[0]))
        self.state = None

    def reset(self):
        self.state = None

    def step(self, x):
        _, self.state = self.net(x, self.state)
        return self.spikes, self.state["output"][0]


SIMULATORS = {"snntorch": SnnTorch, "spikingjelly": SpikingJelly}


def binned(samples, dt, steps):
    """For each step the samples and inputs that spike in it, one array each."""
    spikes = [(time, row, index) for row, sample in enumerate(samples) for time, index in sample["spikes"]]
    times, rows, indices = np.array(spikes).T
    bins = np.minimum(np.floor(times / dt), steps - 1).astype(int)
    order = np.argsort(bins, kind="stable")
    cuts = np.searchsorted(bins[order], np.arange(1, steps))
    pairs = np.stack([rows, indices]).astype(int)[:, order]
    return [torch.from_numpy(part.copy()) for part in np.split(pairs, cuts, axis=1)]


@torch.no_grad()
def run(simulator, samples, inputs, dt, duration):
    """The hidden spikes (step, sample, neuron), and the highest voltage of each output."""
    steps = int(round(duration / dt))
    simulator.reset()
    spikes, highest = [], None
    for step, (rows, indices) in enumerate(binned(samples, dt, steps)):
        x = torch.zeros(len(samples), inputs)
        x.index_put_((rows, indices), torch.ones(len(rows)), accumulate=True)
        z, v = simulator.step(x)
        spikes.append(torch.nn.functional.pad(z.nonzero(), (1, 0), value=step))
        highest = v.clone() if highest is None else torch.maximum(highest, v)
    return torch.cat(spikes), highest


def compared(spikes, solution, dt):
    """Neurons with another number of spikes than there should be, and the errors of the other times."""
    exact, found = {}, {}
    for row, sample in enumerate(solution["spikes"]):
        for time, neuron in sample["hidden"]:
            exact.setdefault((row, neuron), []).append(time)
    for step, row, neuron in spikes.tolist():
        found.setdefault((row, neuron), []).append((step + 0.5) * dt)
    errors, others = [], 0
    for key in exact.keys() | found.keys():
        mine, theirs = exact.get(key, []), found.get(key, [])
        if len(mine) == len(theirs):
            errors += [abs(a - b) for a, b in zip(sorted(mine), sorted(theirs))]
        else:
            others += 1
    return len(exact), others, np.array(errors)


def main():
    name, problem, solution, images, accuracy = sys.argv[1:6]
    files = {float(dt): path for path, dt in (argument.rsplit(":", 1) for argument in sys.argv[6:])}
    problem, solution, images = (json.load(open(path)) for path in (problem, solution, images))
    inputs, duration = problem["layers"][0]["size"], problem["duration"]
    print(f"\n{name}: {len(problem['samples'])} images")
    print("dt (ms) | spiking neurons | with another count | mean error (ms) | 99 % below (ms)")
    means = []
    for dt, path in files.items():
        simulator = SIMULATORS[name](path, dt)
        spikes, _ = run(simulator, problem["samples"], inputs, dt, duration)
        neurons, others, errors = compared(spikes, solution, dt)
        means.append(errors.mean())
        print(f"{dt:g} | {neurons} | {100 * others / neurons:.2f} % | {errors.mean():.5f} | {np.quantile(errors, 0.99):.4f}")
    right = total = 0
    dt = float(accuracy)
    simulator = SIMULATORS[name](files[dt], dt)
    for start in range(0, len(images["samples"]), 1000):
        part = images["samples"][start : start + 1000]
        _, highest = run(simulator, part, inputs, dt, duration)
        labels = torch.tensor([sample["label"] for sample in part])
        right += int((highest.argmax(1) == labels).sum())
        total += len(part)
    print(f"accuracy at dt = {dt:g} ms: {100 * right / total:.2f} % of {total} images")
    exact = float(os.environ["EXACT_ACCURACY"])
    assert abs(100 * right / total - exact) <= 0.3, f"the accuracy of exact event times is {exact} %"
    assert all(b < a for a, b in zip(means, means[1:])), "the errors do not shrink with the step"


main()
