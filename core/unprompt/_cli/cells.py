"""Cells of text tables, and how tables lay them out."""

from __future__ import annotations

from collections.abc import Sequence

from unprompt._scoring.digits import with_interval
from unprompt._scoring.estimate import Estimate, Verdict, verdict


def text_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Aligned columns; the first to the left, numbers as they come."""
    lines = [header, *rows]
    widths = [max(len(line[i]) for line in lines) for i in range(len(header))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def verdict_words(verdict: Verdict, groups: int) -> str:
    """A verdict with the number of groups where they are too few."""
    if verdict is not Verdict.TOO_FEW:
        return verdict
    counted = "1 group is" if groups == 1 else f"{groups} groups are"
    return f"{counted} too few to tell"


def judged(difference: Estimate, groups: int) -> str:
    """A difference with its interval, and in words what may be said of it."""
    words = verdict_words(verdict(difference, groups), groups)
    return f"{with_interval(difference)}: {words}"
