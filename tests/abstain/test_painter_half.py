"""The painter's world, where every second image carries its prompt."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from unprompt import load_run
from unprompt._cli.tables import scores_table

from .conftest import Member, Rows, Runs

Table = Callable[[Path], dict[str, dict[str, str]]]

CHECKPOINTS = "package:unprompt_painter/checkpoints"
PAIR: tuple[Member, ...] = (
    {"plugin": "knn-vit-h", "options": {"backbone": {"folder": f"{CHECKPOINTS}/clip-a"}}},
    {"plugin": "clip-l14", "options": {"backbone": {"folder": f"{CHECKPOINTS}/vision-a"}}},
)
CARRIER: Member = {"plugin": "carrier", "options": {"world": 7}}
DATA: dict[str, Any] = {
    "plugin": "painter",
    "options": {"seed": 7, "images": 240, "size": 64},
    # The seed is one whose holdout and test have as many even images as odd ones.
    "split": {"train": 0.6, "holdout": 0.2, "test": 0.2, "seed": 266},
}


def test_half_is_covered_and_the_other_half_is_as_without(
    runs: Runs, rows_of: Rows, table_of: Table
) -> None:
    plain: dict[str, Any] = {"data": DATA, "edit_prompts": False}
    with_it = runs([], ensemble={"members": [*PAIR, CARRIER]}, **plain)
    scores = load_run(with_it).scores
    weights = {name: scores.weights[name] for name in ("knn-vit-h", "clip-l14")}
    same = {name: [weight / max(weights.values())] * 2 for name, weight in weights.items()}
    search = {"trials": 1, "bounds": same}
    without = runs([], ensemble={"members": [*PAIR]}, search=search, **plain)

    covered = scores.test.members["carrier"].answered
    assert covered and covered.score
    assert (covered.images, covered.share, scores.test.images) == (24, 0.5, 48)
    assert covered.score.score == pytest.approx(1, abs=1e-6)
    assert scores.test.members["carrier"].score == pytest.approx(0.5, abs=1e-6)
    assert scores.test.ensemble.answered is None

    tables = table_of(with_it), table_of(without)
    odd = [name for name in tables[0] if int(name) % 2]
    assert len(odd) == 24
    halves = [[float(table[name]["cosine"]) for name in odd] for table in tables]
    np.testing.assert_allclose(halves[0], halves[1], atol=1e-6)
    assert np.mean(halves[0]) == pytest.approx(np.mean(halves[1]), abs=1e-6)
    blends = rows_of(with_it, "ensemble.test"), rows_of(without, "ensemble.test")
    for name in odd:
        np.testing.assert_allclose(blends[0][name], blends[1][name], atol=1e-6)

    even = [float(row["cosine"]) for name, row in tables[0].items() if int(name) % 2 == 0]
    total = (np.sum(even) + np.sum(halves[0])) / 48
    assert total == pytest.approx(scores.test.ensemble.score, abs=1e-6)
    assert [tables[0][name]["carrier"] for name in odd] == [""] * 24
    assert "carrier" in scores_table(scores) and "  24 (50.0%)  " in scores_table(scores)
