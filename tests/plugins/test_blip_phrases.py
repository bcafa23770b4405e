"""Ranking phrases by their cosine with images, and keeping them on disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from unprompt.contracts import Runtime
from unprompt.embeddings import unit
from unprompt.errors import DataError
from unprompt.towers import ClipTowers
from unprompt.types import FloatArray
from unprompt_blip.phrases import Phrases
from unprompt_blip.tables import MERGED


@pytest.mark.parametrize("lowest", [False, True])
@pytest.mark.parametrize("tables", [MERGED, ("flavors",), ("flavors", "negative")])
def test_ranking_is_exact(
    phrases: Phrases, image_rows: FloatArray, tables: tuple[str, ...], lowest: bool
) -> None:
    ranked = phrases.top(phrases.cosines(image_rows, "cpu"), tables, 40, lowest=lowest)
    inside = sorted({number for name in tables for number in phrases.tables[name].tolist()})
    cosines = image_rows.astype(np.float64) @ phrases.rows.astype(np.float64).T
    sign = 1 if lowest else -1
    for line, numbers in zip(cosines, ranked, strict=True):
        assert numbers.tolist() == sorted(inside, key=lambda n: (sign * line[n], n))[:40]


def test_more_than_there_are_and_none_at_all(phrases: Phrases, image_rows: FloatArray) -> None:
    cosines = phrases.cosines(image_rows, "cpu")
    count = len(phrases.tables["mediums"])
    ranked = phrases.top(cosines, ("mediums",), 10_000)
    assert ranked.shape == (5, count)
    assert all(set(line) == set(phrases.tables["mediums"].tolist()) for line in ranked)
    assert phrases.top(cosines, ("unknown",), 3).shape == (5, 0)


def test_phrases_with_equal_tokens_are_one(simple: ClipTowers) -> None:
    tables = {"mediums": ["4K", "misty"], "flavors": ["4k ", "Misty", "fog", "fog"]}
    made = Phrases.of(tables, simple, Runtime(batch_size=2))
    assert made.texts == ("4K", "misty", "fog")
    assert {name: numbers.tolist() for name, numbers in made.tables.items()} == {
        "mediums": [0, 1],
        "flavors": [0, 1, 2],
    }


def test_rows_are_the_text_towers(simple: ClipTowers, phrases: Phrases) -> None:
    np.testing.assert_allclose(phrases.rows, simple.texts(phrases.texts), atol=1e-6)


def test_saved_phrases_are_read_back(phrases: Phrases, tmp_path: Path) -> None:
    phrases.save(tmp_path)
    again = Phrases.read(tmp_path)
    assert again.texts == phrases.texts
    np.testing.assert_allclose(again.rows, phrases.rows, atol=1e-7)
    assert all((again.tables[name] == phrases.tables[name]).all() for name in phrases.tables)


def test_many_phrases_are_kept_in_half_the_space(tmp_path: Path) -> None:
    rows = unit(np.random.default_rng(0).normal(size=(20_001, 8)))
    many = Phrases(tuple(map(str, range(len(rows)))), rows, {"flavors": np.arange(len(rows))})
    many.save(tmp_path)
    assert (tmp_path / "phrases.safetensors").stat().st_size < 20_001 * 8 * 3
    np.testing.assert_allclose(Phrases.read(tmp_path).rows, rows, atol=1e-3)


def test_a_broken_artifact_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"phrases\.safetensors: cannot be read: no such file"):
        Phrases.read(tmp_path)
