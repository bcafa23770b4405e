"""Each check of the contract of text encoders fails on an encoder that breaks it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from unprompt import Runtime, TextEncoder, unit
from unprompt.testing import HashedWords, TextEncoderContract
from unprompt.types import FloatArray


class Words(HashedWords):
    """A text encoder that keeps the contract."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self.calls = 0


class DoublePrecision(Words):
    def encode(self, texts: Sequence[str]) -> FloatArray:
        rows = super().encode(texts)
        return rows.astype(np.float64) if len(rows) else rows


class WrongDim(Words):
    @property
    def dim(self) -> int:
        return 31

    def encode(self, texts: Sequence[str]) -> FloatArray:
        return HashedWords().encode(texts)


class LongRows(Words):
    def encode(self, texts: Sequence[str]) -> FloatArray:
        return super().encode(texts) * np.float32(1.01)


class FlatEmptyResult(Words):
    def encode(self, texts: Sequence[str]) -> FloatArray:
        return super().encode(texts) if texts else np.empty(0, np.float32)


class OneRowForAllTexts(Words):
    def encode(self, texts: Sequence[str]) -> FloatArray:
        return super().encode(["word"] * len(texts))


class SortedTexts(Words):
    def encode(self, texts: Sequence[str]) -> FloatArray:
        return super().encode(sorted(texts))


class DistinctTexts(Words):
    def encode(self, texts: Sequence[str]) -> FloatArray:
        return super().encode(list(dict.fromkeys(texts)))


class RandomRows(Words):
    def encode(self, texts: Sequence[str]) -> FloatArray:
        rows = super().encode(texts)
        return unit(rows + np.random.default_rng().normal(size=rows.shape) * 1e-6)


class CentredRows(Words):
    def encode(self, texts: Sequence[str]) -> FloatArray:
        rows = super().encode(texts)
        return unit(rows - 0.1 * rows.mean(axis=0)) if len(rows) else rows


class RowsOfTheBatchSize(Words):
    def encode(self, texts: Sequence[str]) -> FloatArray:
        rows = super().encode(texts)
        return unit(rows + 0.1 / self.runtime.batch_size)


class ChangingIdentity(Words):
    @property
    def identity(self) -> str:
        self.calls += 1
        return f"words-{self.calls}"


class Coarse(Words):
    """Rows with a cosine of about 0.995 to the exact ones."""

    @property
    def identity(self) -> str:
        return "words, coarsely"

    def encode(self, texts: Sequence[str]) -> FloatArray:
        rows = super().encode(texts)
        return unit(rows + np.random.default_rng(0).normal(size=rows.shape[1:]) * 0.018)


class FastButCoarse(Words):
    def fast(self) -> TextEncoder:
        return Coarse(self.runtime)


class FastUnderTheSameName(Words):
    def fast(self) -> TextEncoder:
        return self


BROKEN: list[tuple[str, type[Words]]] = [
    ("test_rows_are_float32_of_the_encoders_dim", DoublePrecision),
    ("test_rows_are_float32_of_the_encoders_dim", WrongDim),
    ("test_rows_have_unit_length", LongRows),
    ("test_no_text_gives_no_row", FlatEmptyResult),
    ("test_different_texts_have_different_rows", OneRowForAllTexts),
    ("test_rows_are_in_the_order_of_the_texts", SortedTexts),
    ("test_a_repeated_text_has_equal_rows", DistinctTexts),
    ("test_the_same_call_gives_the_same_rows", RandomRows),
    ("test_other_texts_do_not_change_a_row", CentredRows),
    ("test_batch_size_does_not_matter", RowsOfTheBatchSize),
    ("test_identity_never_changes", ChangingIdentity),
    ("test_fast_rows_are_near_to_the_exact_ones", FastButCoarse),
    ("test_fast_rows_are_near_to_the_exact_ones", FastUnderTheSameName),
]


def test_a_right_encoder_passes_every_check(failing_checks: Callable[..., set[str]]) -> None:
    assert failing_checks(TextEncoderContract, make_encoder=Words) == set()


@pytest.mark.parametrize(("check", "encoder"), BROKEN)
def test_a_broken_encoder_fails_the_check_for_it(
    failing_checks: Callable[..., set[str]], check: str, encoder: type[Words]
) -> None:
    assert check in failing_checks(TextEncoderContract, make_encoder=encoder)


def test_every_check_has_a_broken_encoder(checks: Callable[[type], set[str]]) -> None:
    assert {check for check, _ in BROKEN} == checks(TextEncoderContract)
