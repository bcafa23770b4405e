"""Scores of the subsets that the dataset names, each apart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from unprompt._report.headline import comparisons
from unprompt._report.table import Row, score_rows
from unprompt._runs.run import Run
from unprompt._runs.scores import SplitScores
from unprompt._scoring.estimate import Estimate

SHOWN = 8
"""Subsets that have tables of their own; the others are in the first table alone."""


@dataclass(frozen=True, slots=True)
class Subset:
    """One subset of the test images.

    Attributes:
        name: As the dataset has it.
        test: Its scores.
        rows: Members, best first, then the blends and the query itself.
        limits: Floor, and oracle where known.
        comparisons: The blend minus another prediction, by the other's name; also minus the best
            blend without each member.
    """

    name: str
    test: SplitScores
    rows: tuple[Row, ...]
    limits: tuple[Row, ...]
    comparisons: Mapping[str, Estimate]


@dataclass(frozen=True, slots=True)
class Subsets:
    """The section.

    Attributes:
        all: Every subset's scores on test, by its name.
        shown: Those with tables of their own.
        named: Test images that are in a subset.
        images: All test images.
    """

    all: Mapping[str, SplitScores]
    shown: tuple[Subset, ...]
    named: int
    images: int


def subsets(run: Run) -> Subsets | None:
    """Lay out the scores of each subset; None where the dataset names none of test's images."""
    holdout, test = run.scores.holdout, run.scores.test
    if not test.subsets:
        return None
    shown = tuple(
        Subset(
            name,
            scores,
            *score_rows(holdout.subsets.get(name), scores),
            comparisons(scores) | _gains(run, name),
        )
        for name, scores in [*test.subsets.items()][:SHOWN]
    )
    named = sum(scores.images for scores in test.subsets.values())
    return Subsets(test.subsets, shown, named, test.images)


def _gains(run: Run, subset: str) -> dict[str, Estimate]:
    """What the blend gains by each member, on a subset."""
    contributions = run.scores.leave_one_out.items()
    return {f"best blend without {name}": gain.subsets[subset] for name, gain in contributions}
