"""784-350-10 in SpikingJelly: LIF neurons in multi-step mode, leaky readout, surrogate gradients, 20
time steps, Adam."""

import torch
from spikingjelly.activation_based import functional, neuron

from peer import run

STEPS = 20


class Network(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden = torch.nn.Linear(784, 350)
        self.hidden_neurons = neuron.LIFNode(tau=20.0, decay_input=False, step_mode="m")
        self.output = torch.nn.Linear(350, 10)

    def forward(self, images):
        current = self.hidden(images)  # the image is a constant current
        spikes = self.hidden_neurons(current.expand(STEPS, *current.shape))
        voltage, voltages = 0, []
        for current in self.output(spikes):
            voltage = 0.95 * voltage + current
            voltages.append(voltage)
        return torch.stack(voltages).amax(0)


def make_step(images, labels):
    images = images.float() / 255
    network = Network()
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-3)

    def step(indices):
        functional.reset_net(network)
        loss = torch.nn.functional.cross_entropy(network(images[indices]), labels[indices])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        return loss.item()

    return step


if __name__ == "__main__":
    run(make_step)
