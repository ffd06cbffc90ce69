"""Stubs, documents and the notebook say what is there."""

import ast
import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

import eventprop as ep
from conftest import CRATES
from eventprop import _core, _machine


def stubs():
    return ast.parse(Path(_core.__file__).with_name("_core.pyi").read_text())


def public(names):
    hidden = ("__new__", "__len__", "__getitem__")
    return {name for name in names if not name.startswith("_") or name in hidden}


def test_the_stubs_are_those_of_what_is_there():
    assert Path(_core.__file__).with_name("py.typed").exists()
    typed = [ast.unparse(base) for node in stubs().body if isinstance(node, ast.ClassDef) for base in node.bases]
    described = {}
    for node in stubs().body:
        if isinstance(node, ast.ClassDef) and not any("TypedDict" in ast.unparse(b) for b in node.bases):
            members = {m.name for m in node.body if isinstance(m, ast.FunctionDef)}
            members |= {m.target.id for m in node.body if isinstance(m, ast.AnnAssign)}
            described[node.name] = members
        elif isinstance(node, ast.FunctionDef):
            described[node.name] = None
    assert typed
    there = {name for name in vars(_core) if not name.startswith("_")}
    assert set(described) == there
    for name, members in described.items():
        if members and name != "Error":
            own = public(vars(getattr(_core, name)))
            assert own - {"__new__"} == public(members) - {"__new__"}, name


def test_signatures_are_those_of_the_stubs():
    for node in stubs().body:
        if not isinstance(node, ast.ClassDef):
            continue
        for method in node.body:
            own = getattr(getattr(_core, node.name, None), getattr(method, "name", ""), None)
            if not isinstance(method, ast.FunctionDef) or own is None or method.args.kwarg:
                continue
            try:
                found = inspect.signature(own)
            except ValueError:
                continue
            names = [p for p in found.parameters if p not in ("self", "cls", "args", "kwargs")]
            wanted = [a.arg for a in method.args.args + method.args.kwonlyargs]
            wanted = [name for name in wanted if name not in ("self", "cls")]
            if "values" not in names and method.name != "__new__":
                positional = {"key": "sample"}
                assert [positional.get(n, n) for n in names] == wanted, (node.name, method.name)


@pytest.mark.parametrize("name", ep.__all__)
def test_everything_public_is_documented(name):
    assert inspect.getdoc(getattr(ep, name)) or name == "__version__"


#: What a type checker has to see through, and two mistakes that it has to find.
TYPED = """
import numpy as np
import eventprop as ep

network = ep.Network(20.0, [ep.input("a", 2), ep.lif("b", 3, tau_mem=20.0, tau_syn=[5.0, 6.0, 7.0])],
                     [ep.dense("a", "b", weights=ep.normal(1.0, 0.1))])
engine = ep.Engine(network, "spike_time_sum", precision="f64")
spikes = ep.Spikes(np.array([1.0, 2.0]), [0, 1])
total: float = engine.grad(spikes, [0]).loss
times, neurons = engine.run(spikes).spikes["b"][0]
trainer = ep.train(ep.Config.preset("mnist"), on_epoch=lambda record: record["test"]["accuracy"])
accuracy: float = trainer.history[-1]["test"]["accuracy"]
engine.run([1.0])
ep.Config.preset("mnist").override(epoch=1)
"""


def test_a_type_checker_sees_through_it(tmp_path):
    pytest.importorskip("mypy")
    (tmp_path / "typed.py").write_text(TYPED)
    command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(tmp_path), "typed.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    errors = [line for line in done.stdout.splitlines() if "error:" in line]
    assert len(errors) == 2, done.stdout + done.stderr
    assert 'incompatible type "list[float]"; expected "Spikes"' in errors[0]
    assert 'Unexpected keyword argument "epoch"' in errors[1]


def test_the_document_runs(tmp_path, monkeypatch):
    """Every Python block of docs/python.md, one after another."""
    text = (CRATES.parent / "docs/python.md").read_text()
    blocks = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    assert len(blocks) >= 4
    monkeypatch.chdir(tmp_path)
    space = {}
    for block in blocks:
        if "torch" in block and not has_torch():
            continue
        exec(compile(block, "docs/python.md", "exec"), space)


def test_the_notebook_runs():
    nbformat = pytest.importorskip("nbformat")
    client = pytest.importorskip("nbclient")
    notebook = nbformat.read(CRATES / "eventprop-python/notebooks/mnist.ipynb", as_version=4)
    client.NotebookClient(notebook, timeout=300, kernel_name="python3").execute()
    pictures = [
        output
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if "image/png" in output.get("data", {})
    ]
    assert len(pictures) >= 3


def test_a_machine_without_avx2_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(_machine.platform, "machine", lambda: "x86_64")
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text("flags : fpu sse2 fma bmi2\n")
    with pytest.raises(ImportError, match="has no avx2"):
        _machine.check(cpuinfo)
    _machine.check(tmp_path / "none")
    assert "torch" not in sys.modules or has_torch()


def has_torch():
    try:
        import torch  # noqa: F401
    except ImportError:
        return False
    return True
