"""Each method of the facade hands over to its async twin, with every argument where it belongs."""

import inspect
import subprocess
import sys
import types

import pytest

from truemed_async import SyncStream, Truemed, sync
from truemed_async.sync import _generated

RESOURCES = [kind for kind in (getattr(sync, name) for name in sync.__all__) if kind not in (Truemed, SyncStream)]
METHODS = [
    pytest.param(kind, name, id=f"{kind.__name__}.{name}")
    for kind in RESOURCES
    for name in vars(kind)
    if not name.startswith("_")
]


class Recorder:
    """Stands for an async resource: each call returns what was called, and with what."""

    def __getattr__(self, name):
        return lambda *arguments, **named: (name, arguments, named)


@pytest.fixture
def direct(monkeypatch):
    """Nothing between the facade and what it hands over to."""
    done = []

    def run(function, /, *arguments, **named):
        done.append(function(*arguments, **named))
        return done[-1]

    monkeypatch.setattr(_generated, "runner", types.SimpleNamespace(run=run))
    monkeypatch.setattr(_generated, "SyncStream", lambda source: run(lambda: source))
    monkeypatch.setattr(_generated, "bridge_stream", lambda make, items, concurrency: run(make, items))
    return done


@pytest.mark.parametrize(("kind", "name"), METHODS)
def test_method_hands_over_every_argument(direct, kind, name):
    method = getattr(kind(Recorder()), name)
    parameters = inspect.signature(method).parameters.values()
    values = {each.name: f"the {each.name}" for each in parameters}
    returned = method(**values)
    ((called, arguments, named),) = direct
    assert called == name
    positional = [each.name for each in parameters if each.kind is not each.KEYWORD_ONLY]
    assert arguments == tuple(values[each] for each in positional)
    assert named == {each: value for each, value in values.items() if each not in positional}
    assert returned == (called, arguments, named) or inspect.signature(method).return_annotation == "None"


def test_codegen_runs_as_a_program():
    done = subprocess.run(
        [sys.executable, "-m", "truemed_async._codegen", "--check"], capture_output=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout) == (0, b""), done.stderr
