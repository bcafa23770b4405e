"""``kaggle-68th.yaml`` itself, with small towers, against the 68th-place solution in float64.

The shipped file is used as it is but for the names of towers, captioner and tables; members, bank,
head, views, text, blend and submission are then computed a second time, by `formulas`, and compared
row by row.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import numpy as np
import pytest

from unprompt._scoring.blend import blend
from unprompt.contracts import Batch

from .conftest import Expected, Solution
from .formulas import Rows, example_images, least_cosine, normalised

MEMBERS = ("knn-vit-g", "knn-vit-h", "clip-l14", "clip-l16-384", "clip-blip")
pytestmark = pytest.mark.slow


def test_the_expected_side_can_tell_mistakes_apart(
    expected: Expected, views: tuple[Rows, Rows]
) -> None:
    for name, rows in expected.rows.items():  # images differ
        cosines = rows @ rows.T - 2 * np.eye(len(rows))
        assert cosines.max() < 0.9999, name
    plain, flipped = views
    mean = expected.rows["clip-l16-384"]
    assert least_cosine(plain, mean) < 0.999
    assert least_cosine(flipped, mean) < 0.999
    equal = normalised(sum(expected.rows.values()))
    assert least_cosine(equal, expected.blended) < 0.999


def test_the_mean_of_unit_rows_is_nearly_that_of_raw_outputs(
    expected: Expected, views: tuple[Rows, Rows]
) -> None:
    # The solution averaged what the classifier gave; here every view counts the same.
    plain, flipped = views
    assert least_cosine(plain + flipped, expected.rows["clip-l16-384"]) > 0.999


@pytest.mark.parametrize("member", MEMBERS)
def test_each_member_is_its_formula(
    member: str, expected: Expected, predicted: dict[str, Batch]
) -> None:
    rows = predicted[member].embeddings.rows
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-6)
    assert least_cosine(rows, expected.rows[member]) >= 0.99999


def test_the_interrogators_texts_are_the_solutions(
    expected: Expected, predicted: dict[str, Batch]
) -> None:
    assert not any(re.search(r"\b(\w+)(?: \1\b){2,}", text) for text in expected.texts)
    assert list(predicted["clip-blip"].prompts) == expected.texts
    assert len(set(expected.texts)) == len(expected.texts)


def test_the_blend_is_the_solutions(
    expected: Expected, predicted: dict[str, Batch], solution: Solution
) -> None:
    members = solution.ensemble.members
    assert {member.name: member.weight for member in members} == dict(
        zip(MEMBERS, (0.4, 0.4, 0.5, 0.2, 0.2), strict=True)
    )
    blended = blend(
        [predicted[member.name].embeddings for member in members],
        [member.weight for member in members],
    )
    assert blended.ids == tuple(example_images())
    assert least_cosine(blended.rows, expected.blended) >= 0.99999


def test_the_commands_submission_is_the_solutions(
    expected: Expected,
    solution: Solution,
    unprompt: Callable[..., CompletedProcess[str]],
    tmp_path: Path,
) -> None:
    output = tmp_path / "submission.csv"
    done = unprompt("predict", solution.yaml, solution.folder / "images", "-o", output, "--offline")
    assert done.returncode == 0, done.stderr
    with output.open(newline="") as file:
        header, *lines = csv.reader(file)
    assert header == ["imgId_eId", "val"]
    assert [key for key, _ in lines] == [
        f"{name}_{e}" for name in example_images() for e in range(384)
    ]
    rows = np.array([float(value) for _, value in lines]).reshape(-1, 384)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-6)
    assert least_cosine(rows, expected.blended) >= 0.99999
