"""Each check of the contract of observers fails on an observer that breaks it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from unprompt import Embeddings, Observer, RunView
from unprompt.testing import (
    ObserverContract,
    example_metrics,
    example_scores,
    fail_example_run,
    finish_example_run,
)


class Listening(Observer):
    """Keeps what it hears; an observer that keeps the contract."""

    def __init__(self, options: Any = None) -> None:
        super().__init__(options)
        self.heard: list[Any] = []
        self.trained: list[Any] = []

    def run_started(self, run: RunView) -> None:
        self.heard.append("started")

    def training_measured(
        self, run: RunView, member: str, step: int, values: Mapping[str, float]
    ) -> None:
        self.trained.append((member, step, values))

    def member_predicted(
        self, run: RunView, member: str, split: str, embeddings: Embeddings
    ) -> None:
        self.heard.append((member, split, embeddings))

    def run_finished(self, run: RunView, scores: Any) -> None:
        self.heard.append(scores["test"]["ensemble"]["score"])

    def run_failed(self, run: RunView, error: BaseException) -> None:
        self.heard.append(error)


class NeedsTheStart(Listening):
    def run_failed(self, run: RunView, error: BaseException) -> None:
        self.heard.remove("started")


class CannotFail(Listening):
    def run_failed(self, run: RunView, error: BaseException) -> None:
        raise RuntimeError("the run failed") from error


class CannotBeInterrupted(Listening):
    def run_failed(self, run: RunView, error: BaseException) -> None:
        assert isinstance(error, Exception)


class CannotFinish(Listening):
    def run_finished(self, run: RunView, scores: Any) -> None:
        super().run_finished(run, scores["scores"])


class ScalesRows(Listening):
    def member_predicted(
        self, run: RunView, member: str, split: str, embeddings: Embeddings
    ) -> None:
        embeddings.rows[:] = embeddings.rows * 2


class OnceOnly(Listening):
    runs = 0

    def run_started(self, run: RunView) -> None:
        type(self).runs += 1
        assert self.runs == 1, "a run was followed before"


class OneAtATime(Listening):
    current: str | None = None

    def run_started(self, run: RunView) -> None:
        type(self).current = run.folder.name

    def run_finished(self, run: RunView, scores: Any) -> None:
        assert self.current == run.folder.name, "another run has started since"


class NeedsANumber(Listening):
    def training_measured(
        self, run: RunView, member: str, step: int, values: Mapping[str, float]
    ) -> None:
        assert values["loss"] > 0, "the loss is NaN"


class TakesTheEpochOut(Listening):
    def training_measured(self, run: RunView, member: str, step: int, values: Any) -> None:
        values.pop("epoch")


class TakesScoresOut(Listening):
    def run_finished(self, run: RunView, scores: Any) -> None:
        scores.pop("history")


class RenamesTheRun(Listening):
    def run_finished(self, run: RunView, scores: Any) -> None:
        run.experiment["ensemble"]["name"] = "mine"


class RewritesScores(Listening):
    def run_finished(self, run: RunView, scores: Any) -> None:
        (run.folder / "scores.json").write_text(json.dumps({"score": 1}))


BROKEN: list[tuple[str, type[Observer]]] = [
    ("test_it_follows_a_run_that_finishes", CannotFinish),
    ("test_it_follows_a_run_that_finishes", ScalesRows),
    ("test_it_follows_a_run_that_finishes", NeedsANumber),
    ("test_it_follows_a_run_that_fails", CannotFail),
    ("test_it_follows_a_run_that_is_interrupted", CannotBeInterrupted),
    ("test_it_follows_a_run_that_fails_at_its_start", NeedsTheStart),
    ("test_it_follows_one_run_after_another", OnceOnly),
    ("test_two_of_a_kind_do_not_disturb_each_other", OneAtATime),
    ("test_it_changes_nothing_that_it_is_given", TakesScoresOut),
    ("test_it_changes_nothing_that_it_is_given", RenamesTheRun),
    ("test_it_changes_no_metrics", TakesTheEpochOut),
    ("test_it_changes_no_file_of_the_run", RewritesScores),
]


@pytest.mark.parametrize("observer", [Listening, lambda: Observer(None)])
def test_a_right_observer_passes_every_check(
    failing_checks: Callable[..., set[str]], observer: Callable[[], Observer]
) -> None:
    assert failing_checks(ObserverContract, make_observer=observer) == set()


@pytest.mark.parametrize(("check", "observer"), BROKEN)
def test_a_broken_observer_fails_the_check_for_it(
    failing_checks: Callable[..., set[str]], check: str, observer: Callable[[], Observer]
) -> None:
    assert check in failing_checks(ObserverContract, make_observer=observer)


def test_every_check_has_a_broken_observer(checks: Callable[[type], set[str]]) -> None:
    assert {check for check, _ in BROKEN} == checks(ObserverContract)


def test_an_example_run_calls_what_a_run_calls(tmp_path: Path) -> None:
    observer = Listening()
    finish_example_run(observer, tmp_path / "run")
    scores = example_scores()
    start, *predicted, score = observer.heard
    assert start == "started"
    assert score == scores["test"]["ensemble"]["score"]
    first, *others = scores["weights"]
    assert first not in {member for member, _, _ in observer.trained}, "it does not train"
    assert [(member, step) for member, step, _ in observer.trained] == [
        (member, step) for member in others for step, _ in example_metrics()
    ]
    assert [(member, split) for member, split, _ in predicted] == [
        (member, split) for member in scores["weights"] for split in ("holdout", "test")
    ]
    for _, split, embeddings in predicted:
        assert len(embeddings) == scores[split]["images"]
        assert not embeddings.rows.flags.writeable
        assert [bool(row.any()) for row in embeddings.rows[:2]] == [False, True]


def test_an_example_run_that_fails_gives_its_error(tmp_path: Path) -> None:
    error = ValueError("no such image")
    late, early = Listening(), Listening()
    fail_example_run(late, tmp_path / "late", error)
    fail_example_run(early, tmp_path / "early", error, started=False)
    assert late.heard[-1] is error
    assert early.heard == [error]


def test_the_example_scores_are_what_runs_write_today(make_run: Callable[..., Path]) -> None:
    """Where a key is new: write core/unprompt/testing/scores.json from such a run again."""
    written = json.loads((make_run(members=2, images=8) / "scores.json").read_text())
    example = example_scores()
    assert example.keys() == written.keys()
    assert example["weights"].keys() == written["weights"].keys()
    for split in ("holdout", "test"):
        assert example[split].keys() == written[split].keys()
        assert example[split]["images"] == written[split]["images"]
        for name, member in example[split]["members"].items():
            assert member.keys() == written[split]["members"][name].keys()
