"""The seed's model in PyTorch, for comparison: one training step of lolemacs/pytorch-eventprop's layer.

A layer of leaky integrate-and-fire neurons on a grid of time steps (forward Euler), a loss on first spike
times, the adjoint on the same grid, plain gradient descent. Measured as the seed runs it (a loop of small
kernels) and as one recorded CUDA graph. The seed's loop that lifts silent neurons is left out of both: it
depends on the data. One JSON line a measurement: bench_torch.py [toy]
"""

import json
import sys
import time

try:
    import torch
except ImportError:
    print(json.dumps({"name": "seed in PyTorch", "error": "torch is not installed"}))
    sys.exit(0)

STEPS, TAU_MEM, TAU_SYN, XI, ALPHA, BETA = 20, 20.0, 5.0, 0.4, 0.01, 2.0
INPUTS, OUTPUTS = 784, 10


def forward(weight, raster):
    """raster [batch, inputs, steps] -> currents and spikes [batch, outputs, steps]."""
    batch = raster.shape[0]
    voltage = torch.zeros(batch, OUTPUTS, STEPS, device=raster.device)
    current = torch.zeros_like(voltage)
    spikes = torch.zeros_like(voltage)
    for n in range(1, STEPS):
        rising = (1 - 1 / TAU_MEM) * voltage[:, :, n - 1] + (1 / TAU_MEM) * current[:, :, n - 1]
        current[:, :, n] = (1 - 1 / TAU_SYN) * current[:, :, n - 1] + raster[:, :, n - 1].float() @ weight.t()
        spikes[:, :, n] = (rising > 1.0).float()
        voltage[:, :, n] = (1 - spikes[:, :, n]) * rising
    return current, spikes


def first_spikes(spikes):
    """Step of each neuron's first spike (the last step where there is none), and the raw index."""
    order = torch.arange(STEPS, 0, -1, device=spikes.device).float()
    raw = torch.argmax(order * spikes, dim=2)
    times = torch.where(raw == 0, torch.full_like(raw, STEPS - 1), raw).float()
    return times, raw


def time_gradient(times, labels):
    """Derivative of the mean loss by the first spike times, and the loss."""
    batch = times.shape[0]
    hot = torch.nn.functional.one_hot(labels, OUTPUTS).float()
    logits = -times / (XI * TAU_SYN)
    softmax = torch.softmax(logits, 1)
    label_times = (times * hot).sum(1)
    late = torch.exp(label_times / (BETA * TAU_SYN))
    loss = -(torch.log_softmax(logits, 1) * hot).sum(1).mean() + ALPHA * (late - 1).mean()
    gradient = (hot - softmax) / (XI * TAU_SYN) + hot * (ALPHA / (BETA * TAU_SYN) * late)[:, None]
    return gradient / batch, loss


def backward(weight, raster, current, spikes, upstream):
    """The seed's adjoint: the gradient by the weights of every sample, summed by the caller as autograd does."""
    batch = raster.shape[0]
    voltage_adjoint = torch.zeros(batch, OUTPUTS, STEPS, device=raster.device)
    current_adjoint = torch.zeros_like(voltage_adjoint)
    input_gradient = torch.zeros(batch, INPUTS, STEPS, device=raster.device)
    gradient = torch.zeros(batch, OUTPUTS, INPUTS, device=raster.device)
    for n in range(STEPS - 2, -1, -1):
        difference = voltage_adjoint[:, :, n + 1] - current_adjoint[:, :, n + 1]
        input_gradient[:, :, n] = difference @ weight
        jump = spikes[:, :, n + 1] * (voltage_adjoint[:, :, n + 1] + upstream[:, :, n + 1])
        voltage_adjoint[:, :, n] = (1 - 1 / TAU_MEM) * voltage_adjoint[:, :, n + 1] + jump / (current[:, :, n] - 1 + 1e-10)
        current_adjoint[:, :, n] = current_adjoint[:, :, n + 1] + (1 / TAU_SYN) * difference
        gradient -= raster[:, :, n].float().unsqueeze(1) * current_adjoint[:, :, n].unsqueeze(2)
    return gradient


def step(weight, raster, labels, rate):
    current, spikes = forward(weight, raster)
    times, raw = first_spikes(spikes)
    by_time, loss = time_gradient(times, labels)
    upstream = torch.nn.functional.one_hot(raw, STEPS).float() * by_time.unsqueeze(2)
    gradient = backward(weight, raster, current, spikes, upstream).sum(0)
    weight.sub_(rate * gradient)
    return loss


def data(batch, device):
    generator = torch.Generator().manual_seed(0)
    white = torch.rand(batch, INPUTS, generator=generator) < 0.127
    times = torch.where(white, 2, 12)
    raster = torch.nn.functional.one_hot(times.to(device), STEPS)
    labels = torch.randint(0, OUTPUTS, (batch,), generator=generator).to(device)
    weight = (0.1 + 0.1 * torch.randn(OUTPUTS, INPUTS, generator=generator)).to(device)
    return weight, raster, labels


def median_seconds(run, repeats, device):
    for _ in range(3 if repeats > 1 else 1):
        run()
    seconds = []
    for _ in range(repeats):
        if device == "cuda":
            torch.cuda.synchronize()
        start = time.perf_counter()
        run()
        if device == "cuda":
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - start)
    return sorted(seconds)[len(seconds) // 2]


def report(name, batch, seconds, device):
    where = torch.cuda.get_device_name() if device == "cuda" else "cpu"
    print(json.dumps({"name": name, "device": where, "batch": batch, "samples": 60000,
                      "seconds_per_step": seconds, "seconds_per_epoch": seconds * 60000 / batch,
                      "samples_per_second": batch / seconds}), flush=True)


@torch.no_grad()
def main():
    toy = "toy" in sys.argv
    device = "cuda" if torch.cuda.is_available() else "cpu"
    # The script's own batch size is 128.
    batches = [128, 1024, 4096, 16384] if device == "cuda" else [128]
    for batch in [4] if toy else batches:
        weight, raster, labels = data(batch, device)
        run = lambda: step(weight, raster, labels, 1e-3)
        report("seed in PyTorch", batch, median_seconds(run, 1 if toy else 30, device), device)
        if device != "cuda":
            continue
        stream = torch.cuda.Stream()
        with torch.cuda.stream(stream):
            for _ in range(3):
                run()
        torch.cuda.current_stream().wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            run()
        report("seed in PyTorch, CUDA graph", batch, median_seconds(graph.replay, 100, device), device)


if __name__ == "__main__":
    main()
