"""A working directory in which the plugin ``echo`` is installed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

ECHO = """
from pydantic import Field

from unprompt import Location, Model, PredictorSpec, hookimpl


class Kernel(Model):
    temperature: float = Field(default=1.0, gt=0)


class Options(Model):
    depth: int = Field(default=3, ge=1)
    words: list[str] = []
    bank: Location | None = None
    kernel: Kernel = Kernel()


@hookimpl
def unprompt_predictor():
    return PredictorSpec("echo", "Says it again", Options, "echo_plugin:Echo")
"""


@pytest.fixture
def echo_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, install_plugin: Callable[..., Path]
) -> Path:
    """The working directory; the plugin ``echo`` is installed."""
    install_plugin("echo", ECHO)
    monkeypatch.chdir(tmp_path)
    return tmp_path
