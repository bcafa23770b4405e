"""Texts are encoded once; their rows are read from the cache by later processes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from unprompt import PluginError, TextEncoder, unit
from unprompt._files.cache import Cache
from unprompt._members.cached_text import CachedTextEncoder
from unprompt.types import FloatArray


class Letters(TextEncoder):
    """Counts letters; records the texts that it encodes."""

    def __init__(self, broken: str = "") -> None:
        self.encoded: list[list[str]] = []
        self.broken = broken

    @property
    def identity(self) -> str:
        return "letters-1"

    @property
    def dim(self) -> int:
        return 3

    def encode(self, texts: Sequence[str]) -> FloatArray:
        self.encoded.append(list(texts))
        rows = unit([[text.count(letter) for letter in "abc"] for text in texts])
        if self.broken == "another dim":
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
    assert letters.encoded == [["a", "bb", "abc"]]
    np.testing.assert_array_equal(rows, Letters().encode(texts))
    assert (cached.identity, cached.dim) == ("letters-1", 3)


def test_known_texts_are_read_from_the_cache_by_the_next_process(tmp_path: Path) -> None:
    texts = ["a", "b", "a"]
    first = CachedTextEncoder(Letters(), Cache(tmp_path)).encode(texts)
    letters = Letters()
    again = CachedTextEncoder(letters, Cache(tmp_path)).encode(texts)
    assert letters.encoded == []
    np.testing.assert_array_equal(again, first)


def test_a_later_list_encodes_only_new_texts(tmp_path: Path) -> None:
    letters = Letters()
    cached = CachedTextEncoder(letters, Cache(tmp_path))
    cached.encode(["a", "b"])
    rows = cached.encode(["c", "b", "cc"])
    assert letters.encoded == [["a", "b"], ["c", "cc"]]
    np.testing.assert_array_equal(rows, Letters().encode(["c", "b", "cc"]))


def test_no_texts_are_not_encoded(tmp_path: Path) -> None:
    letters = Letters()
    assert CachedTextEncoder(letters, Cache(tmp_path)).encode([]).shape == (0, 3)
    assert letters.encoded == []


@pytest.mark.parametrize("broken", ["another dim", "short", "nan"])
def test_wrong_rows_name_the_encoder_and_are_not_cached(tmp_path: Path, broken: str) -> None:
    with pytest.raises(PluginError, match=r"^text encoder letters-1: gave "):
        CachedTextEncoder(Letters(broken), Cache(tmp_path)).encode(["a", "b"])
    assert list((tmp_path / "texts").iterdir()) == []


def test_only_the_latest_texts_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("unprompt._members.cached_text.KNOWN", 2)
    letters = Letters()
    cached = CachedTextEncoder(letters, Cache(tmp_path))
    texts = ["a", "b", "ab", "abc"]
    np.testing.assert_array_equal(cached.encode(texts), Letters().encode(texts))
    np.testing.assert_array_equal(cached.encode(["abc", "ab"]), Letters().encode(["abc", "ab"]))
    assert letters.encoded == [texts]
    np.testing.assert_array_equal(cached.encode(["b"]), Letters().encode(["b"]))
    assert letters.encoded == [texts, ["b"]]


class Rounded(Letters):
    """Letters, rounded."""

    def __init__(self, identity: str = "letters-1 rounded", dim: int = 3) -> None:
        super().__init__()
        self._own = identity, dim

    @property
    def identity(self) -> str:
        return self._own[0]

    @property
    def dim(self) -> int:
        return self._own[1]

    def encode(self, texts: Sequence[str]) -> FloatArray:
        return unit(super().encode(texts).round(1))


class Twofold(Letters):
    """Letters that have a fast encoder."""

    def __init__(self, fast: TextEncoder) -> None:
        super().__init__()
        self._fast = fast

    def fast(self) -> TextEncoder:
        return self._fast


def test_fast_rows_and_exact_ones_are_never_mixed(tmp_path: Path) -> None:
    texts = ["aab", "abc"]
    for _ in range(2):  # the second time from the cache
        cached = CachedTextEncoder(Twofold(Rounded()), Cache(tmp_path))
        fast = cached.fast()
        assert fast is not None
        assert fast is cached.fast()
        assert fast.identity == "letters-1 rounded"
        np.testing.assert_array_equal(fast.encode(texts), Rounded().encode(texts))
        np.testing.assert_array_equal(cached.encode(texts), Letters().encode(texts))
        assert not np.array_equal(fast.encode(texts), cached.encode(texts))


def test_an_encoder_without_a_fast_one_is_its_own(tmp_path: Path) -> None:
    cached = CachedTextEncoder(Letters(), Cache(tmp_path))
    assert cached.fast() is None
    assert cached.fastest() is cached


@pytest.mark.parametrize(
    ("fast", "line"),
    [
        (Rounded("letters-1"), "gave an encoder of the exact one's identity 'letters-1'"),
        (Rounded(dim=4), "gave an encoder of 4 dimensions, not 3"),
    ],
)
def test_a_fast_encoder_of_another_space_is_refused(
    tmp_path: Path, fast: TextEncoder, line: str
) -> None:
    with pytest.raises(PluginError) as caught:
        CachedTextEncoder(Twofold(fast), Cache(tmp_path)).fast()
    assert caught.value.problems == (line,)
