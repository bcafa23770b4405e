"""Numbers as text that says no more than they do: beside a threshold, and beside 0."""

from __future__ import annotations

import math

from unprompt._scoring.estimate import Estimate

_MOST = 9
"""Digits after the point at most."""


def below(value: float, threshold: float, digits: int = 4) -> str:
    """``value`` with as many digits as keep it on its own side of the threshold.

    Rounded to four digits, 0.69999 would be shown as a threshold of 0.7 that it does not reach.
    """
    for more in range(digits, _MOST + 1):
        text = f"{value:.{more}f}"
        if (float(text) >= threshold) == (value >= threshold):
            return text
    return f"{value:.{digits}f}"


def fixed(value: float, digits: int = 4, *, signed: bool = False, percent: bool = False) -> str:
    """A number with a sign where asked for, and none in front of a number that rounds to 0."""
    shown = value * 100 if percent else value
    text = f"{shown:{'+' if signed else ''}.{digits}f}"
    if not text.strip("-+0."):
        text = text.lstrip("-+")
    return f"{text}%" if percent else text


def weight(value: float, digits: int = 3) -> str:
    """A weight; a small one with its power of ten, so that it does not look like none."""
    return f"{value:.1e}" if 0 < value < 0.5 * 10**-digits else f"{value:.{digits}f}"


def interval_end(value: float, digits: int = 4, *, signed: bool = False) -> str:
    """An end of an interval, with more digits where it would look like 0 and is not.

    Whether 0 is in an interval decides what may be concluded from it. What nine digits do not show
    is a sum's rounding, and 0.
    """
    if 0.5 * 10**-_MOST <= abs(value) < 0.5 * 10**-digits:
        digits = min(_MOST, -math.floor(math.log10(abs(value))))
    return fixed(value, digits, signed=signed)


def interval(estimate: Estimate, *, signed: bool = False, percent: bool = False) -> str:
    """``[0.7650, 0.7774]``; "none" where there are too few groups for one."""
    if estimate.ci95 is None:
        return "none"
    if percent:
        low, high = (fixed(end, 1, percent=True) for end in estimate.ci95)
    else:
        low, high = (interval_end(end, signed=signed) for end in estimate.ci95)
    return f"[{low}, {high}]"


def with_interval(estimate: Estimate, *, signed: bool = True) -> str:
    """``+0.0082 [+0.0070, +0.0093]``; the number alone where there is no interval."""
    number = fixed(estimate.score, signed=signed)
    return f"{number} {interval(estimate, signed=signed)}" if estimate.ci95 else number
