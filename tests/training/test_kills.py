"""A training killed by SIGKILL at five random moments ends as one that was not: bit for bit."""

from __future__ import annotations

import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch  # noqa: TID253  # results are its tensors
from safetensors.torch import load_file

from unprompt.train.checkpoints import LAST

from . import commands
from .experiments import AUGMENTED, MEMBER, copy_configuration, write_experiment, write_recipe

pytestmark = pytest.mark.slow

KILLS = 5
LONGEST = 0.5
"""Seconds between a checkpoint of an attempt and its end: steps take 20 ms, and a checkpoint each,
so that about half of the moments are in the writing of one."""
EPOCHS = 60
PATIENCE = 1800
"""Seconds after which a training is taken to hang."""
PROGRAM = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's & leaves it ignored
from unprompt._cli.app import main
main()
"""
COMMAND = [sys.executable, "-c", PROGRAM]
"""For a process that is not killed alone, but with those that it starts."""


@pytest.fixture(autouse=True)
def _one_thread(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(root))  # other processes find the tests' own modules
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


def printed(folder: Path) -> str:
    """What a command has written."""
    return "".join((folder / name).read_text() for name in (commands.OUTPUT, commands.ERRORS))


def finish(words: Sequence[str], cache: Path, folder: Path) -> str:
    """What the command prints, at its end."""
    process = commands.start(words, cache, folder)
    try:
        process.join(PATIENCE)
    finally:
        process.kill()
        process.join()
    assert process.exitcode == 0, printed(folder)
    return (folder / commands.OUTPUT).read_text()


def await_checkpoint(ended: Callable[[], bool], last: Path, before: int) -> None:
    """Wait until a command has written one, or has ended."""
    while not ended():
        if last.exists() and last.stat().st_mtime_ns != before:
            return
        time.sleep(0.005)


def kill(words: Sequence[str], cache: Path, last: Path, delay: float, folder: Path) -> None:
    """Kill the command some time after it has written a checkpoint."""
    before = last.stat().st_mtime_ns if last.exists() else 0
    process = commands.start(words, cache, folder)
    try:
        await_checkpoint(lambda: not process.is_alive(), last, before)
        time.sleep(delay)
        alive = process.is_alive()
    finally:
        process.kill()
        process.join()
    assert alive, printed(folder)
    assert process.exitcode == -signal.SIGKILL


def state(folder: Path) -> Mapping[str, torch.Tensor]:
    """All parameters in a folder."""
    files = sorted(folder.glob("*.safetensors"))
    assert files
    return {f"{path.name}:{k}": v for path in files for k, v in load_file(path).items()}


def set_up(what: str, folder: Path, tower: Path, **training: Any) -> tuple[list[str], Path]:
    """The command that trains, and the folder of its training."""
    folder.mkdir()
    given = {"epochs": EPOCHS, "checkpoint_minutes": 1e-9, **training}  # at each step
    if what == "recipe":
        own = copy_configuration(tower, folder / "tower")
        path = write_recipe(folder / "toy.yaml", own, **given)
        return ["train", str(path)], folder / "runs" / "toy" / "training" / "tower"
    path = write_experiment(folder / "toy.yaml", tower, **given)
    words = {"member": ["train", str(path), "--member", MEMBER], "run": ["run", str(path)]}
    return words[what], folder / "runs" / "toy" / "training" / MEMBER


def result(what: str, folder: Path, printed: str) -> Path:
    """Where the parameters are that a command has trained."""
    if what == "recipe":
        return folder / "tower"
    if what == "member":
        return folder / "runs" / "toy" / "training" / MEMBER / "artifact"
    return Path(printed.splitlines()[-1]) / "artifacts" / MEMBER


SIMPLE = {"augment": ["crop"], "accumulate": 2, "ema": 0.9, "decay_to_start": 0.1, "wise_ft": [0.5]}


@pytest.mark.parametrize(
    ("what", "training"),
    [
        ("member", AUGMENTED),
        ("run", {}),
        ("recipe", SIMPLE),
    ],
    ids=["member", "run", "recipe"],
)
def test_killed_five_times(
    what: str, training: dict[str, Any], vision: Path, tmp_path: Path
) -> None:
    words, _ = set_up(what, tmp_path / "whole", vision, **training, checkpoint_minutes=1)
    whole = result(what, tmp_path / "whole", finish(words, tmp_path / "cache-whole", tmp_path))
    words, folder = set_up(what, tmp_path / "killed", vision, **training)
    cache, moments = tmp_path / "cache-killed", random.Random(what)
    last = folder / "checkpoints" / LAST
    for _ in range(KILLS):
        kill(words, cache, last, moments.uniform(0, LONGEST), tmp_path)
        assert last.exists()
    again = result(what, tmp_path / "killed", finish(words, cache, tmp_path))
    wanted, got = state(whole), state(again)
    assert wanted.keys() == got.keys()
    for name, value in wanted.items():
        assert torch.equal(got[name], value), name
    assert not [*folder.rglob("*.part")]
    if what != "recipe":
        card = (again / "training" / "README.md").read_text()
        assert re.search(rf" and {KILLS + 1} attempts", card)


def has_ended(process: subprocess.Popen[str]) -> bool:
    """Whether a process has ended."""
    return process.poll() is not None


def children(process: subprocess.Popen[str]) -> list[Path]:
    """The folders in /proc of the processes that a process has started."""
    own = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    return [Path(f"/proc/{number}") for number in own]


def lives(folder: Path) -> bool:
    """Whether a process is there, and does anything."""
    try:
        return (folder / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs Linux's /proc")
def test_nobody_is_left_where_one_of_several_processes_is_ended(
    vision: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SIGKILL leaves the parent no time to end the others, Ctrl-C does."""
    monkeypatch.setenv("UNPROMPT_CACHE_DIR", str(tmp_path / "cache"))
    pipe = subprocess.PIPE
    words, folder = set_up("member", tmp_path / "two", vision, processes=2, epochs=2000)
    last = folder / "checkpoints" / LAST
    for number, code in ((signal.SIGKILL, -signal.SIGKILL), (signal.SIGINT, 130)):
        before = last.stat().st_mtime_ns if last.exists() else 0
        process = subprocess.Popen([*COMMAND, *words], stdout=pipe, stderr=pipe, text=True)
        try:
            await_checkpoint(partial(has_ended, process), last, before)
            others = children(process)
            assert len([other for other in others if lives(other)]) >= 2
            process.send_signal(number)
            _, err = process.communicate(timeout=60)
        finally:
            process.kill()
        assert process.returncode == code, err
        assert "Traceback" not in err
        deadline = time.monotonic() + 30
        while any(map(lives, others)) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not any(map(lives, others))
