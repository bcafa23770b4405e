"""Numbers as text never say more than they do."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unprompt._scoring.digits import below, fixed, interval_end


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.69999, "0.69999"), (0.7, "0.7000"), (0.70001, "0.7000"), (0.6428, "0.6428"), (1, "1.0000")],
)
def test_a_number_below_a_threshold_is_not_shown_as_the_threshold(value: float, text: str) -> None:
    assert below(value, 0.7) == text


@given(st.floats(-1, 1), st.sampled_from([0.5, 0.7, 0.95, 1.0]))
def test_the_text_is_on_the_numbers_own_side(value: float, threshold: float) -> None:
    text = below(value, threshold)
    assert abs(float(text) - value) <= 0.5e-4
    assert (float(text) >= threshold) == (value >= threshold) or threshold - value < 1e-9


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (fixed(-1e-9, 6), "0.000000"),
        (fixed(-1e-9, signed=True), "0.0000"),
        (fixed(-0.0123, signed=True), "-0.0123"),
        (fixed(0.0123, signed=True), "+0.0123"),
        (fixed(0.9034, 1, percent=True), "90.3%"),
        (fixed(-0.00001, 1, percent=True), "0.0%"),
        (interval_end(-0.00003, signed=True), "-0.00003"),
        (interval_end(0.0), "0.0000"),
        (interval_end(0.00006), "0.0001"),
        (interval_end(1e-30, signed=True), "0.0000"),
    ],
)
def test_zero_has_no_sign_and_what_is_not_zero_does_not_look_like_it(
    text: str, expected: str
) -> None:
    assert text == expected
