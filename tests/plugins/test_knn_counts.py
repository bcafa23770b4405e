"""Kernel `rank`, and prompts that count as often as they occur."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from unprompt import Batch, ConfigError, DataError, Embeddings, Runtime, unit
from unprompt.testing import HashedWords, example_images, example_train_set
from unprompt.types import FloatArray
from unprompt_knn.kernel import Power, Rank, Softmax
from unprompt_knn.knn import Knn
from unprompt_knn.options import KnnOptions
from unprompt_knn.ridge import Ridge

CLIP = {"folder": "package:unprompt_painter/checkpoints/clip-b"}
PROMPTS = ["a red fox", "a blue owl", "a red fox", "a green snail", "a red fox", "a blue owl"]
NONE = np.empty((0, 0), np.float32)


def options(**given: Any) -> KnnOptions:
    return KnnOptions.model_validate({"backbone": CLIP, **given})


def predicted(folder: Path, table: Path, **given: Any) -> Batch:
    folder.mkdir()
    member = Knn(
        options(**{"bank": {"prompts": str(table)}, **given}),
        Runtime(text_encoder=HashedWords()),
    )
    member.prepare(example_train_set(), folder)
    member.load(folder)
    (batch,) = member.predict(example_images())
    member.close()
    return batch


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "prompts.csv"
    path.write_text("\n".join(["prompt", *PROMPTS]) + "\n")
    return path


def test_rank_is_a_power_of_the_rank_alone() -> None:
    row = np.array([[0.9, 0.31, 0.3, -0.2]], np.float32)
    raw = np.array([1 / (60 + rank) ** 1.5 for rank in (1, 2, 3, 4)])
    shares = Rank(decay=1.5).shares(row, np.zeros(row.shape, np.int64), NONE)
    np.testing.assert_allclose(shares[0], raw / raw.sum(), rtol=1e-12)
    lower = (row / 9 + 0.5).astype(np.float32)
    other = Rank(decay=1.5).shares(lower, np.zeros(row.shape, np.int64), NONE)
    np.testing.assert_array_equal(shares, other)


def test_rank_counts_those_that_are_not_left_out() -> None:
    row = np.array([[0.9, -np.inf, 0.3, -np.inf]], np.float32)
    raw = np.array([1.0, 0.0, 0.5, 0.0])
    shares = Rank(offset=0.0).shares(row, np.zeros(row.shape, np.int64), NONE)
    np.testing.assert_allclose(shares[0], raw / raw.sum(), rtol=1e-12)


@pytest.mark.parametrize("kernel", [Softmax(), Power(), Ridge(penalty=0.3)])
def test_a_neighbour_that_counts_n_times_is_n_equal_neighbours(
    kernel: Softmax | Power | Ridge,
) -> None:
    rng = np.random.default_rng(0)
    keys = unit(rng.standard_normal((4, 6), dtype=np.float32))
    query = unit(rng.standard_normal((1, 6), dtype=np.float32))[0]
    keys = keys[np.argsort(-keys @ query)]
    times = np.array([3, 1, 2, 1])
    rows = np.arange(4)[None]
    counted = kernel.shares((keys @ query)[None], rows, keys, times[None].astype(np.float64))[0]
    many = keys.repeat(times, axis=0)
    each = kernel.shares((many @ query)[None], np.arange(7)[None], many)[0]
    summed = np.add.reduceat(each, [0, 3, 4, 6])
    np.testing.assert_allclose(counted, summed, atol=1e-6)


@pytest.mark.parametrize("kernel", [{"name": "power"}, {"name": "ridge"}])
def test_count_power_1_is_duplicates_and_0_is_each_once(
    kernel: dict[str, Any], table: Path, tmp_path: Path
) -> None:
    def rows(name: str, **given: Any) -> FloatArray:
        return predicted(tmp_path / name, table, kernel=kernel, **given).embeddings.rows

    often = {"bank": {"prompts": str(table), "duplicates": True}}
    as_often = rows("often", **often)
    np.testing.assert_allclose(rows("counted", count_power=1.0), as_often, atol=1e-5)
    assert np.abs(rows("half", count_power=0.5) - as_often).max() > 1e-3
    np.testing.assert_array_equal(rows("once"), rows("zero", count_power=0.0))


def test_counts_are_kept_with_the_bank_and_can_be_searched(table: Path, tmp_path: Path) -> None:
    batch = predicted(tmp_path / "counted", table, count_power=2.0)
    kept = load_file(tmp_path / "counted" / "counts.safetensors")
    np.testing.assert_array_equal(kept["counts"], [3, 2, 1])
    member = Knn(options(bank={"prompts": str(table)}), Runtime(text_encoder=HashedWords()))
    member.load(tmp_path / "counted")
    variant = member.options.model_copy(update={"count_power": 2.0})
    ((varied,),) = member.predict_variants(example_images(), [variant])
    assert isinstance(varied, Embeddings)
    np.testing.assert_allclose(varied.rows, batch.embeddings.rows, atol=1e-6)


@pytest.mark.parametrize(
    ("counts", "line"), [(np.array([1.0, -2.0, 3.0]), "not above 0"), (np.ones(2), "of shape")]
)
def test_damaged_counts_are_one_line(counts: Any, line: str, table: Path, tmp_path: Path) -> None:
    predicted(tmp_path / "counted", table)
    save_file({"counts": counts}, tmp_path / "counted" / "counts.safetensors")
    member = Knn(options(count_power=1.0), Runtime())
    with pytest.raises(DataError, match=line):
        member.load(tmp_path / "counted")


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"exclude_exact": True}, "only `neighbours` and `kernel`"),
        ({"center": True}, "only `neighbours` and `kernel`"),
        ({"kernel": {"name": "auto"}}, "`kernel.fit` has to be 0"),
        ({"rerank": {"backbone": CLIP}}, "only `neighbours` and `kernel`"),
        ({"queries": "captions"}, "only `neighbours` and `kernel`"),
    ],
)
def test_what_needs_another_artifact_cannot_be_searched(change: dict[str, Any], line: str) -> None:
    with pytest.raises(ConfigError, match=line):
        Knn(options(), Runtime()).check_variants([options(**change)])
