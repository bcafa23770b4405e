"""The contract of observers as tests, and example runs to follow."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from unprompt._runs.scores import Scores
from unprompt.contracts import Observer, RunView
from unprompt.embeddings import Embeddings, unit
from unprompt.types import Json

MakeObserver = Callable[[], Observer]

_FILE = "scores.json"
_DIM = 32


def example_scores() -> Json:
    """The content of the ``scores.json`` of a small run: two members, eight test images."""
    raw = files(__package__).joinpath(_FILE).read_text(encoding="utf-8")
    return Scores.model_validate_json(raw).model_dump(mode="json")


def finish_example_run(observer: Observer, folder: Path) -> None:
    """Call an observer as a run does that finishes.

    Args:
        observer: A new one, as one is built for each run.
        folder: The run's final folder, which is made, with a ``scores.json`` in it.
    """
    scores = example_scores()
    _begin(observer, folder, scores)
    (folder / _FILE).write_text(json.dumps(scores), encoding="utf-8")
    observer.run_finished(_view(folder, scores), scores)


def fail_example_run(
    observer: Observer, folder: Path, error: BaseException, *, started: bool = True
) -> None:
    """Call an observer as a run does that fails.

    Args:
        observer: A new one, as one is built for each run.
        folder: The run's folder, which is made.
        error: Why it fails.
        started: Whether members were predicted before; else the run failed while it started.
    """
    scores = example_scores()
    folder.mkdir(parents=True, exist_ok=True)
    if started:
        _begin(observer, folder, scores)
    observer.run_failed(_view(folder, scores), error)


def example_metrics() -> tuple[tuple[int, dict[str, float]], ...]:
    """Steps of a small training with what they measured; a loss among them is NaN."""
    cosines = {4: 0.41, 8: 0.52, 12: 0.5}
    steps = []
    for step in range(1, 13):
        loss = math.nan if step == 3 else 1 / step
        values = {"epoch": step / 4, "seconds": step / 2, "loss": loss, "learning_rate": 1e-3}
        if step in cosines:
            values["validation cosine"] = cosines[step]
        steps.append((step, values))
    return tuple(steps)


def _begin(observer: Observer, folder: Path, scores: Json) -> None:
    """Start a run; train each member but the first, and predict both splits with each."""
    folder.mkdir(parents=True, exist_ok=True)
    view = _view(folder, scores)
    observer.run_started(view)
    for number, member in enumerate(scores["weights"]):
        for step, values in example_metrics() if number else ():
            observer.training_measured(view, member, step, values)
        for split in ("holdout", "test"):
            count = scores[split]["images"]
            observer.member_predicted(view, member, split, _embeddings(split, count, number))


def _view(folder: Path, scores: Json) -> RunView:
    members = [{"name": name, "plugin": name, "options": {}} for name in scores["weights"]]
    experiment = {
        "name": scores["experiment"],
        "data": {"plugin": "example", "options": {}},
        "ensemble": {"name": "ensemble", "members": members},
    }
    return RunView(scores["experiment"], folder, experiment)


def _embeddings(split: str, count: int, seed: int) -> Embeddings:
    """Read-only unit rows; the first is zero, as of an image that the member has no answer for."""
    rows = unit(np.random.default_rng(seed).normal(size=(count, _DIM)))
    rows[0] = 0
    rows.setflags(write=False)
    return Embeddings(tuple(f"{split}-{i}" for i in range(count)), rows)


class ObserverContract:
    """Checks for every observer; subclass it and give the fixture ``make_observer``."""

    @pytest.fixture
    def make_observer(self) -> MakeObserver:
        """A function that makes a new observer, with the same options each time."""
        pytest.skip("subclass ObserverContract and give the fixture `make_observer`")

    def test_it_follows_a_run_that_finishes(
        self, make_observer: MakeObserver, tmp_path: Path
    ) -> None:
        finish_example_run(make_observer(), tmp_path / "run")

    def test_it_follows_a_run_that_fails(self, make_observer: MakeObserver, tmp_path: Path) -> None:
        fail_example_run(make_observer(), tmp_path / "run", ValueError("no such image"))

    def test_it_follows_a_run_that_is_interrupted(
        self, make_observer: MakeObserver, tmp_path: Path
    ) -> None:
        fail_example_run(make_observer(), tmp_path / "run", KeyboardInterrupt())

    def test_it_follows_a_run_that_fails_at_its_start(
        self, make_observer: MakeObserver, tmp_path: Path
    ) -> None:
        error = ValueError("no such folder")
        fail_example_run(make_observer(), tmp_path / "run", error, started=False)

    def test_it_follows_one_run_after_another(
        self, make_observer: MakeObserver, tmp_path: Path
    ) -> None:
        for name in ("first", "second"):
            finish_example_run(make_observer(), tmp_path / name)

    def test_two_of_a_kind_do_not_disturb_each_other(
        self, make_observer: MakeObserver, tmp_path: Path
    ) -> None:
        first, second = make_observer(), make_observer()
        _begin(first, tmp_path / "first", example_scores())
        finish_example_run(second, tmp_path / "second")
        scores = example_scores()
        first.run_finished(_view(tmp_path / "first", scores), scores)

    def test_it_changes_nothing_that_it_is_given(
        self, make_observer: MakeObserver, tmp_path: Path
    ) -> None:
        observer, scores, folder = make_observer(), example_scores(), tmp_path / "run"
        _begin(observer, folder, scores)
        view = _view(folder, scores)
        observer.run_finished(view, scores)
        assert scores == example_scores(), "scores are the run's own"
        assert view == _view(folder, example_scores()), "so is the configuration"

    def test_it_changes_no_metrics(self, make_observer: MakeObserver, tmp_path: Path) -> None:
        observer, view = make_observer(), _view(tmp_path, example_scores())
        observer.run_started(view)
        for step, values in example_metrics():
            before = dict(values)
            observer.training_measured(view, "clip", step, values)
            assert list(values.items()) == list(before.items()), "other observers hear of them"
        observer.run_failed(view, KeyboardInterrupt())

    def test_it_changes_no_file_of_the_run(
        self, make_observer: MakeObserver, tmp_path: Path
    ) -> None:
        finish_example_run(make_observer(), tmp_path / "run")
        text = (tmp_path / "run" / _FILE).read_text(encoding="utf-8")
        assert json.loads(text) == example_scores(), "a run's files have checksums"
