"""Networks and configurations: from TOML, from JSON, from code."""

import copy
import json
import pickle

import numpy as np
import pytest

import eventprop as ep
from conftest import small_network, toy_config


def test_code_toml_json_and_dictionaries_are_the_same(tmp_path):
    config = toy_config()
    assert ep.Config.parse(config.to_toml()) == config
    assert ep.Config(**config.to_dict()) == config
    (tmp_path / "toy.toml").write_text(config.to_toml())
    (tmp_path / "toy.json").write_text(json.dumps(config.to_dict()))
    assert ep.Config.load(tmp_path / "toy.toml") == config
    assert ep.Config.load(str(tmp_path / "toy.json")) == config
    assert pickle.loads(pickle.dumps(config)) == config and copy.deepcopy(config) == config
    assert config.network.layers == [("in", 8), ("hidden", 20), ("out", 2)]
    again = pickle.loads(pickle.dumps(config.network))
    assert again.to_dict() == config.network.to_dict()


def test_every_preset_comes_back():
    assert ep.Config.presets()[0] == "mnist"
    for name in ep.Config.presets():
        config = ep.Config.preset(name)
        assert config.name == name
        assert ep.Config(**config.to_dict()) == config
    changed = ep.Config.preset("mnist").override(epochs=2, lr=0.5, seed=9)
    training = changed.to_dict()["training"]
    assert (training["epochs"], training["lr"], training["seed"]) == (2, 0.5, 9)


def test_every_kind_of_layer_and_connection():
    network = ep.Network(
        duration=30.0,
        layers=[
            ep.input("in", 36, shape=(1, 6, 6)),
            ep.lif("conv", 32, shape=(2, 4, 4), tau_mem=20.0, tau_syn=5.0, refractory=1.0),
            ep.lif("pool", 8, shape=(2, 2, 2), tau_mem=[10.0] * 8, tau_syn=5.0, threshold=0.8,
                   reset=0.1, bias=0.01, adaptation={"beta": 0.1, "tau": 30.0}),
            ep.li("out", 3, tau_mem=20.0, tau_syn=5.0, bias=[0.0, 0.1, 0.2]),
        ],
        connections=[
            ep.conv2d("in", "conv", kernel=(3, 3), weights=ep.uniform(0.5, 1.5)),
            ep.sum_pool2d("conv", "pool", kernel=(2, 2), weight=0.7),
            ep.dense("pool", "out", weights=ep.constant(0.2), delays=ep.uniform(0.0, 2.0)),
            ep.dense("pool", "pool", weights="zeros"),
        ],
    )
    shapes = {name: values.shape for name, values in network.initial_parameters(4).items()}
    assert shapes["connections.0.weights"] == (2, 1, 3, 3)
    assert "connections.1.weights" not in shapes
    assert shapes["connections.2.weights"] == shapes["connections.2.delays"] == (8, 3)
    assert shapes["layers.pool.tau_mem"] == (8,) and shapes["layers.conv.tau_mem"] == (1,)
    assert shapes["layers.pool.adaptation_beta"] == (1,)
    first, second = network.initial_parameters(4), network.initial_parameters(5)
    weights = "connections.0.weights"
    assert np.array_equal(first[weights], network.initial_parameters(4)[weights])
    assert not np.array_equal(first[weights], second[weights])
    assert np.all(first["connections.2.weights"] == np.float32(0.2))


def test_what_is_wrong_is_named():
    layers = [ep.input("in", 2), ep.li("out", 2, tau_mem=-3.0, tau_syn=5.0)]
    connections = [ep.dense("in", "out", weights="zeros")]
    with pytest.raises(ep.Error) as raised:
        ep.Network(20.0, layers, connections)
    expected = "network.layers[1].tau_mem: must be positive and finite, got -3"
    assert str(raised.value) == expected
    with pytest.raises(ep.Error) as raised:
        ep.Network(20.0, [layers[0], {"name": "out", "kind": "li", "tau_sin": 5.0}], connections)
    assert 'unknown key "tau_sin"; did you mean "tau_syn"?' in str(raised.value)
    fields = toy_config().to_dict()
    fields["training"]["epochs"] = 0
    with pytest.raises(ep.Error, match="training.epochs: must be at least 1, got 0"):
        ep.Config(**fields)
    with pytest.raises(ep.Error, match='unknown key "los"; did you mean "loss"'):
        ep.Config(**{**fields, "los": 3})
    with pytest.raises(ep.Error, match="there is no preset"):
        ep.Config.preset("mnits")


def test_parameters_are_checked():
    engine = ep.Engine(small_network(delays=ep.uniform(0.0, 1.0)), "vmax_cross_entropy")
    weights = np.ones((5, 6))
    engine.load({"connections.0.weights": weights})
    assert np.array_equal(engine.parameters()["connections.0.weights"], weights)
    for given, text in [
        ({"connections.7.weights": weights}, 'there are no parameters "connections.7.weights"'),
        ({"connections.0.weights": weights.T}, "must be of shape [5, 6], is [6, 5]"),
        ({"connections.0.weights": weights * np.nan}, "NaN is no value for Weights(0)"),
        ({"connections.0.delays": -weights}, "-1 is no value for Delays(0)"),
        ({"layers.hidden.tau_mem": [0.0]}, "0 is no value for TauMem(1)"),
        ({"layers.hidden.threshold": [0.0]}, "0 is no value for Threshold(1)"),
    ]:
        with pytest.raises(ep.Error) as raised:
            engine.load(given)
        assert text in str(raised.value)
    assert np.array_equal(engine.parameters()["connections.0.weights"], weights)
