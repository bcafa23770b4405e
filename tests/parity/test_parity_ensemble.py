"""``kaggle-68th.yaml`` itself, with small towers, against the 68th-place solution in float64.

The shipped file is used as it is but for the names of towers, captioner and tables; members, bank,
head, views, text, blend and submission are then computed a second time, by `formulas`, and compared
row by row.
"""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import numpy as np
import pytest
from PIL import Image

from unprompt._scoring.blend import blend
from unprompt.contracts import Batch

from . import formulas
from .conftest import BANK, Expected, Solution
from .formulas import Clip, example_images, least_cosine, normalised

WEIGHTS = {
    "knn-vit-g": 0.4,
    "knn-vit-h": 0.4,
    "clip-l14": 0.5,
    "clip-l16-384": 0.1,
    "clip-l16-384-mirrored": 0.1,
    "clip-blip": 0.2,
}
pytestmark = pytest.mark.slow


def test_the_expected_side_can_tell_mistakes_apart(
    expected: Expected, solution: Solution, small_clip: Clip
) -> None:
    rows = expected.rows
    for name, own in rows.items():  # images differ
        cosines = own @ own.T - 2 * np.eye(len(own))
        assert cosines.max() < 0.9999, name
    assert least_cosine(rows["clip-l16-384"], rows["clip-l16-384-mirrored"]) < 0.999
    bicubic, _ = formulas.l16_passes(
        solution.folder / "kaggle-68th" / "vit-l16-384.pth", Image.Resampling.BICUBIC
    )
    assert least_cosine(bicubic, rows["clip-l16-384"]) < 0.9995
    equal = normalised(sum(rows.values()))
    assert least_cosine(equal, expected.blended) < 0.999
    once = list(dict.fromkeys(BANK))
    without = formulas.knn(small_clip.images(), small_clip.texts(once), formulas.minilm(once))
    assert least_cosine(without, rows["knn-vit-g"]) < 0.999


def test_the_mean_of_passes_is_not_made_a_unit_row(expected: Expected) -> None:
    # One member with both views would be; it gives every image the whole weight.
    passes = expected.passes
    assert np.linalg.norm(passes, axis=1).max() < 0.999
    assert least_cosine(expected.blended_with(normalised(passes)), expected.blended) < 0.99999


@pytest.mark.parametrize(
    "change", [{"beams": 1}, {"prefix": ""}, {"least": 12}, {"most": 12}], ids=str
)
def test_every_number_of_the_captions_changes_one(
    change: dict[str, Any], solution: Solution
) -> None:
    folder = solution.folder / "blip"
    assert formulas.captions(folder, **change) != formulas.captions(folder)


@pytest.mark.parametrize("member", WEIGHTS)
def test_each_member_is_its_formula(
    member: str, expected: Expected, predicted: dict[str, Batch]
) -> None:
    rows = predicted[member].embeddings.rows
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-6)
    assert least_cosine(rows, expected.rows[member]) >= 0.99999


def test_the_interrogators_texts_are_the_solutions(
    expected: Expected, predicted: dict[str, Batch]
) -> None:
    assert list(predicted["clip-blip"].prompts) == expected.texts
    assert len(set(expected.texts)) == len(expected.texts)


def test_the_blend_is_the_solutions(
    expected: Expected, predicted: dict[str, Batch], solution: Solution
) -> None:
    members = solution.ensemble.members
    assert {member.name: member.weight for member in members} == WEIGHTS
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
