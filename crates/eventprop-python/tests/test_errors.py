"""Exceptions say what the command says, to the letter."""

import json

import pytest

import eventprop as ep
from conftest import worked_problems


def broken(edit):
    problem = json.loads(json.dumps(worked_problems()[0].values[0]["problem"]))
    edit(problem)
    return problem


def config_case(edit):
    """A configuration file that `edit` changes, as text."""

    def prepare(folder):
        path = folder / "own.toml"
        path.write_text(edit(ep.Config.preset("mnist").to_toml()))
        return ["train", path], lambda: ep.train(path)

    return prepare


def override_case(**values):
    def prepare(folder):
        flags = [f"--{name}={value}" for name, value in values.items()]
        return ["train", "--print-config", *flags], lambda: ep.Config.preset("mnist").override(**values)

    return prepare


def problem_case(content, *flags, **options):
    def prepare(folder):
        path = folder / "problem.json"
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return ["grad", path, *flags], lambda: ep.grad(path, **options)

    return prepare


def checkpoint_case(change):
    def prepare(folder):
        from conftest import toy_config, toy_data

        samples = ep.Samples(*toy_data())
        path = folder / "broken.safetensors"
        path.write_bytes(change(ep.Trainer(toy_config(), ep.Data(samples, samples)).checkpoint().to_bytes()))
        return ["eval", path], lambda: ep.load(path)

    return prepare


def flipped(content):
    return content[:-1] + bytes([content[-1] ^ 1])


CASES = {
    "no configuration": lambda folder: (
        ["train", folder / "none.toml"],
        lambda: ep.train(folder / "none.toml"),
    ),
    "no such preset": lambda folder: (
        ["train", "--preset", "mnits"],
        lambda: ep.train("mnits"),
    ),
    "unknown key": config_case(lambda text: text.replace("epochs =", "epoch =", 1)),
    "wrong type": config_case(lambda text: text.replace("epochs = ", 'epochs = "x" #', 1)),
    "no TOML": config_case(lambda text: text + "\n[["),
    "out of range": config_case(lambda text: text.replace("lr = ", "lr = -", 1)),
    "no such folder": config_case(
        lambda text: text.replace("[data]", '[data]\nfolder = "/no/such/folder"', 1)
    ),
    "a flag that means nothing": override_case(dt=1.0),
    "a flag out of range": override_case(epochs=0),
    "no such problem": lambda folder: (
        ["grad", folder / "none.json"],
        lambda: ep.grad(folder / "none.json"),
    ),
    "half a problem": problem_case(json.dumps(broken(lambda p: None))[:200]),
    "a time constant": problem_case(broken(lambda p: p["layers"][1].update(tau_mem=-3))),
    "a field": problem_case(broken(lambda p: p["layers"][1].update(tau_memm=3))),
    "a shape": problem_case(broken(lambda p: p["connections"][0].update(weights=[[1.0]]))),
    "a precision": problem_case(broken(lambda p: None), "--precision", "f32", precision="f32"),
    "an engine": problem_case(broken(lambda p: None), "--backend", "cuda", backend="cuda"),
    "no checkpoint": lambda folder: (
        ["eval", folder / "none.safetensors"],
        lambda: ep.load(folder / "none.safetensors"),
    ),
    "half a checkpoint": checkpoint_case(lambda content: content[:100]),
    "an altered checkpoint": checkpoint_case(flipped),
}


@pytest.mark.parametrize("name", CASES)
def test_the_text_is_the_commands(name, command, tmp_path):
    arguments, call = CASES[name](tmp_path)
    done = command(*arguments)
    assert done.returncode == 2, done.stdout
    with pytest.raises(ep.Error) as raised:
        call()
    assert f"error: {raised.value}\n" == done.stderr
