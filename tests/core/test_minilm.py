"""The packaged text encoder against the competition's published numbers, and its cache."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from unprompt import Location, MissingFileError, PluginError, Runtime, TextEncoder, cosine, unit
from unprompt._builtin.minilm import OFFICIAL_SHA256, MiniLM, MiniLMOptions
from unprompt._files.cache import Cache
from unprompt._members.cached_text import CachedTextEncoder
from unprompt.types import FloatArray

KAGGLE = Path(__file__).parent.parent / "data_kaggle"


@pytest.fixture(scope="module")
def encoder() -> MiniLM:
    return MiniLM(MiniLMOptions(), Runtime())


def _prompts() -> dict[str, str]:
    with (KAGGLE / "prompts.csv").open(encoding="utf-8", newline="") as file:
        return {row["imgId"]: row["prompt"] for row in csv.DictReader(file)}


def test_the_seven_public_prompts_give_the_published_values(encoder: MiniLM) -> None:
    prompts = _prompts()
    published = json.loads((KAGGLE / "first_values.json").read_text(encoding="utf-8"))
    assert list(prompts) == list(published)
    assert len(prompts) == 7
    rows = encoder.encode(list(prompts.values()))
    assert rows.shape == (7, 384)
    assert rows.dtype == np.float32
    np.testing.assert_allclose(rows[:, :8], list(published.values()), rtol=0, atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-6)


def test_a_row_depends_on_its_text_alone(encoder: MiniLM) -> None:
    texts = ["a cat", "a long prompt, " * 9, "", "ein Hund, 犬"]
    together = encoder.encode(texts)
    alone = np.concatenate([encoder.encode([text]) for text in texts])
    np.testing.assert_allclose(together, alone, atol=1e-5)
    np.testing.assert_allclose(encoder.encode(texts[::-1]), together[::-1], atol=1e-5)


def test_near_meanings_are_nearer_than_far_ones(encoder: MiniLM) -> None:
    a, b, c = encoder.encode(["a red fox in the snow", "fox, red, snowy", "tax return form"])
    assert cosine([a], [b])[0] > 0.7
    assert cosine([a], [c])[0] < 0.3


def test_no_texts_are_no_rows() -> None:
    assert MiniLM(MiniLMOptions(), Runtime()).encode([]).shape == (0, 384)


def test_the_identity_names_the_weights() -> None:
    encoder = MiniLM(MiniLMOptions(), Runtime())
    assert OFFICIAL_SHA256 in encoder.identity
    assert encoder.dim == 384


def test_other_weights_are_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"abc")
    options = MiniLMOptions(folder=Location.of(str(tmp_path)))
    with pytest.raises(MissingFileError) as caught:
        MiniLM(options, Runtime()).encode(["x"])
    (line,) = caught.value.problems
    assert f"{tmp_path}/model.safetensors has SHA-256 ba7816bf" in line
    assert line.endswith(f"not {OFFICIAL_SHA256}")


def test_a_missing_folder_is_one_line(tmp_path: Path) -> None:
    options = MiniLMOptions(folder=Location.of(str(tmp_path / "gone")))
    with pytest.raises(MissingFileError) as caught:
        MiniLM(options, Runtime()).encode(["x"])
    assert caught.value.problems == (
        f"text encoder 'minilm': no file {tmp_path}/gone/model.safetensors",
    )


class Letters(TextEncoder):
    """Counts letters; remembers what it was asked."""

    def __init__(self, broken: str = "") -> None:
        self.asked: list[list[str]] = []
        self.broken = broken

    @property
    def identity(self) -> str:
        return "letters-1"

    @property
    def dim(self) -> int:
        return 3

    def encode(self, texts: Sequence[str]) -> FloatArray:
        self.asked.append(list(texts))
        rows = unit([[text.count(letter) for letter in "abc"] for text in texts])
        if self.broken == "wide":
            return np.concatenate([rows, rows], axis=1)
        if self.broken == "short":
            return rows[1:]
        if self.broken == "nan":
            rows[0] = np.nan
        return rows


def test_each_distinct_text_is_encoded_once_and_order_is_kept(tmp_path: Path) -> None:
    letters = Letters()
    cached = CachedTextEncoder(letters, Cache(tmp_path))
    texts = ["a", "bb", "a", "abc", "bb"]
    rows = cached.encode(texts)
    assert letters.asked == [["a", "bb", "abc"]]
    np.testing.assert_array_equal(rows, Letters().encode(texts))
    assert (cached.identity, cached.dim) == ("letters-1", 3)


def test_known_texts_are_read_from_the_cache_by_the_next_process(tmp_path: Path) -> None:
    texts = ["a", "b", "a"]
    first = CachedTextEncoder(Letters(), Cache(tmp_path)).encode(texts)
    letters = Letters()
    again = CachedTextEncoder(letters, Cache(tmp_path)).encode(texts)
    assert letters.asked == []
    np.testing.assert_array_equal(again, first)


def test_a_later_list_asks_only_for_what_is_new(tmp_path: Path) -> None:
    letters = Letters()
    cached = CachedTextEncoder(letters, Cache(tmp_path))
    cached.encode(["a", "b"])
    rows = cached.encode(["c", "b", "cc"])
    assert letters.asked == [["a", "b"], ["c", "cc"]]
    np.testing.assert_array_equal(rows, Letters().encode(["c", "b", "cc"]))


def test_no_texts_ask_nobody(tmp_path: Path) -> None:
    letters = Letters()
    assert CachedTextEncoder(letters, Cache(tmp_path)).encode([]).shape == (0, 3)
    assert letters.asked == []


@pytest.mark.parametrize("broken", ["wide", "short", "nan"])
def test_rows_of_a_wrong_kind_name_the_encoder_and_are_not_kept(
    tmp_path: Path, broken: str
) -> None:
    with pytest.raises(PluginError, match=r"^text encoder letters-1: gave "):
        CachedTextEncoder(Letters(broken), Cache(tmp_path)).encode(["a", "b"])
    assert list((tmp_path / "texts").iterdir()) == []
