"""How many processes open images where the options do not say."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, cast

import pytest
from PIL import Image

from unprompt._data.images import Files
from unprompt.contracts import Images
from unprompt.train import FitOptions, Job, Pixels, Samples, Task
from unprompt.train import opening as opened
from unprompt.train.opening import MOST, WORTH, processes_that_open

Make = Callable[..., Job]
SIDE = 16


def preprocess(image: Image.Image) -> Any:
    """A function of a module, which can be sent."""
    raise NotImplementedError


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    """A fit on a GPU of a machine with 32 cores, by a program that may start processes."""
    program = ModuleType("program")
    program.__file__ = str(tmp_path / "program.py")
    Path(program.__file__).write_text("if __name__ == '__main__':\n    main()\n")
    monkeypatch.setitem(sys.modules, "__main__", program)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: range(32), raising=False)
    monkeypatch.setattr(opened, "SHARED", tmp_path / "there is none")

    def make(device: str = "cuda", how: Any = preprocess, keep: bool = False, **more: Any) -> Job:
        images = Images(("a",), Files({"a": tmp_path / "a.png"}))
        samples = Samples(images, how, Pixels(SIDE, (0.5,) * 3, (0.5,) * 3), keep=keep)
        options, task = FitOptions(**more), cast("Task", None)
        return Job("fit", task, samples, samples, options, tmp_path, device=device)

    return make


def test_a_gpu_has_processes_and_a_cpu_threads(make: Make) -> None:
    assert processes_that_open(make(), WORTH) == MOST
    assert processes_that_open(make("cuda:1"), WORTH) == MOST
    assert processes_that_open(make("cpu"), WORTH) == 0
    assert processes_that_open(make(), WORTH - 1) == 0


def test_what_is_given_is_taken(make: Make) -> None:
    for count in (0, 3):
        assert processes_that_open(make(workers=count), WORTH) == count
        assert processes_that_open(make("cpu", workers=count), 1) == count


def test_cores_are_divided_among_what_trains(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    assert processes_that_open(make(processes=8), WORTH) == 4
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: range(2), raising=False)
    assert processes_that_open(make(), WORTH) == 2
    assert processes_that_open(make(processes=8), WORTH) == 1


def test_images_that_are_kept_are_opened_once(make: Make) -> None:
    job = make(keep=True)
    assert processes_that_open(job, WORTH) == 0
    assert processes_that_open(job, WORTH, ahead=True) == MOST


def test_what_cannot_be_sent_is_opened_by_threads(make: Make) -> None:
    assert processes_that_open(make(how=lambda _: None), WORTH) == 0


@pytest.mark.parametrize(
    ("program", "count"), [("main()\n", 0), ("if __name__ == '__main__': main()", MOST)]
)
def test_a_script_without_a_guard_is_not_run_again(make: Make, program: str, count: int) -> None:
    Path(str(sys.modules["__main__"].__file__)).write_text(program)
    assert processes_that_open(make(), WORTH) == count


def test_an_interactive_session_may_start_processes(make: Make) -> None:
    del sys.modules["__main__"].__file__
    assert processes_that_open(make(), WORTH) == MOST


@pytest.mark.parametrize(("room", "count"), [(0.9, 0), (3.5, 3), (1000, MOST)])
def test_batches_have_room_in_shared_memory(
    make: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, room: float, count: int
) -> None:
    """Of each process two batches and the one that it is at, of 64 images."""
    batch = 64 * 3 * SIDE * SIDE
    free = int(room * 3 * batch)
    monkeypatch.setattr(opened, "SHARED", tmp_path)
    monkeypatch.setattr("shutil.disk_usage", lambda _: Usage(free))
    assert processes_that_open(make(), WORTH) == count


class Usage:
    """What `shutil.disk_usage` gives, as far as it is asked for."""

    def __init__(self, free: int) -> None:
        self.free = free
