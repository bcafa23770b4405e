"""The members' weights, and what each of them is worth to the blend."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from unprompt._report.numbers import Estimate, estimate, mapping, number
from unprompt._report.source import Run
from unprompt.types import Json


@dataclass(frozen=True, slots=True)
class Weight:
    """A member in the blend.

    Attributes:
        member: Its name.
        weight: Its weight; the largest is usually 1.
        share: Percent of the sum of all weights.
        test: The blend's score minus that of the blend without it; None where not known.
        holdout: The same on the holdout.
        words: What that means; empty where nothing is known.
        flagged: Whether leaving it out does not hurt.
    """

    member: str
    weight: float | None
    share: float
    test: Estimate | None
    holdout: Estimate | None
    words: str
    flagged: bool


@dataclass(frozen=True, slots=True)
class Weights:
    """The section.

    Attributes:
        rows: Largest weight first.
        gains: Whether the run knows what members are worth.
        spare: Members that could be left out.
    """

    rows: tuple[Weight, ...]
    gains: bool
    spare: tuple[str, ...]


def weights(run: Run) -> Weights | None:
    """Read weights and gains; None where the run has no weights."""
    found = {str(name): number(weight) for name, weight in run.part("weights").items()}
    if not found:
        return None
    total = sum(weight for weight in found.values() if weight) or 1.0
    left_out = run.part("leave_one_out")
    rows = [
        _weight(name, weight, total, mapping(left_out.get(name))) for name, weight in found.items()
    ]
    rows.sort(key=lambda row: -(row.weight or 0.0))
    gains = any(row.test or row.holdout for row in rows)
    return Weights(tuple(rows), gains, tuple(row.member for row in rows if row.flagged))


def _weight(name: str, weight: float | None, total: float, entry: Mapping[str, Json]) -> Weight:
    test, holdout = estimate(entry.get("test")), estimate(entry.get("holdout"))
    flagged = entry.get("flagged") is True
    share = round(100 * (weight or 0.0) / total, 2)
    return Weight(name, weight, share, test, holdout, _words(weight, test, flagged), flagged)


def _words(weight: float | None, test: Estimate | None, flagged: bool) -> str:
    if weight == 0:
        return "not used"
    if flagged:
        return "removing it does not hurt"
    if test is None:
        return ""
    return {1: "helps", -1: "hurts on test", 0: "no clear difference on test"}[test.sign]
