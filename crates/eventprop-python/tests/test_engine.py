"""Running and differentiating: against the worked problems, and without the interpreter's lock."""

import threading
import time

import numpy as np
import pytest

import eventprop as ep
from conftest import small_network, small_spikes, worked_problems

#: The accuracy of the worked problems' finite differences, relative to the largest number of a list.
GRADIENT = 1e-7
#: The accuracy of their losses, and of their spike times in ms.
FORWARD = 1e-9


def close(found, expected, tolerance):
    found, expected = np.asarray(found), np.asarray(expected, dtype=np.float64)
    assert found.shape == expected.shape
    scale = np.abs(expected).max(initial=0.0)
    assert np.abs(found - expected).max(initial=0.0) <= tolerance * scale


@pytest.mark.parametrize("backend", ["reference", "cpu"])
@pytest.mark.parametrize("worked", worked_problems())
def test_worked_problems(worked, backend):
    found, expected = ep.grad(worked["problem"], backend=backend), worked["result"]
    assert abs(found["loss"] - expected["loss"]) <= FORWARD
    for own, wanted in zip(found["spikes"], expected["spikes"], strict=True):
        for layer, train in wanted.items():
            times, neurons = own[layer]
            assert np.abs(times - [time for time, _ in train]).max(initial=0.0) <= FORWARD
            assert neurons.tolist() == [neuron for _, neuron in train]
    gradients, wanted = found["gradients"], expected["gradients"]
    for own, connection in zip(gradients["connections"], wanted["connections"], strict=True):
        for field, values in connection.items():
            close(own[field], values, GRADIENT)
    for layer, fields in wanted["layers"].items():
        for field, values in fields.items():
            own = gradients["layers"][layer][field]
            if isinstance(values, dict):
                for constant, value in values.items():
                    close(own[constant], value, GRADIENT)
            else:
                close(own, values, GRADIENT)
    for own, sample in zip(gradients["samples"], wanted["samples"], strict=True):
        close(own, sample, GRADIENT)


@pytest.mark.parametrize("worked", worked_problems())
def test_an_engine_gives_the_same_on_arrays(worked):
    """The way through `Network`, `Spikes` and `Engine` comes to the same numbers."""
    problem, expected = worked["problem"], worked["result"]
    connections = []
    parameters = {}
    for position, connection in enumerate(problem["connections"]):
        own = dict(connection)
        for field in ("weights", "delays"):
            if field in own:
                array = np.array(own[field])
                parameters[f"connections.{position}.{field}"] = array
                own[field] = "zeros"
                if own["kind"] == "conv2d":
                    own["kernel"] = array.shape[2:]
        connections.append(own)
    network = ep.Network(problem["duration"], problem["layers"], connections)
    engine = ep.Engine(
        network,
        problem["loss"],
        parameters=parameters,
        backend="reference",
        precision="f64",
        constant_gradients=True,
    )
    orders = [np.argsort([s[0] for s in sample["spikes"]], kind="stable") for sample in problem["samples"]]
    trains = [np.array(sample["spikes"]).reshape(-1, 2)[order] for sample, order in zip(problem["samples"], orders)]
    spikes = ep.Spikes(
        np.concatenate([train[:, 0] for train in trains]),
        np.concatenate([train[:, 1] for train in trains]).astype(int),
        np.concatenate([[0], np.cumsum([len(train) for train in trains])]),
    )
    gradient = engine.grad(spikes, [sample.get("label", 0) for sample in problem["samples"]])
    assert abs(gradient.loss - expected["loss"]) <= FORWARD
    for position, connection in enumerate(expected["gradients"]["connections"]):
        for field, values in connection.items():
            close(gradient.parameters[f"connections.{position}.{field}"], values, GRADIENT)
    for layer, fields in expected["gradients"]["layers"].items():
        close(np.ravel(gradient.parameters[f"layers.{layer}.tau_mem"]), np.ravel(fields["tau_mem"]), GRADIENT)
    start = 0
    for order, sample in zip(orders, expected["gradients"]["samples"], strict=True):
        own = np.zeros(len(order))
        own[order] = gradient.times[start : start + len(order)]
        close(own, sample, GRADIENT)
        start += len(order)


def test_precisions_and_backends_agree():
    spikes, labels = small_spikes(), [0, 1, 2, 1]
    options = [("reference", "f64"), ("cpu", "f64"), ("cpu", "f32")]
    found = []
    for backend, precision in options:
        engine = ep.Engine(small_network(), "vmax_cross_entropy", backend=backend, precision=precision)
        run, gradient = engine.run(spikes), engine.grad(spikes, labels)
        assert run.outputs.shape == (4, 3) and run.predictions.dtype == np.int64
        assert gradient.losses.shape == (4,) and gradient.times.shape == spikes.times.shape
        # Gradients that were not asked for are not there, rather than zero.
        assert set(gradient.parameters) == {"connections.0.weights", "connections.1.weights"}
        found.append((run.outputs, gradient.parameters["connections.0.weights"], gradient.times))
    for own, tolerance in [(found[1], 1e-10), (found[2], 2e-3)]:
        for values, exact in zip(own, found[0]):
            assert np.abs(values - exact).max() <= tolerance * np.abs(exact).max()
    assert found[0][0].dtype == np.float64 and found[2][0].dtype == np.float32
    assert np.abs(found[0][1]).max() > 1e-3


def test_a_pullback_is_the_chain_rule():
    network, spikes, labels = small_network(), small_spikes(), np.array([0, 1, 2, 1])
    whole = ep.Engine(network, "vmax_cross_entropy", precision="f64")
    inner = ep.Engine(network, readout="vmax", precision="f64")
    z = inner.run(spikes, record=False).outputs
    softmax = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    by_outputs = (softmax - np.eye(3)[labels]) / 4
    found, expected = inner.pull_back(spikes, by_outputs), whole.grad(spikes, labels)
    assert found.loss == pytest.approx((by_outputs * z).sum())
    assert np.allclose(found.times, expected.times, atol=1e-14)
    for name, values in expected.parameters.items():
        assert np.allclose(found.parameters[name], values, atol=1e-14)
    with pytest.raises(ep.Error, match="call pull_back"):
        inner.grad(spikes, labels)
    with pytest.raises(ep.Error, match="call grad"):
        whole.pull_back(spikes, by_outputs)
    # What has the right number of values may still have samples and outputs exchanged.
    for wrong in [by_outputs.ravel(), by_outputs.T, by_outputs[None], [1.0, 2.0, 3.0]]:
        shape = list(np.shape(wrong))
        with pytest.raises(ep.Error) as raised:
            inner.pull_back(spikes, wrong)
        assert str(raised.value) == f"by_outputs must be of shape [4, 3], is {shape}"


@pytest.mark.parametrize("floor", [-0.1, float("nan"), float("inf")])
def test_a_slope_floor_is_refused_as_a_configuration_refuses_it(floor):
    with pytest.raises(ep.Error, match="slope_floor: must be finite and not negative"):
        ep.Engine(small_network(), "vmax_cross_entropy", slope_floor=floor)
    config = ep.Config.preset("mnist").to_dict()
    config["training"]["slope_floor"] = floor
    with pytest.raises(ep.Error, match="slope_floor: must be finite and not negative"):
        ep.Config(**config)


def test_the_gradient_is_that_of_differences():
    """By one weight and one spike time, through the public face alone."""
    spikes, labels = small_spikes(), [0, 1, 2, 1]
    engine = ep.Engine(small_network(), "vmax_cross_entropy", precision="f64")
    gradient, eps = engine.grad(spikes, labels), 1e-6
    name = "connections.0.weights"
    weights = engine.parameters()[name]
    at = np.unravel_index(np.abs(gradient.parameters[name]).argmax(), weights.shape)

    def loss(change):
        changed = weights.copy()
        changed[at] += change
        engine.load({name: changed})
        return engine.grad(spikes, labels).loss

    difference = (loss(eps) - loss(-eps)) / (2 * eps)
    assert difference == pytest.approx(gradient.parameters[name][at], rel=1e-6)
    engine.load({name: weights})
    place = int(np.abs(gradient.times).argmax())

    def moved(change):
        times = spikes.times.copy()
        times[place] += change
        return engine.grad(ep.Spikes(times, spikes.indices, spikes.offsets), labels).loss

    difference = (moved(eps) - moved(-eps)) / (2 * eps)
    assert difference == pytest.approx(gradient.times[place], rel=1e-6)


def test_threads_change_no_bit():
    spikes, labels = small_spikes(samples=50, dtype=np.float32), np.arange(50) % 3
    one, two = (
        ep.Engine(small_network(), "vmax_cross_entropy", threads=threads).grad(spikes, labels)
        for threads in (1, 2)
    )
    assert np.array_equal(one.times, two.times)
    assert np.array_equal(one.parameters["connections.0.weights"], two.parameters["connections.0.weights"])


def test_a_trace_follows_neurons():
    engine = ep.Engine(small_network(), "vmax_cross_entropy")
    one = ep.Spikes(*small_spikes(dtype=np.float32)[0])
    hidden, out = engine.trace(one, 1, [("hidden", 2), ("out", 1)], step=0.1)
    run = engine.run(one)
    times, neurons = run.spikes["hidden"][0]
    assert np.allclose(hidden["spikes"], times[neurons == 2], atol=1e-4)
    assert out["v"].max() == pytest.approx(run.outputs[0, 1], rel=1e-4)
    assert np.all(np.diff(hidden["time"]) >= 0) and np.all(np.diff(hidden["adjoint_time"]) <= 0)
    assert len(hidden["lambda_v"]) == len(hidden["lambda_i"]) == len(hidden["adjoint_time"])
    assert np.diff(hidden["time"]).max() <= 0.1 + 1e-9
    with pytest.raises(ep.Error, match='no layer is called "hiden"'):
        engine.trace(one, 1, [("hiden", 2)])


def test_threads_beyond_any_machine_are_refused():
    with pytest.raises(ep.Error, match="^threads: at most .* got 1000000; 0 for as many"):
        ep.Engine(small_network(), "vmax_cross_entropy", threads=1_000_000)


def test_other_threads_of_python_go_on():
    """A call of hundreds of ms; meanwhile another thread of Python counts."""
    network = ep.Config.preset("mnist").network
    spikes = ep.latency(ep.mnist()[1][0][:2000])
    engine = ep.Engine(network, "vmax_cross_entropy", threads=1)
    ticks, done = [], threading.Event()

    def count():
        while not done.is_set():
            ticks.append(time.monotonic())
            time.sleep(0.001)

    thread = threading.Thread(target=count)
    thread.start()
    start = time.monotonic()
    engine.grad(spikes, np.zeros(2000, dtype=int))
    end = time.monotonic()
    done.set()
    thread.join()
    # Not in the first or last fifth, where arrays are made with the lock held.
    fifth = (end - start) / 5
    within = [tick for tick in ticks if start + fifth < tick < end - fifth]
    assert len(within) > 20, f"{len(within)} in {end - start:.2f} s"


def test_a_runaway_is_named():
    engine = ep.Engine(small_network(), "vmax_cross_entropy")
    engine.load({"connections.0.weights": np.full((5, 6), 1e9)})
    with pytest.raises(ep.Error, match='layer "hidden" ran away in sample 0 of the batch'):
        engine.run(small_spikes())
    with pytest.raises(ep.Error, match="sample 0 has a spike of input 9, the network 5 inputs"):
        engine.run(ep.Spikes([1.0], [9]))
    with pytest.raises(ep.Error, match="sample 0 has label 5, the output 3 neurons"):
        engine.grad(ep.Spikes([1.0], [1]), [5])
