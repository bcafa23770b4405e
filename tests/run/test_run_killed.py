"""A killed run leaves nothing that looks like a result, and costs nothing but time."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import numpy as np
import pytest

from unprompt._files import writing as files
from unprompt.errors import OutputError

Command = Callable[..., CompletedProcess[str]]

# As a shell in the foreground starts it: one in the background has Ctrl-C ignored.
PROGRAM = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
from unprompt._cli.app import main
main()
"""
PATIENCE = 240.0
"""Seconds; only a hang takes as long."""


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
    """What a person sees below ``runs/``."""
    return [path for path in experiment.parent.glob("runs/*/*") if not path.name.startswith(".")]


def leftovers(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.part"))


def scores_of(done: CompletedProcess[str]) -> dict[str, Any]:
    assert done.returncode == 0, done.stderr
    folder = Path(done.stdout.splitlines()[-1])
    scores: dict[str, Any] = json.loads((folder / "scores.json").read_text())
    return scores


def numbers(value: Any) -> list[float]:
    if isinstance(value, dict):
        return [number for key in sorted(value) for number in numbers(value[key])]
    if isinstance(value, list):
        return [number for item in value for number in numbers(item)]
    return [value] if isinstance(value, int | float) else []


@pytest.mark.slow
def test_a_run_killed_again_and_again_ends_with_the_same_scores(
    unprompt: Command, small_experiment: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
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
    # Ctrl-C is orderly: the run's temporary folder goes, the dead processes' are too fresh yet.
    remains = leftovers(experiment.parent)
    assert interrupt(experiment, cache, "predictions/[!.]*", signal.SIGINT) == 130
    assert results(experiment) == []
    assert set(leftovers(experiment.parent)) <= set(remains)

    monkeypatch.setattr(files, "SETTLED", 0.0)
    monkeypatch.setenv("UNPROMPT_CACHE_DIR", str(cache))
    disturbed = scores_of(unprompt("run", experiment))
    assert len(results(experiment)) == 1
    assert leftovers(experiment.parent) == []

    other = tmp_path / "other" / "small.yaml"
    other.parent.mkdir()
    other.write_text(text)
    monkeypatch.setenv("UNPROMPT_CACHE_DIR", str(tmp_path / "fresh"))
    undisturbed = scores_of(unprompt("run", other))
    np.testing.assert_allclose(numbers(disturbed), numbers(undisturbed), rtol=0, atol=1e-9)


HOLDER = """
import sys, time
from pathlib import Path
from unprompt._files.writing import replacing_folder
with replacing_folder(Path(sys.argv[1])) as part:
    (part / "half.txt").write_text("half")
    print("ready", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that is writing the folder ``results/first``."""
    target = tmp_path / "results" / "first"
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(target)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def test_a_dead_process_is_swept_and_a_living_one_is_not(
    holder: subprocess.Popen[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "results"
    (part,) = leftovers(folder)
    monkeypatch.setattr(files, "SETTLED", 0.0)
    with files.replacing_folder(folder / "second") as own:
        (own / "whole.txt").write_text("whole")
    assert leftovers(folder) == [part]  # its process holds it
    holder.kill()
    holder.wait()
    assert not (folder / "first").exists()
    monkeypatch.setattr(files, "SETTLED", 3600.0)
    with files.replacing_folder(folder / "third"):
        pass
    assert leftovers(folder) == [part]  # it may be about to be held
    monkeypatch.setattr(files, "SETTLED", 0.0)
    with files.replacing_folder(folder / "fourth"):
        pass
    assert sorted(path.name for path in folder.iterdir()) == ["fourth", "second", "third"]


def test_a_folder_that_fails_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(KeyError), files.replacing_folder(tmp_path / "new" / "deep" / "run") as part:
        (part / "half.txt").write_text("half")
        raise KeyError
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_fails_spares_what_was_there(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(KeyError), files.replacing_folder(tmp_path / "empty" / "run"):
        raise KeyError
    assert [path.name for path in tmp_path.iterdir()] == ["empty"]


def test_two_may_make_the_same_shared_folder_but_not_the_same_result(tmp_path: Path) -> None:
    path = tmp_path / "entry"
    with files.replacing_folder(path, shared=True) as late:
        (late / "late.txt").write_text("late")
        with files.replacing_folder(path, shared=True) as early:
            (early / "early.txt").write_text("early")
    assert [file.name for file in path.iterdir()] == ["early.txt"]
    with pytest.raises(OutputError, match="cannot be written"), files.replacing_folder(path):
        pass
    assert [file.name for file in path.iterdir()] == ["early.txt"]
    assert [folder.name for folder in tmp_path.iterdir()] == ["entry"]
