"""Numbers as a page shows them: a real minus sign, and spaces that do not break."""

from __future__ import annotations

from unprompt._scoring import digits as decimals
from unprompt._scoring.digits import interval_end
from unprompt._scoring.estimate import Estimate

MINUS = "\N{MINUS SIGN}"
_SPACE = "\N{NO-BREAK SPACE}"


def fixed(value: float, digits: int = 4) -> str:
    """``0.7712``."""
    return _typeset(f"{value:.{digits}f}")


def weight(value: float) -> str:
    """A weight: ``0.731``, or with a power of ten where it is small and not 0."""
    return _typeset(decimals.weight(value))


def signed(value: float, digits: int = 4) -> str:
    """``+0.0123``."""
    return _typeset(f"{value:+.{digits}f}")


def percent(value: float, digits: int = 1) -> str:
    """A share as ``61.9 %``."""
    return _typeset(f"{value * 100:.{digits}f}{_SPACE}%")


def count(value: int) -> str:
    """A whole number with thin spaces between thousands: ``4 800``."""
    return f"{value:,}".replace(",", "\N{NARROW NO-BREAK SPACE}")


def plural(amount: int, singular: str) -> str:
    """``1 image``, ``2 images``, ``4 800 images``."""
    return f"{count(amount)} {singular if amount == 1 else singular + 's'}"


def duration(seconds: float) -> str:
    """``500 ms``, ``12.4 s``, ``3 min 20 s`` or ``2 h 05 min``."""
    if seconds < 0.95:
        return f"{seconds * 1000:.0f}{_SPACE}ms"
    if seconds < 60:
        return f"{seconds:.1f}{_SPACE}s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s".replace(" ", _SPACE)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min".replace(" ", _SPACE)


def interval(value: Estimate, style: str = "fixed") -> str:
    """``[0.7650, 0.7774]`` in the style ``fixed``, ``signed`` or ``percent``; a dash without."""
    if value.ci95 is None:
        return "\N{EN DASH}"
    if style == "percent":
        unit = f"{_SPACE}%"
        low, high = (percent(end).removesuffix(unit) for end in value.ci95)
        return f"[{low}, {high}]{unit}"
    ends = (interval_end(end, signed=style == "signed") for end in value.ci95)
    return f"[{', '.join(map(_typeset, ends))}]"


def _typeset(text: str) -> str:
    """A real minus sign, and no sign in front of a number that rounds to 0."""
    if not text.strip(f"-+0.{_SPACE}%"):
        text = text.lstrip("-+")
    return text.replace("-", MINUS)
