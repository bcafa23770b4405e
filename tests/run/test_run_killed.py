"""A run that is killed leaves nothing that looks like a result, and can be repeated."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import numpy as np
import pytest

ScoresOf = Callable[[Path], dict[str, Any]]
Numbers = Callable[[Any], list[float]]
RunFolder = Callable[..., Path]
Command = Callable[..., CompletedProcess[str]]

# As a shell in the foreground starts it: one in the background has Ctrl-C ignored.
PROGRAM = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
from unprompt._cli.app import main
main()
"""

PATIENCE = 240.0
"""Seconds after which a run is taken to hang."""


def wait_for(what: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    started = time.monotonic()
    while not what():
        assert process.poll() is None, f"ended too early: {process.communicate()}"
        assert time.monotonic() - started < PATIENCE
        time.sleep(0.005)


def interrupt(experiment: Path, cache: Path, pattern: str, number: signal.Signals) -> int:
    """Start a run, stop it when something new matches ``pattern`` in the cache; its exit code."""
    before = set(cache.glob(pattern))
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, "run", str(experiment)],
        env={**os.environ, "UNPROMPT_CACHE_DIR": str(cache)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        wait_for(lambda: bool(set(cache.glob(pattern)) - before), process)
        process.send_signal(number)
        out, _ = process.communicate(timeout=PATIENCE)
    finally:
        process.kill()
    assert out == ""
    return process.returncode


def results(experiment: Path) -> list[Path]:
    """The visible folders below ``runs/``."""
    return [path for path in experiment.parent.glob("runs/*/*") if not path.name.startswith(".")]


def leftovers(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.part"))


@pytest.mark.slow
def test_a_run_killed_again_and_again_ends_with_the_same_scores(
    small_experiment: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    scores_of: ScoresOf,
    run_folder: RunFolder,
    numbers: Numbers,
) -> None:
    text = small_experiment.read_text().replace("images: 240", "images: 120")
    experiment = tmp_path / "killed" / "small.yaml"
    experiment.parent.mkdir()
    experiment.write_text(text)
    cache = tmp_path / "cache"
    for pattern in ("texts/.*.part", "artifacts/[!.]*", "predictions/[!.]*"):
        assert interrupt(experiment, cache, pattern, signal.SIGKILL) == -signal.SIGKILL
        assert results(experiment) == []
        assert leftovers(experiment.parent) != []
    # Ctrl-C is orderly: the run's temporary folder goes, and the dead processes' went before.
    assert interrupt(experiment, cache, "predictions/[!.]*", signal.SIGINT) == 130
    assert results(experiment) == []
    assert leftovers(experiment.parent) == []

    monkeypatch.setenv("UNPROMPT_CACHE_DIR", str(cache))
    after_kills = scores_of(run_folder(experiment))
    assert len(results(experiment)) == 1
    assert leftovers(experiment.parent) == []

    fresh = tmp_path / "fresh" / "small.yaml"
    fresh.parent.mkdir()
    fresh.write_text(text)
    monkeypatch.setenv("UNPROMPT_CACHE_DIR", str(tmp_path / "fresh-cache"))
    uninterrupted = scores_of(run_folder(fresh))
    np.testing.assert_allclose(numbers(after_kills), numbers(uninterrupted), rtol=0, atol=1e-9)
