"""Several processes train as one does, and end together, whatever ends one of them."""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import pytest
import torch  # noqa: TID253  # results are its tensors
from tests.full_disk import no_file_above

from unprompt.contracts import TrainSet
from unprompt.errors import ConfigError, DataError, OutputError, UnpromptError
from unprompt.train import checkpoints, fit
from unprompt.train.job import Job
from unprompt.train.metrics import METRICS, read_metrics

from .conftest import Colours
from .jobs import BATCH, STEPS, TRAIN, make_job, state_of
from .sources import LoggedColours

T = TypeVar("T")

Make = Callable[..., Job]


@pytest.fixture
def make(
    vision: Path, train: TrainSet, tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> Make:
    """``make("name", two, log=..., broken=..., **options)``: a job of one or two processes."""
    monkeypatch.syspath_prepend(str(root))  # other processes find the tests' own images
    source = train.images.source
    assert isinstance(source, Colours)
    levels = source.levels

    def job(name: str, count: int, **more: Any) -> Job:
        own = {key: more.pop(key) for key in ("log", "broken", "fatal", "bug") if key in more}
        log = own.pop("log", None)
        given = LoggedColours(levels, log, **{k: frozenset(v) for k, v in own.items()})
        return make_job(tmp_path / name, vision, train, given, processes=count, **more)

    return job


@pytest.fixture(autouse=True)
def _nobody_is_left() -> Iterator[None]:
    yield
    assert multiprocessing.active_children() == []


def assert_near(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> None:
    """Equal but for rounding; AdamW makes steps of rounding alone where a gradient is zero."""
    for name, value in other.items():
        if "k_proj.bias" not in name:  # which has no effect on attention
            torch.testing.assert_close(one[name], value, atol=1e-3, rtol=0, msg=name)


@pytest.mark.slow
def test_two_processes_train_as_one(
    make: Make, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """One image is broken, so that the parts of a batch are of different sizes."""
    options: dict[str, Any] = {"accumulate": 2, "ema": 0.9, "wise_ft": [0.5], "most_broken": 0.2}
    options |= {"augment": [{"erase": {"probability": 0.5}}], "decay_to_start": 0.1}
    log = tmp_path / "opened"
    one = make("one", 1, broken=["i3"], **options)
    two = make("two", 2, broken=["i3"], log=log, **options)
    heard: list[tuple[int, Mapping[str, float]]] = []
    shown: Counter[str] = Counter()

    def progress(items: Iterable[T], *, what: str, total: int | None = None) -> Iterator[T]:
        for item in items:
            shown[f"{what} of {total}"] += 1
            yield item

    wanted = fit(one)
    caplog.clear()
    with caplog.at_level(logging.INFO, logger="unprompt"):
        fitted = fit(two, progress, lambda step, values: heard.append((step, values)))
    assert_near(state_of(two), state_of(one))
    assert fitted.scores == pytest.approx(dict(wanted.scores), abs=1e-4)
    assert (fitted.best_step, fitted.steps) == (wanted.best_step, STEPS)
    assert fitted.broken == wanted.broken == {"i3": "i3.png: truncated"}

    lines = read_metrics(two.folder / METRICS)
    assert heard == [(line.step, line.measured) for line in lines]
    losses = [line.values["loss"] for line in lines if "loss" in line.values]
    alone = [x.values["loss"] for x in read_metrics(one.folder / METRICS) if "loss" in x.values]
    assert losses == pytest.approx(alone, abs=1e-5)
    assert shown == {f"toy: images of {STEPS * BATCH}": STEPS * BATCH}
    said = [record.getMessage() for record in caplog.records]
    assert said.count("i3.png: truncated") == 1
    score = (
        f"toy: step 3 of 6, epoch 1: validation cosine {lines[2].values['validation cosine']:.4f}"
    )
    assert score in said

    opened = [line.split() for line in log.read_text().splitlines()]
    trained = {f"i{number}" for number in range(TRAIN)}
    assert Counter(name for _, name in opened if name in trained) == dict.fromkeys(trained, 2)
    shares = Counter(process for process, name in opened if name in trained)
    assert [*shares.values()] == [TRAIN, TRAIN]  # half of each of two epochs


@pytest.mark.slow
def test_a_training_goes_on_with_another_number_of_processes(make: Make) -> None:
    """Parameters were interrupted in two processes, and end in one."""
    whole = make("whole", 1, ema=0.0)
    fit(whole)

    def stop(step: int, values: Mapping[str, float]) -> None:
        if step == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(make("cut", 2, ema=0.0, checkpoint_minutes=1e-9), metrics=stop)
    again = make("cut", 1, ema=0.0)
    assert fit(again).attempts == 2
    assert_near(state_of(again), state_of(whole))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        ({"learning_rate": 1e30, "clip": None}, DataError, "step . of 6, epoch .: the "),
        (
            {"broken": [f"i{n}" for n in range(9)], "most_broken": 0.1},
            DataError,
            "9 of 24 samples cannot be opened, more than the share of 0.1",
        ),
        ({"fatal": ["i5"]}, DataError, "process . of 2 of the training was killed by SIGKILL"),
        ({"bug": ["i5"]}, ZeroDivisionError, "i5"),
    ],
    ids=["not-finite", "broken", "killed", "bug"],
)
def test_what_ends_one_ends_all(
    options: dict[str, Any], kind: type[Exception], message: str, make: Make
) -> None:
    if "learning_rate" in options:
        options |= {"warmup": 0.0, "schedule": "constant", "weight_decay": 0.0}
    with pytest.raises(kind, match=message) as caught:
        fit(make("end", 2, **options))
    if issubclass(kind, UnpromptError):
        (line, *_) = caught.value.problems  # type: ignore[attr-defined]  # an UnpromptError
        assert "\n" not in line
    else:
        assert "in open" in str(caught.value.__cause__)  # the other process's traceback


@pytest.mark.slow
def test_a_signal_to_the_parent_ends_all(make: Make) -> None:
    job = make("interrupted", 2, epochs=500)

    def interrupt() -> None:
        while not (job.checkpoints / checkpoints.LAST).exists():
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGINT)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's & ignores it
    threading.Thread(target=interrupt, daemon=True).start()
    with pytest.raises(KeyboardInterrupt):
        fit(job)
    signal.signal(signal.SIGINT, before)


@pytest.mark.slow
def test_a_full_disk_ends_all(make: Make) -> None:
    """The limit on file sizes stands for it; other processes inherit it."""
    job = make("full", 2, keep="last")
    refused = pytest.raises(OutputError, match=r"best.safetensors: cannot be written: file too la")
    with refused, no_file_above(50_000):
        fit(job)
    assert not [*job.folder.rglob("*.safetensors")]


def test_processes_have_to_fit_batch_and_devices(make: Make, monkeypatch: Any) -> None:
    with pytest.raises(ValueError, match="`batch_size` of 8 cannot be divided among 3 processes"):
        make("three", 3)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    job = make("two", 2)
    with pytest.raises(ConfigError, match="processes: 2, but this machine has 1 CUDA devices"):
        fit(replace(job, device="cuda"))
