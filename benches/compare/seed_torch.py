"""The clock-driven model of pytorch-eventprop in PyTorch: 784-10, 20 steps of 1 ms, first spikes.

Written anew from its published semantics: forward Euler, adjoint by hand in an autograd function, the
weights of neurons that are silent in some sample raised until none is.
"""

import torch

from peer import run

STEPS, WHITE, BLACK = 20, 2, 12
A, S = 1 / 20, 1 / 5  # dt / tau_mem, dt / tau_syn
BUMP, MOST_REPEATS = 0.1, 100


class Layer(torch.autograd.Function):
    @staticmethod
    def forward(context, raster, weights):
        samples, neurons = raster.shape[0], weights.shape[0]
        voltages = torch.zeros(samples, neurons)
        currents = [torch.zeros(samples, neurons)]
        spikes = [torch.zeros(samples, neurons)]
        for step in range(1, STEPS):
            voltages = (1 - A) * voltages + A * currents[-1]
            currents.append((1 - S) * currents[-1] + raster[:, :, step - 1] @ weights.T)
            spikes.append((voltages > 1).to(weights.dtype))
            voltages = voltages * (1 - spikes[-1])
        context.save_for_backward(raster, weights, torch.stack(currents, 2))
        spikes = torch.stack(spikes, 2)
        context.spikes = spikes
        return spikes

    @staticmethod
    def backward(context, upstream):
        raster, weights, currents = context.saved_tensors
        spikes = context.spikes
        samples, neurons = raster.shape[0], weights.shape[0]
        by_voltage, by_current = torch.zeros(samples, neurons), torch.zeros(samples, neurons)
        gradient = torch.zeros_like(weights)
        for step in range(STEPS - 2, -1, -1):
            jump = spikes[:, :, step + 1] * (by_voltage + upstream[:, :, step + 1])
            jump = jump / (currents[:, :, step] - 1 + 1e-10)
            old = by_voltage
            by_voltage = (1 - A) * by_voltage + jump
            by_current = by_current + S * (old - by_current)
            gradient -= by_current.T @ raster[:, :, step]
        return None, gradient


class FirstSpike(torch.autograd.Function):
    @staticmethod
    def forward(context, spikes):
        first = (torch.arange(STEPS, 0, -1) * spikes).argmax(2)
        context.save_for_backward(first)
        context.shape = spikes.shape
        return torch.where(first == 0, STEPS - 1, first).to(spikes.dtype)

    @staticmethod
    def backward(context, upstream):
        (first,) = context.saved_tensors
        return torch.zeros(context.shape).scatter_(2, first[:, :, None], upstream[:, :, None])


def loss_of(times, labels):
    cross_entropy = torch.nn.functional.cross_entropy(-times / 2, labels)
    of_label = times.gather(1, labels[:, None])
    return cross_entropy + 0.01 * (torch.exp(of_label / 10) - 1).mean()


def make_step(images, labels):
    white = images >= 128
    weights = torch.nn.Parameter(0.1 + 0.1 * torch.randn(10, 784))
    optimiser = torch.optim.SGD([weights], lr=1.0)

    def step(indices):
        raster = torch.zeros(len(indices), 784, STEPS)
        raster[:, :, WHITE] = white[indices].float()
        raster[:, :, BLACK] = 1 - raster[:, :, WHITE]
        for _ in range(MOST_REPEATS):
            spikes = Layer.apply(raster, weights)
            silent = (spikes.sum(2) == 0).any(0)
            if not silent.any():
                break
            weights.data[silent] += BUMP
        loss = loss_of(FirstSpike.apply(spikes), labels[indices])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        return loss.item()

    return step


if __name__ == "__main__":
    run(make_step)
