"""Numbers of a run as a page shows them: what is missing is a dash, never a crash."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from unprompt.types import Json

DASH = "\N{EN DASH}"
MINUS = "\N{MINUS SIGN}"
FEW_GROUPS = 10
"""With fewer groups a bootstrap interval is far too narrow to conclude anything from."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number with its 95 % interval.

    Attributes:
        score: A mean cosine, a difference of two, or a share of the gap.
        low: Lower end of the interval; None where there is none.
        high: Upper end; None exactly where `low` is.
    """

    score: float
    low: float | None = None
    high: float | None = None

    @property
    def known(self) -> bool:
        """Whether there is an interval."""
        return self.low is not None

    @property
    def sign(self) -> int:
        """1 or -1 where the whole interval is above or below 0, else 0."""
        if self.low is None or self.high is None:
            return 0
        return int(self.low > 0) - int(self.high < 0)


def number(value: Json) -> float | None:
    """A finite number as float; None for everything else, such as null, NaN and text."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) else None


def estimate(entry: Json, score: str = "score", ci95: str = "ci95") -> Estimate | None:
    """Read ``{"score": s, "ci95": [low, high]}``; None where the score is missing.

    Args:
        entry: A map, or anything else for nothing.
        score: The key of the number.
        ci95: The key of the interval's two ends.
    """
    mean = number(mapping(entry).get(score))
    if mean is None:
        return None
    ends = mapping(entry).get(ci95)
    low, high = map(number, ends) if isinstance(ends, list) and len(ends) == 2 else (None, None)
    if low is None or high is None:
        return Estimate(mean)
    return Estimate(mean, low, high)


def mapping(value: Json) -> Mapping[str, Json]:
    """``value`` where it is a map, else an empty one."""
    return value if isinstance(value, Mapping) else {}


def fixed(value: float | None, digits: int = 4) -> str:
    """``0.7712``; a dash for None."""
    return DASH if value is None else _typeset(f"{value:.{digits}f}")


def signed(value: float | None, digits: int = 4) -> str:
    """``+0.0123``; a dash for None."""
    return DASH if value is None else _typeset(f"{value:+.{digits}f}")


def percent(value: float | None, digits: int = 1) -> str:
    """A share as ``61.9 %``; a dash for None."""
    return DASH if value is None else _typeset(f"{value * 100:.{digits}f}\N{NO-BREAK SPACE}%")


def count(value: Json) -> str:
    """A whole number with thin spaces between thousands: ``4 800``; a dash for None."""
    whole = number(value)
    return DASH if whole is None else f"{whole:,.0f}".replace(",", "\N{NARROW NO-BREAK SPACE}")


def duration(seconds: float | None) -> str:
    """``12.4 s``, ``3 min 20 s`` or ``2 h 05 min``; a dash for None."""
    if seconds is None:
        return DASH
    if seconds < 60:
        return f"{seconds:.1f}\N{NO-BREAK SPACE}s" if seconds >= 0.95 else _short(seconds)
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s".replace(" ", "\N{NO-BREAK SPACE}")
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min".replace(" ", "\N{NO-BREAK SPACE}")


def interval(value: Estimate | None, style: str = "fixed") -> str:
    """``[0.7650, 0.7774]`` in the style ``fixed``, ``signed`` or ``percent``; empty for None."""
    if value is None or not value.known:
        return ""
    if style == "percent":
        low, high = (percent(end).removesuffix("\N{NO-BREAK SPACE}%") for end in _ends(value))
        return f"[{low}, {high}]\N{NO-BREAK SPACE}%"
    write = signed if style == "signed" else fixed
    low, high = (write(end) for end in _ends(value))
    return f"[{low}, {high}]"


def plural(amount: int, one: str, many: str | None = None) -> str:
    """``1 picture``, ``2 pictures``, ``4 800 pictures``."""
    return f"{count(amount)} {one if amount == 1 else many or one + 's'}"


def _short(seconds: float) -> str:
    return f"{seconds * 1000:.0f}\N{NO-BREAK SPACE}ms"


def _ends(value: Estimate) -> tuple[float | None, float | None]:
    return value.low, value.high


def _typeset(text: str) -> str:
    """A real minus sign, and none in front of a number that rounds to 0."""
    if not text.strip("-+0.\N{NO-BREAK SPACE}%"):
        text = text.lstrip("-+")
    return text.replace("-", MINUS)
