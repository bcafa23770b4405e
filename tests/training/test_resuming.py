"""However often a fit is interrupted, it ends with the same parameters, bit for bit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch  # noqa: TID253  # results are its tensors

from unprompt._files.workplace import MARK
from unprompt.contracts import TrainSet
from unprompt.train import checkpoints, fit
from unprompt.train.job import Job
from unprompt.train.metrics import METRICS, read_metrics
from unprompt.train.validation import Validation

from .jobs import DROPOUT, EVERYTHING, PLAIN, STEPS, assert_equal, make_job, state_of, stopping

Make = Callable[..., Job]


@pytest.fixture
def make(vision: Path, train: TrainSet, tmp_path: Path) -> Make:
    """``make("name", **options)``: a job in a folder of this name."""
    return lambda name, **more: make_job(tmp_path / name, vision, train, **more)


def measured(job: Job) -> list[dict[str, float]]:
    """What its log says, without times."""
    timed = ("images_per_second",)
    lines = read_metrics(job.folder / METRICS)
    return [{"step": x.step} | {k: v for k, v in x.values.items() if k not in timed} for x in lines]


@pytest.mark.parametrize(
    ("options", "minutes"),
    [(PLAIN, 1000.0), (EVERYTHING, 1e-9), (DROPOUT, 1e-9)],
    ids=["plain-every-epoch", "everything-every-step", "dropout-every-step"],
)
def test_interrupted_at_any_step(options: dict[str, Any], minutes: float, make: Make) -> None:
    whole = make("whole", **options)
    wanted = fit(whole)
    other = make("other", **options)
    other.task.merge()
    start = state_of(other)
    assert not all(torch.equal(value, start[key]) for key, value in state_of(whole).items())
    for step in range(1, STEPS + 1):
        name, given = f"at-{step}", {**options, "checkpoint_minutes": minutes}
        with pytest.raises(KeyboardInterrupt):
            fit(make(name, **given), stopping(step))
        saved = step if minutes < 1 else step - step % 3  # three steps are an epoch
        again = make(name, **given)
        assert (again.checkpoints / checkpoints.LAST).is_file() == (saved > 0)
        fitted = fit(again)
        assert_equal(state_of(again), state_of(whole))
        assert (fitted.scores, fitted.best_step) == (wanted.scores, wanted.best_step)
        assert fitted.interpolation == wanted.interpolation
        assert fitted.attempts == (2 if saved else 1)
        assert measured(again) == measured(whole)


def test_interrupted_after_every_step(make: Make) -> None:
    whole = make("whole", **EVERYTHING)
    fit(whole)
    given = {**EVERYTHING, "checkpoint_minutes": 1e-9}
    for _ in range(STEPS):
        with pytest.raises(KeyboardInterrupt):
            fit(make("cut", **given), stopping(1))
    last = make("cut", **given)
    assert fit(last).attempts == STEPS + 1
    assert_equal(state_of(last), state_of(whole))


@pytest.mark.parametrize(
    ("half", "writes"),
    [
        (True, (1, 5)),
        pytest.param(True, range(1, 100), marks=pytest.mark.slow),
        pytest.param(False, range(1, 100), marks=pytest.mark.slow),
    ],
    ids=["half-two", "half-all", "whole-all"],
)
def test_interrupted_at_a_write(
    half: bool, writes: Sequence[int], make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half a file, or one whose successor never comes: best parameters, then the checkpoint."""
    given = {**EVERYTHING, "checkpoint_minutes": 1e-9}
    whole = make("whole", **given)
    fit(whole)
    write, number, wanted = safetensors.torch.save_file, 0, 0

    def cut(tensors: Any, filename: Path, metadata: Any = None) -> None:
        nonlocal number
        number += 1
        if number == wanted + 1 and not half:  # the one before has its name
            raise KeyboardInterrupt
        write(tensors, filename, metadata=metadata)
        if number == wanted and half:
            content = filename.read_bytes()
            filename.write_bytes(content[: len(content) // 2])
            raise KeyboardInterrupt

    monkeypatch.setattr(safetensors.torch, "save_file", cut)
    for wanted in writes:
        number = 0
        name = f"write-{wanted}"
        try:
            fit(make(name, **given))
        except KeyboardInterrupt:
            number = -1000
        else:
            break
        again = make(name, **given)
        assert not list(again.folder.rglob(MARK))
        fit(again)
        assert_equal(state_of(again), state_of(whole))
    assert wanted > min(STEPS, len(writes))  # it was interrupted


def test_other_ways_to_compute_go_on_with_the_best_there_is(make: Make) -> None:
    """Rounding differs with `accumulate`; scores stay those of the parameters that are kept."""
    given = {**EVERYTHING, "wise_ft": [], "checkpoint_minutes": 1e-9}
    with pytest.raises(KeyboardInterrupt):
        fit(make("cut", **given), stopping(4))
    again = make("cut", **{**given, "accumulate": 1})
    fitted = fit(again)
    assert Validation(again).scores(again.task.model) == pytest.approx(dict(fitted.scores))


@pytest.mark.parametrize(("shuffle", "runs"), [(1, 3), (None, range(12, 25))])
def test_a_buffer_reads_one_block_of_storage_after_the_other(
    shuffle: int | None, runs: Any, make: Make, train: TrainSet
) -> None:
    source = InShards(train)
    job = make("ordered", source=source, shuffle=shuffle, epochs=1)
    fit(replace(job, threads=1))
    seen = set(job.train.images.ids)
    shards = source.blocks([name for name in source.opened if name in seen])
    assert sorted(shards) == [0] * 8 + [1] * 8 + [2] * 8
    assert len([*groupby(shards)]) in (runs if isinstance(runs, range) else [runs])


class InShards:
    """The images of a train set, as if eight by eight in one file."""

    def __init__(self, train: TrainSet) -> None:
        self.source, self.opened = train.images.source, list[str]()

    def open(self, image_id: str) -> Any:
        self.opened.append(image_id)
        return self.source.open(image_id)

    def digest(self, image_id: str) -> str:
        return self.source.digest(image_id)

    def blocks(self, image_ids: Sequence[str]) -> list[int]:
        return [int(name.removeprefix("i")) // 8 for name in image_ids]
