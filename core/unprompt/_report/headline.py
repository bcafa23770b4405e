"""The first thing on the page: whether searching weights was worth it, in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from unprompt._report.numbers import fixed, interval, plural, signed
from unprompt._runs.baselines import baselines, notes
from unprompt._runs.run import Run
from unprompt._runs.scores import SplitScores
from unprompt._scoring.estimate import FEW_GROUPS, Estimate, Verdict, verdict

_CLAUSE = {
    Verdict.BETTER: "beat",
    Verdict.WORSE: "are worse than",
    Verdict.UNCLEAR: "cannot be told apart from",
}


@dataclass(frozen=True, slots=True)
class Headline:
    """What the run found.

    Attributes:
        verdict: One sentence.
        tone: ``better``, ``worse`` or ``unclear``.
        comparisons: The blend minus another prediction of the test images, by the other's name.
        notes: What limits the numbers, in sentences without a full stop.
    """

    verdict: str
    tone: str
    comparisons: Mapping[str, Estimate]
    notes: tuple[str, ...]


def headline(run: Run) -> Headline:
    """Read the verdict off the paired differences."""
    sentence, tone = _sentence(run)
    return Headline(sentence, tone, comparisons(run.scores.test), tuple(notes(run.scores)))


def comparisons(test: SplitScores) -> dict[str, Estimate]:
    """The blend minus every other prediction of test or a subset of it, by the other's name."""
    return baselines(test) | {"best trial": test.paired.ensemble_minus_best_trial}


def _sentence(run: Run) -> tuple[str, str]:
    """The verdict and its tone."""
    members, test = run.scores.members, run.scores.test
    images = plural(test.images, "test image")
    if len(members) == 1:
        nothing = f"there is one member, {members[0]}, so there is nothing to weigh"
        return f"On {images} {nothing}.", "unclear"
    pairs = [
        (test.paired.ensemble_minus_equal, "equal weights"),
        (test.paired.ensemble_minus_best_member, f"the best member, {test.best_member}"),
    ]
    if test.groups < FEW_GROUPS:
        fall = "falls" if test.images == 1 else "fall"
        amounts = " and ".join(f"{_amount(value)} to {other}" for value, other in pairs)
        groups = plural(test.groups, "group")
        return f"{images} {fall} into {groups}: too few to tell ({amounts}).", "unclear"
    verdicts = [verdict(value, test.groups) for value, _ in pairs]
    clauses = [_clause(*pair, conclusion) for pair, conclusion in zip(pairs, verdicts, strict=True)]
    same = verdicts[0] == verdicts[1]
    if same:  # one verb for both
        clauses[1] = clauses[1].removeprefix(f"{_CLAUSE[verdicts[0]]} ")
    sentence = f"On {images} the searched weights {(' and ' if same else ', but ').join(clauses)}."
    if Verdict.WORSE in verdicts:
        return sentence, "worse"
    return sentence, "better" if same and Verdict.BETTER in verdicts else "unclear"


def _clause(difference: Estimate, other: str, conclusion: Verdict) -> str:
    if conclusion == Verdict.UNCLEAR:
        return f"{_CLAUSE[conclusion]} {other} ({_amount(difference)})"
    # "worse by" says the direction already
    lead = difference.negated() if conclusion == Verdict.WORSE else difference
    by = ", by" if "," in other else " by"  # a comma also after the member's name
    return f"{_CLAUSE[conclusion]} {other}{by} {fixed(lead.score)} {interval(lead)}"


def _amount(difference: Estimate) -> str:
    return f"{signed(difference.score)} {interval(difference, 'signed')}"
