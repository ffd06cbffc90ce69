"""784-350-10 in snnTorch: leaky neurons, surrogate gradients, 20 time steps, Adam."""

import snntorch
import torch
from snntorch import surrogate

from peer import run

STEPS = 20


class Network(torch.nn.Module):
    def __init__(self):
        super().__init__()
        gradient = surrogate.fast_sigmoid()
        self.hidden = torch.nn.Linear(784, 350)
        self.hidden_neurons = snntorch.Leaky(beta=0.95, spike_grad=gradient)
        self.output = torch.nn.Linear(350, 10)
        self.output_neurons = snntorch.Leaky(beta=0.95, spike_grad=gradient, reset_mechanism="none")

    def forward(self, images):
        hidden, output = self.hidden_neurons.init_leaky(), self.output_neurons.init_leaky()
        current, voltages = self.hidden(images), []  # the image is a constant current
        for _ in range(STEPS):
            spikes, hidden = self.hidden_neurons(current, hidden)
            _, output = self.output_neurons(self.output(spikes), output)
            voltages.append(output)
        return torch.stack(voltages).amax(0)


def make_step(images, labels):
    images = images.float() / 255
    network = Network()
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-3)

    def step(indices):
        loss = torch.nn.functional.cross_entropy(network(images[indices]), labels[indices])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        return loss.item()

    return step


if __name__ == "__main__":
    run(make_step)
