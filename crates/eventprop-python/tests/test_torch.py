"""A spiking network inside a model of PyTorch."""

import copy
import doctest
import math

import numpy as np
import pytest

import eventprop as ep
from conftest import small_network, small_spikes, toy_data

torch = pytest.importorskip("torch")
from eventprop.torch import Spiking, flatten  # noqa: E402

READOUTS = {"first_spike": "lif", "spike_time_sum": "lif", "vmax": "li", "mean": "li", "exp_mean": "li"}


def flat(dtype=torch.float64):
    spikes = small_spikes()
    times = torch.tensor(spikes.times, dtype=dtype, requires_grad=True)
    return times, spikes.indices, spikes.offsets


@pytest.mark.parametrize("backend", ["cpu", "reference"])
@pytest.mark.parametrize("readout", READOUTS)
def test_gradcheck(readout, backend):
    """By every input spike time, every weight and every delay, in double precision."""
    network = small_network(READOUTS[readout], delays=ep.uniform(0.1, 2.0))
    layer = Spiking(network, readout, backend=backend).double()
    times, indices, offsets = flat()
    names = [name for name, p in layer.named_parameters() if p.requires_grad]
    assert names == ["connections_0_weights", "connections_0_delays", "connections_1_weights"]

    def outputs(times, *parameters):
        for name, parameter in zip(names, parameters):
            delattr(layer, name) if name in layer._parameters else None
            setattr(layer, name, parameter)
        return layer(times, indices, offsets)

    parameters = [getattr(layer, name).detach().clone().requires_grad_() for name in names]
    assert torch.autograd.gradcheck(outputs, (times, *parameters), eps=1e-6, atol=1e-6, rtol=1e-5)
    # It is not a check of zeros.
    outputs(times, *parameters).sum().backward()
    assert all(tensor.grad.abs().max() > 1e-3 for tensor in (times, *parameters))


def test_gradcheck_by_constants():
    """By time constants, thresholds and biases."""
    learn = ("weights", "tau_mem", "tau_syn", "threshold", "bias")
    layer = Spiking(small_network(), "mean", learn=learn).double()
    times, indices, offsets = flat()
    names = [name for name, p in layer.named_parameters()]
    assert "layers_hidden_threshold" in names and "layers_out_bias" in names

    def outputs(*parameters):
        for name, parameter in zip(names, parameters):
            delattr(layer, name)
            setattr(layer, name, parameter)
        return layer(times.detach(), indices, offsets)

    parameters = [getattr(layer, name).detach().clone().requires_grad_() for name in names]
    assert torch.autograd.gradcheck(outputs, parameters, eps=1e-6, atol=1e-6, rtol=1e-5)


def test_gradcheck_through_two_modules_and_a_linear_layer():
    """Times made by torch; first spikes of one module are the input of the next."""
    torch.manual_seed(1)
    encode = torch.nn.Linear(3, 5).double()
    first = Spiking(
        ep.Network(
            40.0,
            [ep.input("in", 5), ep.lif("out", 4, tau_mem=20.0, tau_syn=5.0)],
            [ep.dense("in", "out", weights=ep.normal(2.5, 0.7))],
        ),
        "first_spike",
    ).double()
    second = Spiking(
        ep.Network(
            40.0,
            [ep.input("in", 4), ep.li("out", 2, tau_mem=20.0, tau_syn=5.0)],
            [ep.dense("in", "out", weights=ep.normal(1.0, 0.5))],
        ),
        "vmax",
    ).double()

    def model(x):
        return 100.0 * second(first(10.0 + 4.0 * torch.tanh(encode(x))))

    x = torch.rand(6, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(model, (x,), eps=1e-6, atol=1e-6, rtol=1e-5)
    model(x).sum().backward()
    assert x.grad.abs().max() > 1e-3 and encode.weight.grad.abs().max() > 1e-3
    spikes = first(torch.full((1, 5), math.inf, dtype=torch.float64))
    assert torch.equal(spikes, torch.full((1, 4), 40.0, dtype=torch.float64))


def test_an_optimiser_of_torch_trains_it():
    spikes, labels = toy_data()
    order = np.argsort(spikes.indices.reshape(-1, 8), axis=1)
    times = torch.from_numpy(np.take_along_axis(spikes.times.reshape(-1, 8), order, 1))
    labels = torch.from_numpy(labels)
    torch.manual_seed(0)
    network = ep.Network(
        60.0,
        [
            ep.input("in", 8),
            ep.lif("hidden", 20, tau_mem=20.0, tau_syn=5.0),
            ep.li("out", 6, tau_mem=20.0, tau_syn=5.0),
        ],
        [
            ep.dense("in", "hidden", weights=ep.normal(1.5, 1.0)),
            ep.dense("hidden", "out", weights=ep.normal(0.1, 0.3)),
        ],
    )
    model = torch.nn.Sequential(Spiking(network, "vmax"), torch.nn.Linear(6, 2))
    optimiser = torch.optim.Adam(model.parameters(), lr=0.02)
    losses = []
    for _ in range(30):
        optimiser.zero_grad()
        loss = torch.nn.functional.cross_entropy(model(times), labels)
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    accuracy = (model(times).argmax(dim=1) == labels).float().mean().item()
    assert losses[-1] < 0.7 * losses[0] and accuracy > 0.9, (losses[0], losses[-1], accuracy)


def test_it_measures_what_an_engine_does():
    network, spikes = small_network(), small_spikes(dtype=np.float32)
    layer = Spiking(network, "vmax", seed=3)
    engine = ep.Engine(network, readout="vmax", seed=3)
    run = engine.run(spikes)
    outputs = layer(torch.from_numpy(spikes.times), spikes.indices, spikes.offsets)
    assert outputs.dtype == torch.float32
    assert np.array_equal(outputs.detach().numpy(), run.outputs)
    recorded = layer.record(torch.from_numpy(spikes.times), spikes.indices, spikes.offsets)
    assert np.array_equal(recorded.spikes["hidden"].times, run.spikes["hidden"].times)
    outputs.sum().backward()
    gradient = engine.pull_back(spikes, np.ones((4, 3)))
    own = layer.connections_0_weights.grad.numpy()
    assert np.array_equal(own, gradient.parameters["connections.0.weights"])


def test_a_module_is_one_as_others_are(tmp_path):
    layer = Spiking(small_network(delays=ep.constant(1.0)))
    times, indices, offsets = flat(torch.float32)
    outputs = layer(times, indices, offsets)
    assert torch.equal(copy.deepcopy(layer)(times, indices, offsets), outputs)
    torch.save(layer.state_dict(), tmp_path / "state.pt")
    other = Spiking(small_network(delays=ep.constant(1.0)), seed=9)
    assert not torch.equal(other(times, indices, offsets), outputs)
    other.load_state_dict(torch.load(tmp_path / "state.pt"))
    assert torch.equal(other(times, indices, offsets), outputs)
    with torch.no_grad():
        layer.connections_0_delays.fill_(-1.0)
    with pytest.raises(ep.Error, match="Delays"):
        layer(times, indices, offsets)
    assert torch.equal(layer.clamp_().connections_0_delays, torch.zeros(5, 6))
    with pytest.raises(ValueError, match="learn: no weight"):
        Spiking(small_network(), learn=["weight"])
    with pytest.raises(TypeError, match="float16"):
        Spiking(small_network()).half()(times, indices, offsets)
    with pytest.raises(TypeError, match="indices must be integers, they are float64"):
        layer(times, torch.tensor(indices.tolist(), dtype=torch.float64), offsets)
    with pytest.raises(ValueError, match="indices must be from 0 to 4294967295, one is -1"):
        layer.record(times, torch.full(times.shape, -1), offsets)
    with pytest.raises(ep.Error, match="slope_floor: must be finite"):
        Spiking(small_network(), slope_floor=-1.0)(times, indices, offsets)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        outputs = layer(times, indices, offsets)
        (slope,) = torch.autograd.grad((outputs**2).sum(), times, create_graph=True)
        slope.sum().backward()


def test_flatten_sorts_and_drops_what_does_not_spike():
    times = torch.tensor([[3.0, 1.0, math.inf], [40.0, 2.0, 2.0]], requires_grad=True)
    ascending, indices, offsets = flatten(times, 40.0)
    assert ascending.tolist() == [1.0, 3.0, 2.0, 2.0]
    assert indices.tolist() == [1, 0, 1, 2] and offsets.tolist() == [0, 2, 4]
    ascending.sum().backward()
    assert times.grad.tolist() == [[1.0, 1.0, 0.0], [0.0, 1.0, 1.0]]
    with pytest.raises(ep.Error, match="time NaN"):
        Spiking(small_network())(torch.full((1, 5), math.nan))


def test_the_example_of_the_documentation():
    import eventprop.torch

    assert doctest.testmod(eventprop.torch).failed == 0
