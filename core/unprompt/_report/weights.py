"""The members' weights, and what each of them is worth to the blend."""

from __future__ import annotations

from dataclasses import dataclass

from unprompt._runs.run import Run
from unprompt._scoring.estimate import Verdict, verdict
from unprompt._search.drop import Contribution

_WORDS = {
    Verdict.BETTER: "helps",
    Verdict.WORSE: "hurts on test",
    Verdict.UNCLEAR: "no clear difference on test",
    Verdict.TOO_FEW: str(Verdict.TOO_FEW),
}


@dataclass(frozen=True, slots=True)
class Weight:
    """A member in the blend.

    Attributes:
        member: Its name.
        weight: Its weight; the largest is usually 1.
        share: Of the sum of all weights, 0..1.
        contribution: What the blend gains by it; None for a member that is not used, or alone.
        words: What that means; empty for a member that is alone.
    """

    member: str
    weight: float
    share: float
    contribution: Contribution | None
    words: str


@dataclass(frozen=True, slots=True)
class Weights:
    """The section.

    Attributes:
        rows: Largest weight first.
        contributions: Whether there is more than one used member.
        spare: Members that could be left out.
    """

    rows: tuple[Weight, ...]
    contributions: bool
    spare: tuple[str, ...]


def weights(run: Run) -> Weights:
    """Weights and contributions of all members."""
    total, contributions = sum(run.weights.values()), run.scores.leave_one_out
    rows = [
        Weight(name, weight, weight / total, contributions.get(name), _words(name, run))
        for name, weight in run.weights.items()
    ]
    rows.sort(key=lambda row: -row.weight)
    spare = [row.member for row in rows if row.contribution and row.contribution.flagged]
    return Weights(tuple(rows), bool(contributions), tuple(spare))


def _words(name: str, run: Run) -> str:
    if run.weights[name] == 0:
        return "not used"
    contribution = run.scores.leave_one_out.get(name)
    if contribution is None:
        return ""
    if contribution.flagged:
        return "no clear gain on the holdout"
    return _WORDS[verdict(contribution.test, run.scores.test.groups)]
