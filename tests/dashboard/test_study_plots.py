"""The plots on a study's page show the numbers of ``scores.json``."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from unprompt import load_run
from unprompt._pipeline.study_plots import Figure, contributions_figure, scores_figure

MakeRun = Callable[..., Path]
BLENDS = {"equal weights": "equal", "best trial": "searched", "searched weights": "ensemble"}


def test_scores(json_and_run: Callable[..., tuple[Any, Any]]) -> None:
    scores, run = json_and_run()
    test = scores["test"]
    rows = test["members"] | {name: test[key] for name, key in BLENDS.items()}
    content = drawn(scores_figure(run.scores))
    check_dots(content, rows)
    lines = {label["text"]: label["x"] for label in content["layout"]["annotations"]}
    assert lines == {"floor": test["floor"], "oracle": test["oracle"]}
    assert [shape["x0"] for shape in content["layout"]["shapes"]] == list(lines.values())


def test_scores_without_an_oracle(json_and_run: Callable[..., tuple[Any, Any]]) -> None:
    scores, run = json_and_run(oracle=False)
    content = drawn(scores_figure(run.scores))
    assert [label["text"] for label in content["layout"]["annotations"]] == ["floor"]
    assert [shape["x0"] for shape in content["layout"]["shapes"]] == [scores["test"]["floor"]]


def test_what_the_blend_loses_without_a_member(
    json_and_run: Callable[..., tuple[Any, Any]],
) -> None:
    scores, run = json_and_run()
    losses = {
        f"without {name}": {
            "score": -gain["test"]["score"],
            "ci95": [-end for end in reversed(gain["test"]["ci95"])],
        }
        for name, gain in scores["leave_one_out"].items()
    }
    content = drawn(contributions_figure(run.scores))
    check_dots(content, losses)
    assert [shape["x0"] for shape in content["layout"]["shapes"]] == [0]


@pytest.fixture
def json_and_run(finished_run: MakeRun) -> Callable[..., tuple[Any, Any]]:
    """``json_and_run(**what)``: the content of a run's ``scores.json``, and the run."""

    def read(**what: Any) -> tuple[Any, Any]:
        folder = finished_run(**what)
        return json.loads((folder / "scores.json").read_text()), load_run(folder)

    return read


def drawn(figure: Figure) -> Any:
    """What a dashboard is given."""
    return json.loads(figure.to_json())


def check_dots(content: Any, rows: dict[str, Any]) -> None:
    """Rows from the top down, each with its mean and the ends of its interval."""
    (dots,) = content["data"]
    assert dots["y"][::-1] == list(rows)
    errors = dots["error_x"]
    for name, mean, up, down in zip(
        dots["y"], dots["x"], errors["array"], errors["arrayminus"], strict=True
    ):
        assert mean == rows[name]["score"]
        assert [mean - down, mean + up] == pytest.approx(rows[name]["ci95"])
