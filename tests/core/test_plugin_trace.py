"""``UNPROMPT_TRACE_PLUGINS=1``: a line on stderr for each call of a plugin."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from unprompt import PluginError, PredictorSpec, Runtime, RunView
from unprompt._registry.boundary import calling
from unprompt._registry.plugins import Registry
from unprompt._registry.trace import VARIABLE

InstallPlugin = Callable[..., Path]

ECHO = """
from unprompt import Model, Predictor, PredictorSpec, hookimpl


class Options(Model):
    pass


class Echo(Predictor):
    def __init__(self, options, runtime):
        pass

    def prepare(self, train, artifact): ...

    def load(self, artifact): ...

    def predict(self, images): ...

    def count(self, numbers):
        yield from numbers

    def fail(self):
        1 / 0


@hookimpl
def unprompt_predictor():
    return PredictorSpec("echo", "Says it again", Options, "echo_plugin:Echo")


@hookimpl
def unprompt_run_finished(run, scores):
    pass
"""
OWNER = "plugin 'echo' (from unprompt-echo 1.0)"


def _use() -> None:
    registry = Registry()
    spec = registry.spec("echo", PredictorSpec)
    built = registry.build(spec, spec.options(), Runtime())
    assert list(built.count([1, 2])) == [1, 2]
    with pytest.raises(PluginError):
        built.fail()
    registry.notify(["echo"], "unprompt_run_started", run=RunView("x", Path()))
    registry.notify(["echo"], "unprompt_run_finished", run=RunView("x", Path()), scores={})


def test_each_call_is_a_line(
    install_plugin: InstallPlugin,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    install_plugin("echo", ECHO)
    monkeypatch.setenv(VARIABLE, "1")
    _use()
    out, err = capsys.readouterr()
    shape = r"trace: (.*?): ([\w:. ]+): (\d+\.\d\d) ms(.*)"
    lines = [re.fullmatch(shape, line) for line in err.splitlines()]
    assert out == ""
    assert all(lines)
    assert {line[1] for line in lines if line} == {OWNER}
    assert [(line[2], line[4]) for line in lines if line] == [
        ("import", ""),
        ("unprompt_predictor", ""),
        ("import of echo_plugin", ""),
        ("echo_plugin:Echo", ""),
        ("Echo.count", ""),  # makes the iterator
        ("Echo.count", ""),
        ("Echo.count", ""),
        ("Echo.count", ""),  # its end
        ("Echo.count", ""),  # and its close
        ("Echo.fail", ", raised ZeroDivisionError"),
        ("unprompt_run_finished", ""),  # the other hook is not its own
    ]


@pytest.mark.parametrize("value", [None, "", "0"])
def test_nothing_is_printed_unless_asked_for(
    install_plugin: InstallPlugin,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    value: str | None,
) -> None:
    install_plugin("echo", ECHO)
    monkeypatch.delenv(VARIABLE, raising=False)
    if value is not None:
        monkeypatch.setenv(VARIABLE, value)
    _use()
    assert capsys.readouterr() == ("", "")


def test_a_call_inside_another_is_indented_and_comes_first(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(VARIABLE, "1")
    registry = Registry()
    with calling(registry.claim("knn-vit-h"), "outer"), calling(registry.claim("painter"), "inner"):
        pass
    inner, outer = capsys.readouterr().err.splitlines()
    assert inner.startswith("  trace: plugin 'painter' ")
    assert outer.startswith("trace: plugin 'knn-vit-h' ")
