"""The contract of text encoders as tests."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from unprompt.contracts import Runtime, TextEncoder
from unprompt.embeddings import NORM_TOLERANCE
from unprompt.testing.tolerance import TOLERANCE

TEXTS = (
    "a red fox in the snow",
    "oil painting of a lighthouse, trending on artstation",
    "ein Hut für den König, 4k",
    "狐",
    "fox",
    "a very long prompt about a castle on a hill " * 40,
    "a donut shop that proclaims \"it's what's for dinner!\"",
)
"""Prompts of several lengths and scripts, all different."""

FAST_COSINE = 0.9995
"""The least cosine of a fast row with the exact one."""

MakeEncoder = Callable[[Runtime], TextEncoder]


class TextEncoderContract:
    """Checks for every text encoder; subclass it and give the fixture ``make_encoder``."""

    @pytest.fixture(scope="class")
    @classmethod
    def make_encoder(cls) -> MakeEncoder:
        """A function that makes a new text encoder, with the same options each time."""
        pytest.skip("subclass TextEncoderContract and give the fixture `make_encoder`")

    def test_rows_are_float32_of_the_encoders_dim(self, make_encoder: MakeEncoder) -> None:
        encoder = make_encoder(Runtime())
        rows = encoder.encode(TEXTS)
        assert encoder.dim > 0
        assert rows.shape == (len(TEXTS), encoder.dim)
        assert rows.dtype == np.float32

    def test_rows_have_unit_length(self, make_encoder: MakeEncoder) -> None:
        lengths = np.linalg.norm(make_encoder(Runtime()).encode(TEXTS), axis=1)
        np.testing.assert_allclose(lengths, 1, rtol=0, atol=NORM_TOLERANCE)

    def test_no_text_gives_no_row(self, make_encoder: MakeEncoder) -> None:
        encoder = make_encoder(Runtime())
        rows = encoder.encode([])
        assert rows.shape == (0, encoder.dim)
        assert rows.dtype == np.float32

    def test_different_texts_have_different_rows(self, make_encoder: MakeEncoder) -> None:
        rows = make_encoder(Runtime()).encode(TEXTS)
        cosines = rows @ rows.T - np.eye(len(rows))
        assert cosines.max() < 1 - TOLERANCE

    def test_rows_are_in_the_order_of_the_texts(self, make_encoder: MakeEncoder) -> None:
        encoder = make_encoder(Runtime())
        rows = encoder.encode(TEXTS)
        reversed_rows = encoder.encode(TEXTS[::-1])
        np.testing.assert_allclose(reversed_rows[::-1], rows, rtol=0, atol=TOLERANCE)

    def test_a_repeated_text_has_equal_rows(self, make_encoder: MakeEncoder) -> None:
        rows = make_encoder(Runtime()).encode([TEXTS[0], TEXTS[1], TEXTS[0]])
        assert len(rows) == 3
        np.testing.assert_allclose(rows[2], rows[0], rtol=0, atol=TOLERANCE)

    def test_the_same_call_gives_the_same_rows(self, make_encoder: MakeEncoder) -> None:
        encoder = make_encoder(Runtime())
        rows = encoder.encode(TEXTS)
        np.testing.assert_array_equal(encoder.encode(TEXTS), rows)
        np.testing.assert_array_equal(make_encoder(Runtime()).encode(TEXTS), rows)

    def test_other_texts_do_not_change_a_row(self, make_encoder: MakeEncoder) -> None:
        encoder = make_encoder(Runtime())
        rows = encoder.encode(TEXTS)
        for text, row in zip(TEXTS, rows, strict=True):
            alone = encoder.encode([text])[0]
            np.testing.assert_allclose(alone, row, rtol=0, atol=TOLERANCE, err_msg=text)

    def test_batch_size_does_not_matter(self, make_encoder: MakeEncoder) -> None:
        rows = make_encoder(Runtime()).encode(TEXTS)
        for size in (1, 3):
            batched = make_encoder(Runtime(batch_size=size)).encode(TEXTS)
            np.testing.assert_allclose(batched, rows, rtol=0, atol=TOLERANCE)

    def test_identity_never_changes(self, make_encoder: MakeEncoder) -> None:
        encoder = make_encoder(Runtime())
        identity = encoder.identity
        assert isinstance(identity, str)
        assert identity.strip()
        encoder.encode(TEXTS[:1])
        assert encoder.identity == identity
        assert make_encoder(Runtime(batch_size=3)).identity == identity

    def test_fast_rows_are_near_to_the_exact_ones(self, make_encoder: MakeEncoder) -> None:
        encoder = make_encoder(Runtime())
        fast = encoder.fast()
        if fast is None:  # which is as good
            return
        assert fast.dim == encoder.dim
        assert fast.identity != encoder.identity
        rows = fast.encode(TEXTS)
        assert rows.dtype == np.float32
        np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, rtol=0, atol=NORM_TOLERANCE)
        cosines = np.einsum("nd,nd->n", rows, encoder.encode(TEXTS))
        assert cosines.min() >= FAST_COSINE
